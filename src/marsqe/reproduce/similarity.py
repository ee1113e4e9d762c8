"""Finding 1: how similar patches are within an image and between images (Fig. 3, Table I)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.colour import luma

SIDES: Final = (256, 128, 64)
"""Sides of the patches in pixels."""
MEASURES: Final = ("NCC", "cosine", "MAE", "RMSE")
SEED: Final = 1

_BLACK: Final = 2
_MOST_BLACK: Final = 0.01


@dataclass(frozen=True)
class Similarity:
    """Similarity of pairs of patches.

    Attributes
    ----------
    values : dict
        By measure: (pairs,) of NCC (-1 to 1, of mean-free patches; NaN where one is flat), cosine (the same without
        taking the mean away, 0 to 1), MAE and RMSE (0 to 255, on BT.601 luma).
    images : int
        That have a patch of this size at least (two for pairs within an image).
    """

    values: dict[str, NDArray[np.float64]]
    images: int

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return int(self.values["MAE"].size)

    def mean(self, measure: str) -> float:
        """Mean over pairs, those without a value left out; NaN where there are none."""
        values = self.values[measure]
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    def best(self, measure: str) -> float:
        """The most similar pair: largest NCC or cosine, least error; NaN where there is none."""
        values = self.values[measure]
        if not np.isfinite(values).any():
            return float("nan")
        return float(np.nanmax(values) if measure in ("NCC", "cosine") else np.nanmin(values))


def patches_of(pixels: NDArray[Any], side: int) -> list[NDArray[np.uint8]]:
    """Non-overlapping luma patches (side, side) from the top left; those with more than 1 % black are left out.

    Black are the borders of mosaics and frames, which would be similar to each other for no reason of texture.
    """
    plane = luma(pixels)
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    cut = (plane[y * side : (y + 1) * side, x * side : (x + 1) * side] for y in range(rows) for x in range(columns))
    return [patch for patch in cut if (patch <= _BLACK).mean() <= _MOST_BLACK]


def similarity(images: Sequence[NDArray[Any]], side: int, pairs: int, *, inter: bool) -> Similarity:
    """Compare pairs of patches drawn at random (fixed seed), at most as many as there are.

    Parameters
    ----------
    images : sequence of ndarray of uint8, (H, W) or (H, W, 3)
    side : int
    pairs : int
        How many pairs are drawn; every pair once where there are fewer.
    inter : bool
        Pairs of different images, or of one image.
    """
    sets = [found for pixels in images if len(found := patches_of(pixels, side)) > (0 if inter else 1)]
    drawn = _draw(sets, pairs, inter=inter)
    rows = [_compare(sets[a][i], sets[b][j]) for a, i, b, j in drawn]
    table = np.array(rows, dtype=np.float64).reshape(-1, len(MEASURES))
    return Similarity({name: table[:, n] for n, name in enumerate(MEASURES)}, len(sets))


def _draw(sets: Sequence[Sequence[Any]], pairs: int, *, inter: bool) -> list[tuple[int, int, int, int]]:
    """Pairs (image, patch, image, patch), images weighted equally, none twice."""
    sizes = [len(s) for s in sets]
    total = sum(sizes)
    within = sum(n * (n - 1) // 2 for n in sizes)
    possible = total * (total - 1) // 2 - within if inter else within
    if possible <= pairs:
        return [
            (a, i, b, j)
            for a in range(len(sets))
            for b in range(a, len(sets))
            if (a != b) == inter
            for i in range(sizes[a])
            for j in range(i + 1 if a == b else 0, sizes[b])
        ]
    random = np.random.default_rng(SEED)
    found: dict[tuple[int, int, int, int], None] = {}
    for _ in range(50 * pairs):
        if len(found) == pairs:
            break
        a = int(random.integers(len(sets)))
        b = int(random.integers(len(sets))) if inter else a
        i, j = int(random.integers(sizes[a])), int(random.integers(sizes[b]))
        if (a != b) == inter and (a, i) != (b, j):
            first, second = sorted([(a, i), (b, j)])
            found[(*first, *second)] = None
    return list(found)


def _compare(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> tuple[float, float, float, float]:
    a, b = (p.astype(np.float64).ravel() for p in (first, second))
    difference = a - b
    mae, rmse = float(np.abs(difference).mean()), float(np.sqrt((difference**2).mean()))
    return _cosine(a - a.mean(), b - b.mean()), _cosine(a, b), mae, rmse


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float("nan") if length < 1e-9 else float(a @ b) / length
