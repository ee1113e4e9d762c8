"""``marsqe judge`` and ``marsqe verify``: what can be said of an enhanced image afterwards."""

from __future__ import annotations

import math
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import marsqe
from marsqe.cli.output import emit, follow, for_each
from marsqe.errors import ReadError, SettingError, in_one_line
from marsqe.image import MarsImage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def judge(arguments: Namespace) -> int:
    """Compare an enhanced image with its truth and, where given, with the compressed one."""

    def work(path: Path) -> dict[str, Any]:
        from marsqe.judgement import psnr, ssim

        enhanced, truth = marsqe.open_image(path), marsqe.open_image(arguments.truth)
        if arguments.compressed is None:
            same = enhanced.pixels.shape == truth.pixels.shape and enhanced.pixels.dtype == truth.pixels.dtype
            if not same:
                raise SettingError("the truth has another size, depth or number of channels; give the matching one")
            pixels = enhanced.pixels, truth.pixels
            return {"metrics": {"psnr_enhanced": psnr(*pixels), "ssim_enhanced": ssim(*pixels)}}
        compressed = marsqe.open_image(arguments.compressed)
        terrain = follow(marsqe.segment_steps(compressed, "auto"), path.name)
        found = marsqe.judge(enhanced.pixels, truth, compressed=compressed.pixels, terrain=terrain)
        return found.as_record()

    def line(r: dict[str, Any]) -> str:
        values = r["metrics"] | {f"delta_psnr {name}": gain for name, gain in r.get("delta_psnr_per_class", {}).items()}
        return "\n".join([r["input"], *(f"    {name}: {value:.4f}" for name, value in values.items())])

    return emit(for_each([arguments.enhanced], work), arguments.json, line)


def verify(arguments: Namespace) -> int:
    """Compress an enhanced image as its JPEG was, and say how much comes back identical; of real numbers, what fits."""

    def work(path: Path) -> dict[str, Any]:
        from marsqe.judgement import verification

        image, encoded = _as_it_was_held(marsqe.open_image(path), arguments.enhanced), path.read_bytes()
        pixels = _numbers(arguments.enhanced)
        if pixels.dtype.kind != "f" and pixels.dtype != image.pixels.dtype:
            raise SettingError(
                f"{arguments.enhanced} holds {8 * pixels.dtype.itemsize}-bit numbers, scaled from those of the JPEG; "
                "verify an export of depth 'source' or 'float'"
            )
        held = verification.inside(image, encoded, pixels)
        result: dict[str, Any] = {
            "enhanced": str(arguments.enhanced),
            "real_numbers": pixels.dtype.kind == "f",
            "coefficients_inside": held.coefficients,
            "coefficients_of_whole_blocks_inside": held.whole_blocks,
            "blocks_inside": held.blocks,
            "largest_distance_in_steps": held.largest,
        }
        changed = held.outside
        if pixels.dtype.kind != "f":
            found = verification.verify(image, encoded, pixels)
            changed = found.changed
            result |= {
                "identical_blocks": found.blocks,
                "identical_coefficients": found.coefficients,
                "identical_blocks_of_the_jpeg_itself": found.jpeg_blocks,
            }
        if arguments.mask:
            result["mask"] = str(_write_mask(changed, arguments.mask))
        return result

    return emit(for_each([arguments.jpeg], work), arguments.json, _verified)


def _as_it_was_held(image: MarsImage, enhanced: Path) -> MarsImage:
    """The image itself; one without tables as it was cut when they were estimated, by the record of the enhanced one.

    Raises
    ------
    SettingError
        If the enhanced image was made from another one.
    ReadError
        If what its record says of the estimate is damaged.
    """
    from marsqe.codecs.estimated import cut_to_blocks, estimate_of
    from marsqe.export import read_provenance

    if image.compression.tables is not None:
        return image
    try:
        told = read_provenance(enhanced).get("source")
    except ReadError:  # it has no record
        return image
    if not isinstance(told, dict) or "estimated" not in told:
        return image
    if told.get("sha256") != image.sha256:
        raise SettingError(f"{enhanced} was made from another image than {image.name}; give the one that it names")
    try:
        return cut_to_blocks(image, estimate_of(told["estimated"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ReadError(f"the record of {enhanced} is damaged ({in_one_line(error)}); it tells no tables") from error


def _numbers(path: Path) -> NDArray[Any]:
    """Pixels of an image; of a TIFF of real numbers these."""
    from marsqe.export.images import TIFF_ENDINGS
    from marsqe.read.tiff import stored_numbers

    stored = stored_numbers(path) if path.suffix.lower() in TIFF_ENDINGS else None
    return stored if stored is not None and stored.dtype.kind == "f" else marsqe.open_image(path).pixels


def _write_mask(changed: NDArray[np.bool_], path: Path) -> Path:
    from marsqe.export import save_pixels

    return save_pixels((changed.repeat(8, axis=0).repeat(8, axis=1) * 255).astype("uint8"), path)


def _verified(r: dict[str, Any]) -> str:
    if r["real_numbers"]:
        every, whole = (_percent(r[key]) for key in ("coefficients_inside", "coefficients_of_whole_blocks_inside"))
        return (
            f"{r['enhanced']}: {every} of coefficients lie inside their intervals of {r['input']} ({whole} of those of "
            f"whole blocks; at most {r['largest_distance_in_steps']:.3f} steps from the received value, of 0.5)"
        )
    blocks, own = 100 * r["identical_blocks"], 100 * r["identical_blocks_of_the_jpeg_itself"]
    return (
        f"{r['enhanced']}: {blocks:.2f} % of blocks and {100 * r['identical_coefficients']:.3f} % of coefficients "
        f"come back identical when compressed as {r['input']} was ({own:.2f} % of blocks for the JPEG itself)"
    )


def _percent(share: float) -> str:
    """100 % only where it is so: everything else is rounded down."""
    return "100 %" if share == 1 else f"{math.floor(1e5 * share) / 1e3:.3f} %"
