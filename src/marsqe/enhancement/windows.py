"""Overlapping windows, so that memory is bounded by the window and not by the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from marsqe.results import Region

CORE = 960
"""Side in pixels of a square as large as the part of a window that is kept may be at most.

What is around that part is computed twice, so windows should be large; but from about a megapixel on, each pixel of
marsqe-swift costs more on a processor, whose memory is then fetched anew for every layer.
"""
BAND = 1024
"""Side in pixels of the windows of a mosaic, and the height of the bands in which it is read and written."""
MARGIN = 64
"""Context in pixels around the core. Measured: more changes no pixel of the trained networks by a whole DN."""

GRID = 16
"""Windows start on multiples of it: on the JPEG grid, with subsampled chroma, too."""


@dataclass(frozen=True)
class Window:
    """A core to be computed and the frame around it that is read; both in pixels of the stored image."""

    core: Region
    frame: Region


def windows(
    shape: tuple[int, int], region: Region | None = None, core: int = CORE, margin: int = MARGIN, grid: int = GRID
) -> list[Window]:
    """Windows that cover an image, or a region of it and little more; cores start on multiples of ``grid``.

    All are of about one size, none has more pixels than a square of ``core``, and of all ways to cut them the one that
    reads the fewest pixels is taken. Where the margin is a multiple of ``grid``, frames start on it, too.
    """
    height, width = shape
    region = region or Region(0, 0, width, height)
    top, bottom = region.y // grid * grid, min(height, _up(region.y + region.height, grid))
    left, right = region.x // grid * grid, min(width, _up(region.x + region.width, grid))
    tall, wide = _sides(bottom - top, right - left, core, margin, grid)
    return [
        Window(Region(x, y, x_end - x, y_end - y), _grow(x, y, x_end, y_end, shape, margin))
        for y, y_end in _spans(top, bottom, tall)
        for x, x_end in _spans(left, right, wide)
    ]


def distance(first: Region, place: Region) -> tuple[float, float]:
    """How far a place is from a region that is wanted first: how far apart they lie, then their middles, in pixels.

    What meets the region is nearest, whatever its size.
    """
    gaps = (max(0, place.x - first.x - first.width + 1), max(0, first.x - place.x - place.width + 1))
    falls = (max(0, place.y - first.y - first.height + 1), max(0, first.y - place.y - place.height + 1))
    across = (2 * place.x + place.width) - (2 * first.x + first.width)
    down = (2 * place.y + place.height) - (2 * first.y + first.height)
    return max(gaps) + max(falls), (across**2 + down**2) ** 0.5 / 2


def _sides(height: int, width: int, core: int, margin: int, grid: int) -> tuple[int, int]:
    """Height and width of the windows that cover so many pixels with the least around them."""
    found = []
    for rows in range(1, -(-height // grid) + 1):
        tall = _up(-(-height // rows), grid)
        most = core * core // tall // grid * grid
        if most == 0:
            continue
        columns = -(-width // most)
        read = (height + 2 * margin * (rows - 1)) * (width + 2 * margin * (columns - 1))
        found.append((read, tall, _up(-(-width // columns), grid)))
        if rows > 1 and tall * 2 < core:
            break  # from here on windows only grow longer and narrower
    _, tall, wide = min(found)
    return tall, wide


def _spans(start: int, stop: int, side: int) -> Iterator[tuple[int, int]]:
    for position in range(start, stop, side):
        yield position, min(position + side, stop)


def _up(length: int, grid: int) -> int:
    """The next multiple of ``grid``."""
    return -(-length // grid) * grid


def _grow(x: int, y: int, right: int, bottom: int, shape: tuple[int, int], margin: int) -> Region:
    left, top = max(0, x - margin), max(0, y - margin)
    return Region(left, top, min(shape[1], right + margin) - left, min(shape[0], bottom + margin) - top)
