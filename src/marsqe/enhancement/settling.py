"""Settling: change rounded pixels by as little as needed until they compress to the very file that was received.

The faithful projection holds real numbers inside their cells. Rounding to 8 bits, the encoder's whole-number colours
and clipping at black and white push some coefficients over the border again. Here the encoder is followed step by step
(libjpeg's conversion of colours, its means of chroma, an 8x8 DCT), the coefficients that fell out are pushed back, and
the pixels are rounded anew. Units that do not settle take the received pixels where those come back better, unless
steps are so small that this would give up much for little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from marsqe.codecs.coefficients import Coefficients
from marsqe.codecs.intervals import rows_below

ROUNDS: Final = 12
"""How often at most a unit is pushed and rounded again. Measured: later rounds mend next to nothing."""
FEW_ROUNDS: Final = 8
"""The same where a step is 1 DN, which rounding alone can leave: there trying on costs fidelity."""
_BAND: Final = 32
"""Rows of units (of 8 or 16 pixels) that are in memory at once."""
_SLACK: Final = 0.08
"""DN of a coefficient by which the encoder's whole-number DCT may differ from the exact one."""
_INSIDE: Final = 0.45
"""DN inside the border of its interval to which a coefficient is pushed: about one deviation of the rounding."""
_LEAST_INSIDE: Final = 0.35
"""Least half-width in steps of the interval that coefficients are pushed into, which counts where steps are 1 or 2 DN.
Measured on validation crops at quality 95: 0.3 costs three times the fidelity and returns fewer blocks; at 0.4 blocks
are lost again."""
_WRITABLE: Final = ((1, 1), (2, 1), (2, 2))

# libjpeg's colour conversion, in units of 1/65536; all sums are whole numbers below 2^24, which float32 holds exactly.
_RGB_TO_YCC: Final = np.array([[19595, 38470, 7471], [-11059, -21709, 32768], [32768, -27439, -5329]], np.float32)
_OFFSETS: Final = np.array([32768, (128 << 16) + 32767, (128 << 16) + 32767], np.float32)
# How a step of Cb and of Cr moves R, G and B.
_OF_CHROMA: Final = np.array([[0.0, -0.344136, 1.772], [1.402, -0.714136, 0.0]], np.float32)

_DCT: Final = np.kron(*[dct(np.eye(8, dtype=np.float32), axis=0, norm="ortho")] * 2).T.copy()
"""The 8x8 DCT of a block as one matrix: 64 samples, row by row, times this are its 64 coefficients."""

Units = NDArray[np.float32]
"""Pixels by unit, (n, h, w) gray or (n, h, w, 3): the smallest part of an image that JPEG codes by itself."""


@dataclass(frozen=True)
class _Received:
    """Of n units: coefficients per component (n, blocks, 64), tables (64,), which blocks the file holds, sizes (n, 2)
    of what each unit holds of the image.
    """

    components: list[NDArray[np.float32]]
    tables: list[NDArray[np.float32]]
    held: list[NDArray[np.bool_]]
    sizes: NDArray[np.int64]

    def part(self, chosen: NDArray[Any]) -> _Received:
        components, held = ([part[chosen] for part in parts] for parts in (self.components, self.held))
        return _Received(components, self.tables, held, self.sizes[chosen])


def settle(
    values: NDArray[np.floating[Any]],
    decoded: NDArray[np.uint8],
    coefficients: Coefficients,
    subsampling: tuple[int, int] = (1, 1),
) -> NDArray[np.uint8]:
    """Round pixels so that as many blocks as can be come back identical when compressed again.

    Deterministic; needs no encoder. Where the chroma subsampling cannot be written again by the usual library (4:4:0,
    4:1:1), pixels are only rounded.

    Parameters
    ----------
    values : ndarray of float, shape (H, W) or (H, W, 3)
        Projected pixels in DN, 0-255, in the stored frame of the file; see :func:`marsqe.enhancement.faithful.project`.
    decoded : ndarray of uint8, same shape
        The received pixels.
    coefficients : Coefficients
        What the file holds.
    subsampling : (int, int)
        Horizontal and vertical chroma subsampling of the file.

    Returns
    -------
    ndarray of uint8, same shape
    """
    out = _rounded(values).astype(np.uint8)
    across, down = subsampling if values.ndim == 3 else (1, 1)
    if (across, down) not in _WRITABLE:
        return out
    height = _BAND * 8 * down
    for top in range(0, out.shape[0], height):
        rows = slice(top, top + height)
        _settle_band(out[rows], values[rows], decoded[rows], _band(coefficients, top, height, down), (across, down))
    return out


