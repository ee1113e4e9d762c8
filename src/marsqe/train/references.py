"""References for training: each patch gets the one that the product would match to it (SMM, Eq. 1).

Training crops carry no terrain labels. A patch takes the reference that lies nearest in the whole dictionary, as a tile
without a labelled pixel does in the product, and that reference's class stands for its terrain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import nn

from marsqe.colour import as_rgb, luma
from marsqe.enhancement.matched import run_with_references
from marsqe.enhancement.networks import Job
from marsqe.image import Compression, MarsImage
from marsqe.matching import load_dictionary, match
from marsqe.matching.dictionary import LADDER, Dictionary, twin
from marsqe.matching.lbp import lbp_histograms
from marsqe.matching.smm import match_eq1
from marsqe.networks.marsqe import MarsQE, MarsQELite
from marsqe.networks.swift_ref import MarsQESwiftRef
from marsqe.progress import run
from marsqe.results import TILE
from marsqe.terrain import Terrain

_KEPT: Final = 4096
"""Compressions whose histograms are kept, about 11 kB each."""


def uses_references(network: nn.Module) -> bool:
    """Whether a network takes a reference for every tile."""
    return isinstance(network, (MarsQELite, MarsQE, MarsQESwiftRef))


@dataclass(frozen=True)
class Matched:
    """References of a patch's n tiles, row by row.

    Attributes
    ----------
    raw, twins : ndarray of uint8, shape (n, 128, 128, 3)
        The references and their compressed twins.
    labels : ndarray of uint8, shape (S, S)
        Terrain of the patch, 1-4: of each tile the class of its reference.
    """

    raw: NDArray[np.uint8]
    twins: NDArray[np.uint8]
    labels: NDArray[np.uint8]


class Matcher:
    """Matches training patches; the twins' histograms are kept by compression, the twins themselves made anew."""

    def __init__(self, dictionary: Dictionary | None = None) -> None:
        self.dictionary = dictionary or load_dictionary()
        self.places = [(label, i) for label, p in sorted(self.dictionary.patches.items()) for i in range(len(p))]
        self._kept: dict[Any, NDArray[np.float64]] = {}

    def match(self, patch: NDArray[np.uint8], compression: Compression, *, colour: bool) -> Matched:
        """Match a compressed patch (S, S, 3), S a multiple of 128.

        Where the tables are unknown the twins have the quality factor that brings them nearest, as in the product.
        """
        tiles = lbp_histograms(luma(patch))
        candidates = [compression] if compression.tables is not None else _guesses()
        found = [match_eq1(tiles, self.histograms(c, colour=colour)) for c in candidates]
        best = int(np.argmin([divergences.min(axis=-1).mean() for _, divergences in found]))
        chosen = found[best][0]
        places = [self.places[int(i)] for i in chosen.ravel()]
        raw = [self.dictionary.reference(*place) for place in places]
        raw = raw if colour else [luma(p) for p in raw]
        twins = [as_rgb(twin(p, candidates[best])) for p in raw]
        classes = np.array([label for label, _ in places], np.uint8).reshape(chosen.shape)
        return Matched(np.stack([as_rgb(p) for p in raw]), np.stack(twins), _spread(classes))

    def histograms(self, compression: Compression, *, colour: bool) -> NDArray[np.float64]:
        """LBP histograms (N, 59) of the twins of the whole dictionary, class by class."""
        tables = None if compression.tables is None else tuple(t.tobytes() for t in compression.tables)
        key = (tables, compression.quality, compression.subsampling, colour)
        found = self._kept.get(key)
        if found is None:
            labels = sorted(self.dictionary.patches)
            found = np.concatenate([self.dictionary.histograms(k, compression, colour=colour) for k in labels])
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = found
        return found


@lru_cache(maxsize=1)
def _guesses() -> list[Compression]:
    return [Compression(quality=quality) for quality in (None, *LADDER)]


def _spread(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return classes.repeat(TILE, axis=0).repeat(TILE, axis=1)


def run_matched(
    network: nn.Module, pixels: NDArray[np.uint8], condition: NDArray[np.float32], compression: Compression
) -> NDArray[np.float64]:
    """Enhance a whole image (H, W[, 3]) uint8, references matched as in training; DN, neither rounded nor clipped."""
    image, dictionary = MarsImage.from_array(pixels, compression=compression), load_dictionary()
    matches = match(image, Terrain(np.zeros(image.shape, np.uint8)), dictionary)
    height, width = image.shape
    labels = _spread(matches.classes)[:height, :width] if isinstance(network, MarsQE) else None
    job = Job(as_rgb(pixels).astype(np.float32) / np.float32(255), condition, None, next(network.parameters()).device)
    steps = run_with_references(network, job, matches, dictionary, compression, labels, colour=image.is_colour)
    values = run(steps).astype(np.float64) * 255
    result: NDArray[np.float64] = values if image.is_colour else values.mean(axis=2)
    return result
