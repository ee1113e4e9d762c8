"""Local binary patterns and their divergence: the texture descriptor of SMM (Eq. 1)."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from skimage.feature import local_binary_pattern

from marsqe.results import TILE

BINS: Final = 59
"""Codes of the non-rotation-invariant uniform pattern with 8 neighbours at radius 1."""


def lbp_histograms(luma: NDArray[Any]) -> NDArray[np.float64]:
    """LBP histograms of all tiles, one pass over the image.

    The outermost pixel of every tile does not count, so that a tile inside an image and a patch that stands alone
    are described alike.

    Parameters
    ----------
    luma : ndarray of uint8 or uint16, shape (rows * 128, columns * 128)

    Returns
    -------
    ndarray of float64, shape (rows, columns, 59)
        Probabilities with one added to every count, so that no divergence is infinite.
    """
    rows, columns = luma.shape[0] // TILE, luma.shape[1] // TILE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        codes = local_binary_pattern(luma, 8, 1, method="nri_uniform").astype(np.int64)
    tiles = codes.reshape(rows, TILE, columns, TILE).transpose(0, 2, 1, 3)[:, :, 1:-1, 1:-1]
    offsets = np.arange(rows * columns).reshape(rows, columns, 1, 1) * BINS
    counts = np.bincount((tiles + offsets).ravel(), minlength=rows * columns * BINS).reshape(rows, columns, BINS)
    smoothed = counts + 1.0
    return smoothed / smoothed.sum(axis=-1, keepdims=True)


def kl_divergence(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kullback-Leibler divergence D(x || y) in nats over the last axis; broadcasts."""
    result: NDArray[np.float64] = (x * (np.log(x) - np.log(y))).sum(axis=-1)
    return result