def _band(coefficients: Coefficients, top: int, height: int, down: int) -> Coefficients:
    """The coefficients below rows of pixels."""
    spans = [(top // 8, (top + height) // 8)] + [(top // (8 * down), (top + height) // (8 * down))] * 2
    parts = zip(coefficients.components, spans, strict=False)
    return Coefficients(tuple(part[first:last] for part, (first, last) in parts), coefficients.tables)


def _settle_band(
    out: NDArray[np.uint8],
    values: NDArray[np.floating[Any]],
    decoded: NDArray[np.uint8],
    coefficients: Coefficients,
    subsampling: tuple[int, int],
) -> None:
    """Settle a band of whole units in place."""
    side = (8 * subsampling[1], 8 * subsampling[0])
    grid = (-(-out.shape[0] // side[0]), -(-out.shape[1] // side[1]))
    received = _by_unit(coefficients, grid, subsampling, _sizes(out.shape[:2], side))
    start = _cut(out.astype(np.float32), side)
    bad = _failing(start, received, subsampling)
    chosen = np.flatnonzero(bad)
    if not chosen.size:
        return
    received = received.part(chosen)
    target, own = (_cut(part.astype(np.float32), side)[chosen] for part in (values, decoded))
    best = _mended(target, own, start[chosen], received, subsampling)
    for unit, (height, width), pixels in zip(chosen, received.sizes, best, strict=True):
        y, x = side[0] * (unit // grid[1]), side[1] * (unit % grid[1])
        out[y : y + height, x : x + width] = pixels[:height, :width]


def _mended(target: Units, own: Units, start: Units, received: _Received, subsampling: tuple[int, int]) -> Units:
    """The best rounding found of each unit: the fewest blocks that do not come back, the earliest of equals."""
    best, least = start.copy(), _failing(start, received, subsampling)
    left = np.arange(len(target))
    fine = min(float(table.min()) for table in received.tables) < 2
    for _ in range(FEW_ROUNDS if fine else ROUNDS):
        left = left[least[left] > 0]
        if not left.size:
            return best
        part = received.part(left)
        pixels = _extended(_rounded(target[left]), part.sizes)
        bad = _failing(pixels, part, subsampling)
        better = bad < least[left]
        best[left[better]], least[left[better]] = pixels[better], bad[better]
        target[left] += _push(pixels, part, subsampling)
    if not fine:
        # Of decoded pixels it is known that nearly all come back, so doubt counts for less.
        better = _failing(own, received, subsampling, _SLACK / 4) < least
        best[better] = own[better]
    return best


def _rounded(values: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    rounded: NDArray[np.floating[Any]] = np.rint(np.clip(values, 0, 255))
    return rounded


def _cut(pixels: NDArray[np.float32], side: tuple[int, int]) -> Units:
    """Cut into units; at the edges of the image the last pixels are repeated."""
    height, width = pixels.shape[:2]
    edges = ((0, -height % side[0]), (0, -width % side[1]), (0, 0))[: pixels.ndim]
    padded = np.pad(pixels, edges, mode="edge")
    rows, columns = padded.shape[0] // side[0], padded.shape[1] // side[1]
    split = padded.reshape(rows, side[0], columns, side[1], *pixels.shape[2:]).swapaxes(1, 2)
    return split.reshape(rows * columns, *side, *pixels.shape[2:])


def _sizes(shape: tuple[int, ...], side: tuple[int, int]) -> NDArray[np.int64]:
    """Height and width of what each unit holds of the image."""
    heights, widths = (np.minimum(s, n - np.arange(0, n, s)) for n, s in zip(shape, side, strict=True))
    return np.stack(np.meshgrid(heights, widths, indexing="ij"), axis=-1).reshape(-1, 2)


def _extended(units: Units, sizes: NDArray[np.int64]) -> Units:
    """Repeat the last pixels of the image in units that reach over its edge."""
    for unit in np.flatnonzero((sizes < units.shape[1:3]).any(axis=1)):
        height, width = sizes[unit]
        units[unit, height:] = units[unit, height - 1]
        units[unit, :, width:] = units[unit, :, width - 1 : width]
    return units


def _folded(pushed: NDArray[np.float32], sizes: NDArray[np.int64], axis: int) -> NDArray[np.float32]:
    """Give the last row (axis 1) or column (2) that the image has the mean of what its repetitions should move by."""
    lines = pushed.swapaxes(1, axis)
    for unit in np.flatnonzero(sizes < lines.shape[1]):
        last = sizes[unit] - 1
        lines[unit, last:] = lines[unit, last:].mean(axis=0)
    return pushed


def _by_unit(
    coefficients: Coefficients, grid: tuple[int, int], subsampling: tuple[int, int], sizes: NDArray[np.int64]
) -> _Received:
    across, down = subsampling
    components, held = [], []
    for index, part in enumerate(coefficients.components):
        v, h = (down, across) if index == 0 else (1, 1)
        rows, columns = min(part.shape[0], grid[0] * v), min(part.shape[1], grid[1] * h)
        full = np.zeros((grid[0] * v, grid[1] * h, 64), np.float32)
        full[:rows, :columns] = part[:rows, :columns].reshape(rows, columns, 64)
        there = np.zeros(full.shape[:2], np.bool_)
        there[:rows, :columns] = True
        components.append(_grouped(full, grid, (v, h)))
        held.append(_grouped(there, grid, (v, h)))
    return _Received(components, [table.astype(np.float32).ravel() for table in coefficients.tables], held, sizes)


def _grouped(blocks: NDArray[Any], grid: tuple[int, int], factors: tuple[int, int]) -> NDArray[Any]:
    rest = blocks.shape[2:]
    split = blocks.reshape(grid[0], factors[0], grid[1], factors[1], *rest).swapaxes(1, 2)
    return split.reshape(grid[0] * grid[1], factors[0] * factors[1], *rest)


def encoder_blocks(
    units: Units, subsampling: tuple[int, int], heights: NDArray[np.int64]
) -> Iterator[NDArray[np.float32]]:
    """Blocks (n, blocks, 64) of each component as libjpeg makes them before its DCT, centred on zero.

    ``heights`` (n,) are the rows of each unit that the image has; below, as to the right, its last pixels are repeated.
    """
    middle = np.float32(128)
    if units.ndim == 3:
        yield units.reshape(-1, 1, 64) - middle
        return
    across, down = subsampling
    for index, (weights, offset) in enumerate(zip(_RGB_TO_YCC, _OFFSETS, strict=True)):
        total = units[..., 0] * weights[0] + units[..., 1] * weights[1] + units[..., 2] * weights[2]
        plane = np.floor((total + offset) * np.float32(2**-16))
        if index == 0:
            yield plane.reshape(-1, down, 8, across, 8).swapaxes(2, 3).reshape(-1, down * across, 64) - middle
        else:
            below = rows_below(_rows(heights, down), 8)
            yield np.take_along_axis(_means(plane, across, down), below[..., None], 1).reshape(-1, 1, 64) - middle


def _rows(heights: NDArray[np.int64], down: int) -> NDArray[np.int64]:
    """Rows of chroma samples of units that hold so many rows of the image."""
    return -(-heights // down)


def _means(plane: NDArray[np.float32], across: int, down: int) -> NDArray[np.float32]:
    """Chroma as libjpeg takes its means: halves are rounded down and up in turn."""
    count = across * down
    if count == 1:
        return plane
    total = plane.reshape(-1, 8, down, 8, across).sum(axis=(2, 4))
    bias = np.arange(8, dtype=np.float32) % 2 + (1 if count == 4 else 0)
    means: NDArray[np.float32] = np.floor((total + bias) / np.float32(count))
    return means


def _deviations(
    units: Units, received: _Received, subsampling: tuple[int, int], slack: float = _SLACK
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]]:
    """Of each component: how far coefficients are from the received ones in steps, the table, what falls out."""
    blocks = encoder_blocks(units, subsampling, received.sizes[:, 0])
    for part, held, table, block in zip(received.components, received.held, received.tables, blocks, strict=True):
        steps = (block @ _DCT) / table - part
        yield steps, table, (np.abs(steps) > 0.5 - slack / table) & held[..., None]


def _failing(
    units: Units, received: _Received, subsampling: tuple[int, int], slack: float = _SLACK
) -> NDArray[np.int64]:
    """How many blocks of each unit do not come back, or might not."""
    count = np.zeros(len(units), np.int64)
    for _, _, out in _deviations(units, received, subsampling, slack):
        count += out.any(axis=2).sum(axis=1)
    return count


def _push(units: Units, received: _Received, subsampling: tuple[int, int]) -> Units:
    """What to add so that the coefficients that fell out lie inside their intervals again."""
    heights, widths = received.sizes.T
    moves = []
    for steps, table, out in _deviations(units, received, subsampling):
        limit = np.maximum(0.5 - _INSIDE / table, _LEAST_INSIDE)
        wanted = np.where(out, np.clip(steps, -limit, limit) - steps, 0) * table
        moves.append((wanted @ _DCT.T).reshape(len(units), -1, 8, 8))
    if units.ndim == 3:
        return _folded(_folded(moves[0][:, 0], heights, 1), widths, 2)
    across, down = subsampling
    luma = moves[0].reshape(-1, down, across, 8, 8).swapaxes(2, 3).reshape(-1, 8 * down, 8 * across)
    pushed: Units = np.repeat(_folded(luma, heights, 1)[..., None], 3, axis=-1)
    for move, colour in zip(moves[1:], _OF_CHROMA, strict=True):
        chroma = _folded(move[:, 0], _rows(heights, down), 1)
        pushed += chroma.repeat(down, axis=1).repeat(across, axis=2)[..., None] * colour
    return _folded(pushed, widths, 2)
