"""Blocks that reach over the edge of an image: bring their coefficients into the intervals of the file, too.

There the encoder repeats the last pixels, so that a block has more coefficients than free pixels, and moving its
coefficients alone asks for pixels that are no repetitions. Blocks are projected in turn onto the cells and onto what
repetitions can give, until both hold (projection onto convex sets).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn

from marsqe.codecs.coefficients import Coefficients
from marsqe.codecs.intervals import BACKWARD, Plane, coded_plane
from marsqe.colour import RGB_TO_YCC

ROUNDS: Final = 400
"""How often at most; most edges need less than twenty."""
_INSIDE: Final = 0.499
_CELL: Final = 0.45

Span = tuple[slice, slice]


def hold_edges(pixels: Plane, coefficients: Coefficients, subsampling: tuple[int, int]) -> Plane:
    """Move the pixels below and right of the last whole block until their coefficients lie in their intervals.

    Parameters
    ----------
    pixels : ndarray of float64, shape (H, W) or (H, W, 3)
        In DN, in the stored frame of the file. Whole blocks are left as they are.
    coefficients : Coefficients
        What the file holds.
    subsampling : (int, int)
        Horizontal and vertical chroma subsampling of the file.

    Returns
    -------
    ndarray of float64, same shape
    """
    out = pixels.copy()
    ratios = subsampling if pixels.ndim == 3 else (1, 1)
    unit = (8 * ratios[1], 8 * ratios[0])
    for span in _spans(out.shape[:2], unit):
        part = out[span]
        gray = part.ndim == 2
        planes = [part] if gray else list(np.moveaxis(part @ RGB_TO_YCC.T, -1, 0))
        planes[0] = planes[0] - 128.0
        for index, plane in enumerate(planes):
            own = (1, 1) if index == 0 else ratios
            received = _part_of(coefficients.components[index], span, own)
            planes[index] = _held(plane, unit, received, coefficients.tables[index], own)
        planes[0] = planes[0] + 128.0
        out[span] = planes[0] if gray else np.stack(planes, axis=-1) @ BACKWARD.T
    return out


def _spans(shape: tuple[int, ...], unit: tuple[int, int]) -> Iterator[Span]:
    """What lies below the last whole unit, without the corner; right of it; and the corner."""
    height, width = shape
    y, x = height // unit[0] * unit[0], width // unit[1] * unit[1]
    below, right = slice(y, height), slice(x, width)
    for rows, columns in ((below, slice(0, x)), (slice(0, y), right), (below, right)):
        if rows.start < rows.stop and columns.start < columns.stop:
            yield rows, columns


def _part_of(component: NDArray[np.int16], span: Span, ratios: tuple[int, int]) -> NDArray[np.int16]:
    (rows, columns), (across, down) = span, ratios
    bottom, right = -(-rows.stop // (8 * down)), -(-columns.stop // (8 * across))
    return component[rows.start // (8 * down) : bottom, columns.start // (8 * across) : right]


def _held(
    plane: Plane, unit: tuple[int, int], received: NDArray[np.int16], table: NDArray[np.int64], ratios: tuple[int, int]
) -> Plane:
    """One component of a span, at the image's resolution before and after."""
    height, width = min(plane.shape[0], unit[0]), min(plane.shape[1], unit[1])
    # Repeating pixels and taking means is linear, and apart along rows and columns.
    down = coded_plane(np.eye(height), (1, ratios[1]))[:, :height]
    across = coded_plane(np.eye(width), (ratios[0], 1))[:width]
    back = np.linalg.pinv(down), np.linalg.pinv(across)
    grid = plane.shape[0] // height, plane.shape[1] // width
    units = _split(plane, grid)
    middle = _split(received.swapaxes(1, 2).reshape(received.shape[0] * 8, -1), grid)  # laid out as samples are
    steps = np.tile(table, (middle.shape[1] // 8, middle.shape[2] // 8))
    left = np.arange(len(units))
    for _ in range(ROUNDS):
        found = _transform(dctn, down @ units[left] @ across) / steps - middle[left]
        out = np.abs(found).max(axis=(1, 2)) > _INSIDE
        left, found = left[out], found[out]
        if not left.size:
            break
        wanted = _transform(idctn, (np.clip(found, -_CELL, _CELL) - found) * steps)
        units[left] += back[0] @ wanted @ back[1]
    return units.reshape(*grid, height, width).swapaxes(1, 2).reshape(plane.shape)


def _split(plane: NDArray[Any], grid: tuple[int, int]) -> Plane:
    rows, columns = grid
    height, width = plane.shape[0] // rows, plane.shape[1] // columns
    parts = plane.reshape(rows, height, columns, width).swapaxes(1, 2)
    return parts.reshape(rows * columns, height, width).astype(np.float64)


def _transform(function: Any, units: Plane) -> Plane:
    """A transform of the 8x8 blocks of units (n, 8k, 8l)."""
    count, height, width = units.shape
    blocks = units.reshape(count, height // 8, 8, width // 8, 8)
    found: Plane = function(blocks, axes=(2, 4), norm="ortho").reshape(units.shape)
    return found
