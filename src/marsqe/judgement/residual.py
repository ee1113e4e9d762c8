"""Residuals and the gain of every tile and class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import SettingError
from marsqe.results import TILE
from marsqe.terrain import CLASSES, Terrain


def squared_error(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Squared difference of two images, mean over channels: (H, W) float64."""
    error = (a.astype(np.float64) - b) ** 2
    return error if error.ndim == 2 else error.mean(axis=2)


def residual(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    """Absolute difference of two images in DN, mean over channels (Fig. 10): (H, W) float32."""
    error = np.abs(a.astype(np.float32) - b)
    return error if error.ndim == 2 else error.mean(axis=2)


def decibel(before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float32]:
    """ΔPSNR in dB of mean squared errors; NaN where the error before is zero, and infinite where that after is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = 10 * np.log10(before / after)
    return np.where(before == 0, np.nan, gain).astype(np.float32)


def delta_psnr_tiles(before: NDArray[np.float64], after: NDArray[np.float64], side: int = TILE) -> NDArray[np.float32]:
    """ΔPSNR of every tile from two (H, W) maps of squared error; tiles at the border count their own pixels only."""
    return decibel(*(tile_sums(error, side) for error in (before, after)))


def tile_sums(error: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Sum of a (H, W) map over every tile: (rows, columns)."""
    height, width = error.shape
    padded = np.pad(error, ((0, -height % side), (0, -width % side)))
    sums: NDArray[np.float64] = padded.reshape(padded.shape[0] // side, side, -1, side).sum(axis=(1, 3))
    return sums


def delta_psnr_where(
    enhanced: NDArray[Any], truth: NDArray[Any], *, compressed: NDArray[Any], where: NDArray[np.bool_]
) -> float:
    """ΔPSNR in dB over the pixels of a mask (H, W); NaN where the compressed pixels equal the truth.

    Raises
    ------
    SettingError
        If the pictures differ in shape or depth.
    """
    if len({(a.shape, a.dtype) for a in (enhanced, truth, compressed)}) > 1:
        raise SettingError("the truth has another size, depth or number of channels; give the matching one")
    before, after = (squared_error(a[where], truth[where]).sum() for a in (compressed, enhanced))
    return float(decibel(before, after))


def delta_psnr_classes(before: NDArray[np.float64], after: NDArray[np.float64], terrain: Terrain) -> dict[str, float]:
    """ΔPSNR over all pixels of each class that occurs and has any error before."""
    gains = {}
    for label, name in enumerate(CLASSES, start=1):
        here = terrain.labels == label
        if here.any():
            gain = float(decibel(before[here].sum(), after[here].sum()))
            if not np.isnan(gain):
                gains[name] = gain
    return gains
