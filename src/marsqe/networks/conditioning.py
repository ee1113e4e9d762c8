"""What a network is told about the compression: the file's own quantization tables as a short vector.

This is how one set of weights serves every quality: per level of the network a two-layer perceptron turns
the vector into a scale and a shift of the features (feature-wise linear modulation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

CONDITION_SIZE: Final = 12
"""Length of the vector: 4 luma bands, 4 chroma bands, 2 subsampling ratios, colour, tables known."""

TURNED: Final = (*range(8), 9, 8, 10, 11)
"""Order of the vector's numbers after a quarter turn: of rows and columns only the subsampling ratios tell."""

# Frequencies u + v of an 8x8 block in four bands: DC and its neighbours, low, middle, high.
_ORDER = np.add.outer(np.arange(8), np.arange(8))
_BANDS: Final = tuple((_ORDER >= low) & (_ORDER <= high) for low, high in ((0, 1), (2, 4), (5, 7), (8, 14)))


def _bands(table: NDArray[np.integer]) -> list[float]:
    steps = np.log2(np.maximum(np.asarray(table, dtype=np.float64).reshape(8, 8), 1.0))
    return [float(steps[band].mean()) / 4 - 1 for band in _BANDS]


def condition_vector(
    tables: Sequence[NDArray[np.integer]] | None, subsampling: tuple[int, int] = (1, 1), *, colour: bool = True
) -> NDArray[np.float32]:
    """Describe a compression to the network.

    Parameters
    ----------
    tables : sequence of (8, 8) ndarray or None
        Luma and, for colour, chroma quantization steps; None where they are unknown.
    subsampling : (int, int)
        Chroma subsampling, horizontal and vertical: (2, 2) for 4:2:0, (2, 1) for 4:2:2, (1, 1) for 4:4:4.
    colour : bool
        False for gray images.

    Returns
    -------
    ndarray of float32, shape (12,)
        All zero but the colour flag where the tables are unknown.
    """
    if tables is None:
        return np.array([0.0] * 10 + [float(colour), 0.0], dtype=np.float32)
    luma = _bands(tables[0])
    chroma = _bands(tables[1]) if colour and len(tables) > 1 else luma
    ratios = [float(subsampling[0] - 1), float(subsampling[1] - 1)] if colour else [0.0, 0.0]
    return np.array([*luma, *chroma, *ratios, float(colour), 1.0], dtype=np.float32)
