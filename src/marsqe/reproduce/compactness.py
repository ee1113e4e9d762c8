"""Findings 2 and 3: how compact textures are (Fig. 4), and how the terrain classes differ (Fig. 5b)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.colour import luma
from marsqe.matching.lbp import lbp_histograms
from marsqe.matching.smm import tile_classes
from marsqe.results import TILE
from marsqe.terrain import CLASSES, Terrain

Floats = NDArray[np.float64]

SEED: Final = 1
_MOST_PAIRS: Final = 200_000


@dataclass(frozen=True)
class Compactness:
    """Textures of both planets in the plane of their two principal components.

    Attributes
    ----------
    mars, earth : ndarray, shape (n, 2)
        PC-1 and PC-2, scaled so that Earth's values span -1 to 1. As many patches of each.
    explained : tuple of float
        Share of the variance that each component explains.
    range_ratio, central_ratio : tuple of float
        Mars' range over Earth's along each component: of all patches, and of the central 90 %.
    """

    mars: Floats
    earth: Floats
    explained: tuple[float, float]
    range_ratio: tuple[float, float]
    central_ratio: tuple[float, float]


def histograms(pixels: NDArray[Any]) -> Floats:
    """LBP histograms (n, 59) of the whole tiles of 128 of an image, row by row; no tile is padded."""
    plane = luma(pixels)
    rows, columns = plane.shape[0] // TILE, plane.shape[1] // TILE
    if not rows * columns:
        return np.empty((0, 59))
    return lbp_histograms(plane[: rows * TILE, : columns * TILE]).reshape(rows * columns, -1)


def compactness(mars: Floats, earth: Floats) -> Compactness | None:
    """Project LBP histograms of both on the two principal components of all of them.

    The larger set is thinned at random (fixed seed) to the size of the smaller: a range grows with the number of
    patches. None where either has fewer than three.
    """
    n = min(len(mars), len(earth))
    if n < 3:
        return None
    random = np.random.default_rng(SEED)
    mars, earth = (x[np.sort(random.permutation(len(x))[:n])] for x in (mars, earth))
    both = np.concatenate([mars, earth])
    centre = both.mean(axis=0)
    _, strengths, directions = np.linalg.svd(both - centre, full_matrices=False)
    share = strengths**2 / max(float((strengths**2).sum()), 1e-30)
    planes = [(x - centre) @ directions[:2].T for x in (mars, earth)]
    low, high = planes[1].min(axis=0), planes[1].max(axis=0)
    scaled_mars, scaled_earth = ((p - (low + high) / 2) / np.maximum((high - low) / 2, 1e-30) for p in planes)

    def ratio(least: float, most: float) -> tuple[float, float]:
        spans = [np.subtract(*np.percentile(p, [most, least], axis=0)) for p in (scaled_mars, scaled_earth)]
        values = spans[0] / np.maximum(spans[1], 1e-30)
        return float(values[0]), float(values[1])

    explained = (float(share[0]), float(share[1]))
    return Compactness(scaled_mars, scaled_earth, explained, ratio(0, 100), ratio(5, 95))


def js_divergence(x: Floats, y: Floats) -> Floats:
    """Jensen-Shannon divergence in nats over the last axis (0 to ln 2); broadcasts. Probabilities may be zero."""
    middle = (x + y) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(p > 0, p * np.log(p / middle), 0.0).sum(axis=-1) for p in (x, y)]
    result: Floats = (parts[0] + parts[1]) / 2
    return result


def class_histograms(pixels: NDArray[Any], terrain: Terrain) -> dict[str, Floats]:
    """LBP histograms of the whole tiles of an image by the class of most of their labelled pixels."""
    found = histograms(pixels)
    rows, columns = (n // TILE for n in pixels.shape[:2])
    if not rows * columns:
        return {}
    labels = tile_classes(Terrain(np.ascontiguousarray(terrain.labels[: rows * TILE, : columns * TILE]))).ravel()
    return {name: found[labels == n] for n, name in enumerate(CLASSES, start=1) if (labels == n).any()}


def class_divergences(by_class: Mapping[str, Sequence[Floats]]) -> dict[tuple[str, str], tuple[float, int]]:
    """Mean JS divergence between patches of two classes, or of one class, and the number of pairs.

    Parameters
    ----------
    by_class : mapping
        Arrays (n, 59) of each image, by class. At most 200 000 pairs of each two classes are drawn (fixed seed).

    Returns
    -------
    dict
        (class, class), the first not after the second in the order of the classes -> (mean in nats, pairs).
    """
    stacked = {name: np.concatenate(list(by_class[name])) for name in CLASSES if by_class.get(name)}
    names = list(stacked)
    result = {}
    for a, first in enumerate(names):
        for second in names[a:]:
            i, j = _pairs(len(stacked[first]), len(stacked[second]), same=first == second)
            if len(i):
                parts = np.array_split(np.arange(len(i)), -(-len(i) // 20_000))
                values = [js_divergence(stacked[first][i[p]], stacked[second][j[p]]) for p in parts]
                result[first, second] = float(np.concatenate(values).mean()), len(i)
    return result


def _pairs(first: int, second: int, *, same: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if first * second > 2 * _MOST_PAIRS:
        random = np.random.default_rng(SEED)
        i, j = random.integers(first, size=_MOST_PAIRS), random.integers(second, size=_MOST_PAIRS)
    else:
        i, j = (g.ravel() for g in np.meshgrid(np.arange(first), np.arange(second), indexing="ij"))
        if same:
            return i[i < j], j[i < j]
    keep = i != j if same else np.ones(len(i), bool)
    return i[keep], j[keep]
