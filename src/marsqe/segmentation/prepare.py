"""From pixels of any depth to what the terrain network sees: working size and contrast stretch."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.colour import LUMA_WEIGHTS

SHORT_SIDE: Final = 640
"""Longest short side, in pixels, at which the network works; larger images are reduced to it."""

LEAST_SIDE: Final = 512
"""Images whose short side is smaller are enlarged towards this, at most twofold."""

VIEWS: Final = (1.25, 0.8)
"""Sizes, in working sizes, at which the network sees the image: stones want the larger, sand and soil the smaller."""

PERCENTILES: Final = (1.0, 99.0)
"""Percentiles of brightness that the stretch takes to 0 and 1."""

_LUMA: Final = LUMA_WEIGHTS.astype(np.float32)
_MOST_SAMPLES: Final = 200_000


def working_size(height: int, width: int) -> tuple[int, int]:
    """Height and width at which an image is segmented: short side at most 640, at least 512 where doubling suffices.

    Panoramas keep their height of a few hundred pixels, which is what the classes are recognised by; it is the
    short side, not the long one, that is bounded.
    """
    short = min(height, width)
    scale = min(1.0, SHORT_SIDE / short) if short >= LEAST_SIDE else min(2.0, LEAST_SIDE / short)
    return max(1, round(height * scale)), max(1, round(width * scale))


def view_size(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Height and width of a view of an image at its working size."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def to_rgb8(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) uint8 or uint16 to (H, W, 3) uint8; gray fills the three channels.

    16-bit pixels are first stretched between their 0.1st and 99.9th percentiles: frames of 12 bits use a small part
    of the range, and a hot pixel must not squeeze the rest.
    """
    eight: NDArray[np.uint8]
    if pixels.dtype == np.uint8:
        eight = pixels.astype(np.uint8, copy=False)
    else:
        step = _sampling(pixels.shape[0], pixels.shape[1])
        low, high = np.percentile(pixels[::step, ::step], (0.1, 99.9)).astype(np.float32)
        values = (pixels.astype(np.float32) - low) * (255 / max(high - low, np.float32(1)))
        eight = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    return eight if eight.ndim == 3 else np.repeat(eight[..., None], 3, axis=2)


def _sampling(height: int, width: int) -> int:
    return max(1, int(np.sqrt(height * width / _MOST_SAMPLES)))


def resized(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """An (H, W, 3) uint8 image at ``size`` (height, width), antialiased."""
    if rgb.shape[:2] == size:
        return rgb
    return np.asarray(Image.fromarray(rgb).resize(size[::-1], Image.Resampling.BILINEAR))


def stretch_limits(rgb: NDArray[np.uint8]) -> tuple[float, float]:
    """Brightness (0-255) at the 1st and 99th percentile of an (H, W, 3) image, pure black not counted.

    Pure black is outside the stitch of a mosaic. An image without contrast gets limits at least 8 apart.
    """
    step = _sampling(rgb.shape[0], rgb.shape[1])
    luma = rgb[::step, ::step] @ _LUMA
    lit = luma[luma > 0]
    if lit.size == 0:
        return 0.0, 255.0
    low, high = np.percentile(lit, PERCENTILES)
    return float(low), float(max(high, low + 8))


def stretched(rgb: NDArray[np.uint8], limits: tuple[float, float]) -> NDArray[np.float32]:
    """Stretch (H, W, 3) uint8 to 0-1, the same for the three channels so that hues stay, clipped."""
    low, high = limits
    out = (rgb.astype(np.float32) - np.float32(low)) * np.float32(1 / (high - low))
    return np.clip(out, 0, 1, out=out)
