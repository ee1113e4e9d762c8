"""What is known of every tile, as lines of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marsqe.judgement.residual import tile_sums
from marsqe.results import TILE, Judgement, Matches
from marsqe.terrain import CLASSES


@dataclass(frozen=True)
class TileFacts:
    """One tile of ``TILE`` x ``TILE`` pixels; at the border what there is of it.

    Attributes
    ----------
    row, column : int
        Place among the tiles, from 0.
    terrain : str
        Class; empty where it is unknown.
    delta_psnr : float
        ΔPSNR in dB; NaN without a truth and where the compressed tile equals it.
    residual_compressed, residual_enhanced : float
        Mean residual-to-raw in DN; NaN without a truth.
    divergence : float
        KL divergence of Eq. 1 from the matched reference; NaN where the tile was not matched.
    reference : int or None
        The matched reference within its class, from 0; None where the tile was not matched.
    change : float
        Mean absolute difference of enhanced and compressed in DN; NaN where nothing was judged.
    """

    row: int
    column: int
    terrain: str
    delta_psnr: float
    residual_compressed: float
    residual_enhanced: float
    divergence: float
    reference: int | None
    change: float


def tile_facts(judgement: Judgement | None, matches: Matches | None) -> list[TileFacts]:
    """Facts of every tile, row by row, from whichever of a judgement and matches is there; empty without both."""
    return list(_facts(judgement, matches))


def tile_means(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of a (H, W) map over every tile: (rows, columns); tiles at the border count their own pixels only."""
    counted = values.astype(np.float64)
    return tile_sums(counted, TILE) / tile_sums(np.ones_like(counted), TILE)


def _facts(judgement: Judgement | None, matches: Matches | None) -> Iterator[TileFacts]:
    maps: list[NDArray[np.float32] | None] = [None] * 3
    gains: NDArray[np.float32] | None = None
    if judgement is not None:
        maps = [judgement.residual_compressed, judgement.residual_enhanced, judgement.change]
        gains = judgement.delta_psnr
    means = [None if values is None else tile_means(values) for values in maps]
    if matches is not None:
        shape = matches.shape
    elif means[2] is not None:
        shape = means[2].shape[0], means[2].shape[1]
    else:
        return
    for place in np.ndindex(*shape):
        before, after, change = (_at(values, place) for values in means)
        yield TileFacts(
            row=place[0],
            column=place[1],
            terrain=CLASSES[int(matches.classes[place]) - 1] if matches is not None else "",
            delta_psnr=_at(gains, place),
            residual_compressed=before,
            residual_enhanced=after,
            divergence=_at(matches.divergences, place) if matches is not None else float("nan"),
            reference=int(matches.references[place]) if matches is not None else None,
            change=change,
        )


def _at(values: NDArray[np.float32] | NDArray[np.float64] | None, place: tuple[int, ...]) -> float:
    return float("nan") if values is None else float(values[place])
