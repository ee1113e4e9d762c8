"""PSNR-B: peak signal-to-noise ratio that also counts steps at the borders of JPEG's blocks."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.colour import luma
from marsqe.image import Pixels
from marsqe.judgement.pairs import peak_of

BLOCK: Final = 8
"""Side of JPEG's blocks in pixels of luma."""


def psnr_b(image: Pixels, truth: Pixels) -> float:
    """PSNR-B of luma in dB (Yim & Bovik, "Quality assessment of deblocked images", 2011), blocks of 8 x 8.

    The blocking effect factor of ``image`` is added to the mean squared error: the mean squared step across block
    borders less that between all other neighbours, times log2(8) / log2(shorter side), and zero where the borders
    step no more than the rest. Pairs of neighbours are counted as they are (the paper's closed form for their number
    is off for whole blocks). Blocks start at the first row and column, as those of a JPEG file do.

    Parameters
    ----------
    image, truth : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        RGB is converted to BT.601 luma, rounded; the data range is 255 or 65535.

    Returns
    -------
    float
        Infinite for equal images without blocking; NaN for images with a side of one pixel.

    Raises
    ------
    SettingError
        If shapes or dtypes differ.
    """
    top = peak_of(image, truth)
    return _psnr_b(luma(image), luma(truth), top)


def psnr_b_rgb(image: Pixels, truth: Pixels) -> float:
    """Mean over R, G and B of the PSNR-B of each channel in dB; of gray images the same as :func:`psnr_b`.

    Parameters, data range and errors as in :func:`psnr_b`. Blocks are 8 x 8 in every channel, although subsampled
    chroma of a JPEG also steps every 16 pixels.
    """
    top = peak_of(image, truth)
    channels = np.atleast_3d(image), np.atleast_3d(truth)
    return float(np.mean([_psnr_b(a, b, top) for a, b in zip(*(np.moveaxis(c, 2, 0) for c in channels), strict=True)]))


def blocking_effect(plane: NDArray[Any]) -> float:
    """Blocking effect factor of one (H, W) plane in squared DN; zero or more."""
    if min(plane.shape) < 2:
        return float("nan")
    values = plane.astype(np.float64)
    steps = [np.diff(values, axis=axis) ** 2 for axis in (0, 1)]
    border = [np.arange(1, side) % BLOCK == 0 for side in values.shape]
    at = np.concatenate([steps[0][border[0]].ravel(), steps[1][:, border[1]].ravel()])
    other = np.concatenate([steps[0][~border[0]].ravel(), steps[1][:, ~border[1]].ravel()])
    excess = at.mean() - other.mean() if at.size else 0.0
    return float(max(excess, 0.0) * np.log2(BLOCK) / np.log2(min(values.shape)))


def _psnr_b(plane: NDArray[Any], truth: NDArray[Any], top: int) -> float:
    error = float(((plane.astype(np.float64) - truth) ** 2).mean()) + blocking_effect(plane)
    return float("inf") if error == 0 else float(10 * np.log10(top**2 / error))
