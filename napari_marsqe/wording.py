"""What the workbench says, in plain words: functions of the engine's values, and of the chosen colours."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from marsqe.image import MarsImage
from marsqe.results import Enhancement, Judgement, Matches
from marsqe.terrain import PALETTES, Terrain
from napari_marsqe.settings import engine_settings

if TYPE_CHECKING:
    from marsqe.matching import OwnEntry
    from napari_marsqe.arguing import Settled

MINUS = "−"
_ON_BOARD = ("ICER", "LOCO", "JPEG on board")
_CAUTIONS = {
    "": "",
    "lossless": "Nothing was lost on the way to Earth, so there is nothing to restore",
    "wavelets": "Caution: compressed with wavelets. The models learned from JPEG, so expect no gain, and measure one "
    "before you trust it",
    "JPEG": "Caution: this JPEG was decoded on Earth and its quantization tables are not in the file, so the result "
    "cannot be held to what was sent unless its tables are estimated",
}


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
    if "estimated" in image.metadata:
        lines += describe_estimate(image)
    elif compression.codec == "none":
        lines.append("No file behind it: how it was compressed is unknown.")
    elif compression.quality is None and not compression.lossy and image.product.onboard_compression is None:
        lines.append(f"{compression.summary()}. The file is lossless; earlier compression left no record.")
    else:
        lines.append(f"{compression.summary()}.")
    lines += [f"{escape(text)}." for text in (image.product.summary(), caution(image)) if text]
    lines += [f"<b>Careful:</b> {escape(text)}." for text in image.warnings]
    lines.append(f"Truth: {escape(truth)}." if truth else "Truth: none, so gains cannot be measured.")
    return "<br>".join(lines)


def describe_estimate(image: MarsImage) -> list[str]:
    """What the pixels of an image told of its JPEG, and what was left out."""
    from marsqe.codecs.estimated import estimated_in_words
    from marsqe.codecs.estimation import LEAST_SUPPORT

    told = image.metadata["estimated"]
    left_out = [whole - kept for whole, kept in zip(told["of"], image.shape, strict=True)]
    rows, columns = count(left_out[0], "row"), count(left_out[1], "column")
    weak = "The grid stands out, but no table fits all blocks: take the quality with caution."
    lines = [f"{estimated_in_words(told)}.", f"Cut to whole blocks: {rows} and {columns} at the borders left out."]
    return [*lines, weak] if told["support"] < LEAST_SUPPORT else lines


def caution(image: MarsImage) -> str:
    """What to know before enhancing an image that was compressed on board and decoded on Earth; empty for others."""
    return _CAUTIONS[sent_as(image)]


def sent_as(image: MarsImage) -> str:
    """How an image was sent, as far as it is known and its tables are not: a key of ``_CAUTIONS``."""
    compression = image.compression
    if compression.codec == "JPEG" or compression.tables is not None:
        return ""  # they are at hand, or estimated, and the models know what they do
    onboard = image.product.onboard_compression or ""
    if compression.codec in _ON_BOARD:
        onboard = compression.codec if compression.lossy else f"{compression.codec} lossless"
    if "lossless" in onboard or onboard == "uncompressed":
        return "lossless"
    if "ICER" in onboard or "LOCO" in onboard:
        return "wavelets"
    return "JPEG" if "JPEG" in onboard else ""


def describe_terrain(terrain: Terrain, matches: Matches) -> str:
    """Shares of the classes with their colours, and how many tiles found which references."""
    shares = sorted(terrain.shares().items(), key=lambda item: -item[1])
    named = [f"{chip(name)}&nbsp;{percent(share)}&nbsp;{name}" for name, share in shares if share > 0]
    rows, columns = matches.shape
    used = len(set(zip(matches.classes.ravel().tolist(), matches.references.ravel().tolist(), strict=True)))
    tiles, patches = count(rows * columns, "tile"), count(used, "different reference")
    drawn = "<br>The terrain was drawn by hand." if terrain.source == "drawn" else ""
    return f"{'&nbsp; '.join(named) or 'No terrain was recognized.'}<br>{tiles} matched to {patches}.{drawn}"


def describe_enhancement(enhancement: Enhancement) -> str:
    """Which model ran where, how long it took, what part it enhanced, and whether the result was held to the file."""
    device = {"cpu": "the processor", "cuda": "the NVIDIA GPU", "mps": "the Apple GPU"}.get(
        enhancement.device, enhancement.device
    )
    lines = [f"Enhanced with <b>{escape(enhancement.model)}</b> on {device} in {duration(enhancement.seconds)}."]
    region = enhancement.region
    if region is not None:
        lines.append(
            f"Only {region.width} × {region.height} pixels from row {region.y}, column {region.x}; "
            "the rest is as it was."
        )
    projected = enhancement.provenance.get("settings", {}).get("faithful")
    if projected:
        lines.append("Held to the JPEG: compressed again, it gives back what the file recorded, but for few blocks.")
    elif projected is not None and not not_held_in_words(enhancement):
        lines.append(f"Not held to a JPEG: {enhancement.provenance['settings'].get('not_held', 'no reason is known')}.")
    lines += describe_confidence(enhancement)
    return "<br>".join(lines)


def not_held_in_words(enhancement: Enhancement) -> str:
    """A warning where a result was to be held to its JPEG and could not be; empty for all others."""
    from marsqe.enhancement.faithful import BY_CHOICE, NO_TABLES

    why = enhancement.provenance.get("settings", {}).get("not_held")
    if why in (None, BY_CHOICE, NO_TABLES):
        return ""
    return (
        f"⚠ <b>Not held to the JPEG</b>: {escape(why)}. The result may leave what the file holds, and its "
        "record says so. Open an undamaged copy to hold it."
    )


def describe_confidence(enhancement: Enhancement) -> list[str]:
    """How far pixels may still be from the truth, and how much the JPEG speaks against; empty where unknown."""
    evidence = enhancement.evidence
    if evidence is None or not np.isfinite(evidence.half_width).any():
        return []
    width = float(np.nanmedian(evidence.half_width))
    return [
        f"Confidence: nine in ten pixels are expected within their interval of the truth, half of these narrower than "
        f"±{width:.1f}&nbsp;DN; {percent(float(evidence.beyond.mean()), 1)} changed beyond the evidence."
    ]


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
    psnr = f"PSNR {metrics['psnr_compressed']:.2f} → {metrics['psnr_enhanced']:.2f} dB"
    ssim = f"SSIM {metrics['ssim_compressed']:.3f} → {metrics['ssim_enhanced']:.3f}"
    lines.append(", ".join(text.replace(" ", "&nbsp;") for text in (psnr, ssim)))
    return "<br>".join(lines)


def describe_settled(settled: Settled) -> str:
    """What another choice, a forbidden or a new reference changed, and what that gained as far as it can be known."""
    change = settled.change
    number = int(change.tiles.sum())
    if not number:
        return "No tile has another reference now."
    lines = [
        f"{count(number, 'tile')} changed: mean divergence {change.divergence_before:.3f} → "
        f"{change.divergence_after:.3f}."
    ]
    own = sum(tiles for name, tiles in change.now.items() if name.startswith("own-"))
    if own:
        lines.append(f"{own} of {number} chose a reference of your own.")
    if settled.gains is not None:
        before, after = settled.gains
        over = "over this tile" if number == 1 else "over these tiles"
        if math.isnan(before) or math.isnan(after):
            lines.append(f"Enhanced again; {over} the JPEG equals the truth, so there is nothing to gain.")
        else:
            lines.append(f"Enhanced again; ΔPSNR {over} {signed(before, 3)} → <b>{signed(after, 3)} dB</b>.")
    elif settled.enhancement is not None:
        lines.append("Enhanced again; without a truth the gain cannot be known.")
    elif settled.reason:
        lines.append(f"Not enhanced again: {escape(settled.reason)}.")
    else:
        lines.append(f"The next enhancement uses {'it' if number == 1 else 'them'}, if its model takes references.")
    return "<br>".join(lines)


def describe_own(entry: OwnEntry) -> str:
    """Where a reference of the user's own comes from."""
    lines = [f"★ <b>{escape(entry.patch_id)}</b>, {escape(entry.terrain)}, your own"]
    lines.append(f"From {escape(entry.source)} at column {entry.x}, row {entry.y}; added {escape(entry.added[:10])}")
    mission = [str(entry.product[key]) for key in ("mission", "camera") if key in entry.product]
    mission += [f"sol {entry.product['sol']}"] if "sol" in entry.product else []
    lines += [escape(", ".join(mission))] if mission else []
    lines.append(f"Source: {escape(entry.compression)}, SHA-256 {escape(entry.source_sha256[:12])}")
    lines += ["<b>The source had lost detail.</b>"] if entry.lossy else []
    lines += [escape(entry.note)] if entry.note else []
    return "<br>".join(lines)


def percent(share: float, digits: int = 0) -> str:
    """A share in percent, for rich labels, on one line; small ones are not rounded to nothing."""
    least = 10.0 ** (-2 - digits)
    text = f"&lt;&nbsp;{least:.{digits}%}" if 0 < share < least / 2 else f"{share:.{digits}%}"
    return text.replace("%", "&nbsp;%")


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
    red, green, blue = PALETTES[engine_settings().palette].get(terrain, (128, 128, 128))
    return f"<span style='color:#{red:02x}{green:02x}{blue:02x}'>■</span>"


def escape(text: str) -> str:
    """Text for a rich label."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
