"""What the workbench says, in plain words. Pure functions of the engine's values."""

from __future__ import annotations

import math

from marsqe.image import MarsImage
from marsqe.results import Enhancement, Judgement, Matches
from marsqe.terrain import COLOURS, Terrain

MINUS = "−"


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign, the minus as typographers write it."""
    text = f"{abs(value):.{digits}f}"
    return f"{MINUS if value < 0 and float(text) else '+'}{text}"


def megapixels(image: MarsImage) -> str:
    """Size of an image: ``1600 × 1152 pixels, 8-bit colour``."""
    height, width = image.shape
    kind = "colour" if image.is_colour else "gray"
    return f"{width} × {height} pixels, {8 * image.pixels.dtype.itemsize}‑bit {kind}"


def describe_image(image: MarsImage, truth: str | None) -> str:
    """What was opened, how it was compressed, and whether a truth is known."""
    lines = [f"<b>{escape(image.name)}</b>: {megapixels(image)}"]
    compression = image.compression
    if compression.codec == "none":
        lines.append("No file behind it: how it was compressed is unknown.")
    elif compression.quality is None and not compression.lossy:
        lines.append(f"{compression.summary()}. The file is lossless; earlier compression left no record.")
    else:
        lines.append(f"{compression.summary()}.")
    product = image.product
    origin = [part for part in (product.mission, product.camera) if part]
    if origin:
        sol = f", sol {product.sol}" if product.sol is not None else ""
        lines.append(escape(", ".join(origin)) + sol + ".")
    lines.append(f"Truth: {escape(truth)}." if truth else "Truth: none, so gains cannot be measured.")
    return "<br>".join(lines)


def describe_terrain(terrain: Terrain, matches: Matches) -> str:
    """Shares of the classes with their colours, and how many tiles found which references."""
    shares = sorted(terrain.shares().items(), key=lambda item: -item[1])
    named = [f"{chip(name)}&nbsp;{percent(share)}&nbsp;{name}" for name, share in shares if share > 0]
    rows, columns = matches.shape
    used = len(set(zip(matches.classes.ravel().tolist(), matches.references.ravel().tolist(), strict=True)))
    tiles, patches = count(rows * columns, "tile"), count(used, "different reference")
    return f"{'&nbsp; '.join(named) or 'No terrain was recognized.'}<br>{tiles} matched to {patches}."


def describe_enhancement(enhancement: Enhancement) -> str:
    """Which model ran where, and how long it took."""
    device = {"cpu": "the processor", "cuda": "the NVIDIA GPU", "mps": "the Apple GPU"}.get(
        enhancement.device, enhancement.device
    )
    return f"Enhanced with <b>{escape(enhancement.model)}</b> on {device} in {duration(enhancement.seconds)}."


def describe_judgement(judgement: Judgement) -> str:
    """The measured gain with a truth; without one what was changed, and that this is no gain."""
    metrics = judgement.metrics
    if not judgement.has_truth:
        return (
            f"Without a truth no gain can be known. Mean change {metrics['mean_change']:.1f} DN, "
            f"largest {metrics['largest_change']:.0f} DN."
        )
    gain = metrics["delta_psnr"]
    if math.isnan(gain):
        return "The compressed image equals the truth: there was nothing to gain."
    verdict = "closer to" if gain >= 0 else "further from"
    lines = [f"<b>{signed(gain)} dB {verdict} the truth</b>"]
    classes = sorted(judgement.per_class.items(), key=lambda item: -item[1])
    if classes:
        lines.append("&nbsp; ".join(f"{chip(name)}&nbsp;{name}&nbsp;{signed(value, 1)}" for name, value in classes))
    lines.append(f"PSNR {metrics['psnr_compressed']:.2f} → {metrics['psnr_enhanced']:.2f} dB")
    lines[-1] += f", SSIM {metrics['ssim_compressed']:.3f} → {metrics['ssim_enhanced']:.3f}"
    return "<br>".join(lines)


def percent(share: float) -> str:
    """A share in percent; small ones are not rounded to nothing."""
    return "&lt;&nbsp;1&nbsp;%" if 0 < share < 0.005 else f"{share:.0%}".replace("%", "&nbsp;%")


def duration(seconds: float) -> str:
    """A time span: ``0.8 s``, ``12 s``, ``3 min 5 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def time_left(seconds: float | None) -> str:
    """``about 12 s left``; empty while nothing is known."""
    if seconds is None:
        return ""
    return f"about {max(1, round(seconds))} s left" if seconds < 60 else f"about {math.ceil(seconds / 60)} min left"


def count(number: int, noun: str) -> str:
    """``1 tile``, ``12 tiles``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}".replace(",", " ")


def chip(terrain: str) -> str:
    """A small square in a class's colour."""
    red, green, blue = COLOURS.get(terrain, (128, 128, 128))
    return f"<span style='color:#{red:02x}{green:02x}{blue:02x}'>■</span>"


def escape(text: str) -> str:
    """Text for a rich label."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
