"""Quantization tables and block grid of a JPEG that is only known by its decoded pixels.

A decoded JPEG's DCT coefficients lie, up to the rounding of its pixels, on multiples of the quantization steps, and so
on no grid but its own. What is found is an estimate: it says how well the pixels agree with a standard table, not that
there was a JPEG. The idea is that of Fan and de Queiroz (2003).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.chroma_grid import chroma_grid
from marsqe.codecs.jpeg import Table, standard_tables
from marsqe.codecs.likelihood import coefficients_on, not_clipped, support
from marsqe.colour import LUMA_WEIGHTS

LEAST_SUPPORT: Final = 1.0
"""Mean log-likelihood ratio of a block, in nats, from which an estimate is given at all."""
LEAST_LEAD: Final = 20.0
"""How much better, in nats, the same table must agree on its grid than on others where that support is not reached:
flat images, or such that were changed a little since, agree with no table in all blocks, and yet with one grid only."""
_LEAST_BLOCKS: Final = 16
_WINDOW: Final = 640
_FLAT: Final = 2.0
"""Deviation in DN of 16 x 16 pixels below which they tell little."""
_NEARLY_ZERO: Final = 0.6
_CANDIDATES: Final = 4
_FEW: Final = 64
_CANDIDATE_QUALITIES: Final = 12
_PRIOR: Final = 20.0


@dataclass(frozen=True)
class Estimate:
    """What decoded pixels tell of the JPEG that they came from.

    Attributes
    ----------
    quality : int
        Quality factor whose standard tables fit best.
    tables : tuple of (8, 8) ndarray
        These tables.
    offset : (int, int)
        Row and column, 0-15, of the first pixel of a whole coded unit: blocks of 8, or of 16 where chroma is halved.
    subsampling : (int, int) or None
        Of chroma, (1, 1) or (2, 2); None for gray.
    support : float
        Mean log-likelihood ratio of a luma block against pixels that were never quantized, in nats. Negative where they
        fit badly, and yet far better than on any other grid.
    """

    quality: int
    tables: tuple[Table, ...]
    offset: tuple[int, int]
    subsampling: tuple[int, int] | None
    support: float


def estimate_tables(pixels: NDArray[np.uint8], prior: int | None = None) -> Estimate | None:
    """Estimate tables, grid and chroma subsampling of decoded pixels.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        As stored, neither scaled nor turned since the JPEG was decoded.
    prior : int, optional
        Quality that a product's name tells; it wins where the pixels leave it open.

    Returns
    -------
    Estimate or None
        None where no standard table explains the pixels, or they are too few or too flat.
    """
    if min(pixels.shape[:2]) < 40:
        return None
    part = _most_varied(pixels)
    values = part.astype(np.float64)
    level = values if part.ndim == 2 else values @ LUMA_WEIGHTS
    usable = not_clipped(part)
    likely = {offset: coefficients_on(level, usable, offset) for offset in _likely_offsets(level, usable)}
    grids = {offset: found for offset, found in likely.items() if len(found) >= _LEAST_BLOCKS}
    if not grids:
        return None
    _, quality, offset = max(
        (_score(found, q, prior), q, o) for o, found in grids.items() for q in _likely_qualities(found, prior)
    )
    agreement = _score(grids[offset], quality, None)  # a name decides between tables, and makes none
    if agreement < LEAST_SUPPORT and prior is not None:
        quality, agreement = prior, _score(grids[offset], prior, None)
    # The finest tables agree with anything a little, but no better on one grid than on another.
    elsewhere = max((_score(found, quality, None) for o, found in grids.items() if o != offset), default=agreement)
    if agreement < LEAST_SUPPORT and agreement - elsewhere < LEAST_LEAD:
        return None
    tables = all_tables(quality, colour=part.ndim == 3)
    if part.ndim == 2:
        return Estimate(quality, tables, offset, None, agreement)
    whole, subsampling = chroma_grid(values, usable, offset, tables[1])
    return Estimate(quality, tables, whole, subsampling, agreement)


def all_tables(quality: int, *, colour: bool) -> tuple[Table, ...]:
    """Standard tables of each component: luma, or luma, Cb and Cr."""
    luma, chroma = standard_tables(quality)
    return (luma, chroma, chroma) if colour else (luma,)


def _most_varied(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The window in which most of the ground is not flat, as sky and shadow are; it begins at multiples of 16."""
    level = pixels if pixels.ndim == 2 else pixels[..., 1]
    rows, columns = (n // 16 for n in level.shape)
    varied = level[: 16 * rows, : 16 * columns].reshape(rows, 16, columns, 16).std(axis=(1, 3)) > _FLAT
    side = _WINDOW // 16
    starts = [(y, x) for y in range(0, max(1, rows - side + 1), 8) for x in range(0, max(1, columns - side + 1), 8)]
    y, x = max(starts, key=lambda s: np.count_nonzero(varied[s[0] : s[0] + side, s[1] : s[1] + side]))
    return pixels[16 * y : 16 * y + _WINDOW, 16 * x : 16 * x + _WINDOW]


def _likely_offsets(level: NDArray[np.float64], usable: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The grids on which most coefficients are nearly zero: quantization leaves few others."""
    shares = {}
    for offset in np.ndindex(8, 8):
        found = coefficients_on(level, usable, offset)
        shares[offset] = float((np.abs(found[:, 1:]) < _NEARLY_ZERO).mean()) if len(found) >= _LEAST_BLOCKS else 0.0
    return sorted(shares, key=lambda o: -shares[o])[:_CANDIDATES]


def _likely_qualities(coefficients: NDArray[np.float64], prior: int | None) -> list[int]:
    """Those that a part of the blocks agrees with best, and the one that a name tells."""
    few = coefficients[:: max(1, len(coefficients) // _FEW)]
    likely = sorted(range(1, 101), key=lambda q: -_score(few, q, None))[:_CANDIDATE_QUALITIES]
    return likely if prior is None or prior in likely else [*likely, prior]


def _score(coefficients: NDArray[np.float64], quality: int, prior: int | None) -> float:
    ratio = support(coefficients, standard_tables(quality)[0])
    return ratio + (_PRIOR / max(1, len(coefficients)) if quality == prior else 0.0)
