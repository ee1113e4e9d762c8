"""Subsampling of chroma and, where it is halved, which of four grids its blocks lie on, from decoded pixels.

Both are decided by likelihoods of the same numbers. Halved chroma was interpolated by libjpeg's triangle: of four
pixels one number is the stored sample's, the other three are what interpolation made of its neighbours, up to
rounding. Whole chroma leaves all four free, on multiples of its steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_banded

from marsqe.codecs.jpeg import Table
from marsqe.codecs.likelihood import coefficients_on, likelihood
from marsqe.colour import RGB_TO_YCC

_NOISE: Final = 0.35
"""Deviation in DN of decoded chroma, which was rounded before and after it became colours."""
_HALVED_NOISE: Final = np.concatenate([[2.0], np.full(63, 0.3)])
"""The same of its coefficients at half the resolution; rounding that is alike all over a flat block is in the first."""
_UNDOING: Final = 1 / (6 / 8 + 2 / 8 * np.cos(np.pi * np.arange(8) / 8))
"""How much a frequency grows where interpolation is undone; see :func:`_undone`."""
_VOLUME: Final = 2 * float(np.log(np.outer(_UNDOING, _UNDOING) / 2).sum())
"""Logarithm of how much 64 numbers of both planes shrink from orthonormal ones at full resolution to stored samples."""


def chroma_grid(
    values: NDArray[np.float64], usable: NDArray[np.bool_], offset: tuple[int, int], table: Table
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First pixel of a whole coded unit, and the subsampling, (1, 1) or (2, 2), that chroma agrees with best.

    Parameters
    ----------
    values : ndarray of float64, shape (H, W, 3)
    usable : ndarray of bool, shape (H, W)
    offset : (int, int)
        Of the luma blocks, each 0-7.
    table : ndarray of int, shape (8, 8)
        Of chroma.
    """
    planes = [values @ weights + 128.0 for weights in RGB_TO_YCC[1:]]
    # A block of halved chroma stands for four.
    whole = 4 * sum(likelihood(coefficients_on(p, usable, offset), table, _NOISE)[0] for p in planes)
    y, x = (o % 2 for o in offset)
    pairs = [_pairs(p, y, x) for p in planes]
    halved = [_undone(_undone(p.mean(axis=(1, 3)), 0), 1) for p in pairs]
    good = np.asarray(_pairs(usable, y, x).all(axis=(1, 3)))
    stored, corner = max(
        (sum(likelihood(coefficients_on(p, good, grid, 1), table, _HALVED_NOISE)[0] for p in halved), corner)
        for corner, grid in _four(offset)
    )
    made = sum(_interpolated(p, h, good) for p, h in zip(pairs, halved, strict=True))
    return (corner, (2, 2)) if stored + _VOLUME + made > whole else (offset, (1, 1))


def _pairs(plane: NDArray[Any], y: int, x: int) -> NDArray[Any]:
    height, width = ((n - o) // 2 for n, o in zip(plane.shape, (y, x), strict=True))
    return plane[y : y + 2 * height, x : x + 2 * width].reshape(height, 2, width, 2)


def _four(offset: tuple[int, int]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Corners of units of 16 pixels that the blocks of 8 allow, and their grids at half the resolution."""
    for down, across in np.ndindex(2, 2):
        corner = (offset[0] + 8 * down, offset[1] + 8 * across)
        yield corner, (corner[0] // 2 % 8, corner[1] // 2 % 8)


def _interpolated(pairs: NDArray[np.float64], halved: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Log-likelihood of the three numbers that interpolation made beside each of 64 stored samples."""
    made = _triangle(_triangle(np.rint(halved), 0), 1)
    off = pairs - made.reshape(pairs.shape)
    off -= off.mean(axis=(1, 3), keepdims=True)
    inner = (off**2).sum(axis=(1, 3))[2:-2, 2:-2][good[2:-2, 2:-2]]
    if not inner.size:
        return 0.0
    return float(-64 * (3 * np.log(_NOISE * np.sqrt(2 * np.pi)) + inner.mean() / (2 * _NOISE**2)))


def _triangle(plane: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Interpolate along an axis as libjpeg does: (1, 3) / 4 and (3, 1) / 4 of two samples."""
    stored = np.moveaxis(plane, axis, 0)
    before, after = np.concatenate([stored[:1], stored[:-1]]), np.concatenate([stored[1:], stored[-1:]])
    out = np.stack([(3 * stored + before) / 4, (3 * stored + after) / 4], axis=1)
    return np.moveaxis(out.reshape(2 * len(stored), *stored.shape[1:]), 0, axis)


def _undone(plane: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Undo along an axis what the mean of two interpolated samples is: (1, 6, 1) / 8 of the stored ones."""
    count = plane.shape[axis]
    bands = np.full((3, count), 1 / 8)
    bands[1] = 6 / 8
    bands[1, [0, -1]] = 7 / 8
    turned = plane if axis == 0 else plane.T
    solved: NDArray[np.float64] = solve_banded((1, 1), bands, turned)
    return solved if axis == 0 else solved.T
