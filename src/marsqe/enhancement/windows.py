"""Overlapping windows, so that memory is bounded by the window and not by the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from marsqe.results import Region

CORE = 768
"""Side in pixels of the part of a window that is kept; a multiple of 16, so that windows start on the JPEG grid."""
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
    """Windows that cover an image, or those parts of it that meet a region; cores start on multiples of ``grid``.

    Where core and margin are multiples of ``grid``, frames start on it, too.
    """
    height, width = shape
    region = region or Region(0, 0, width, height)
    return [
        Window(Region(x, y, right - x, bottom - y), _grow(x, y, right, bottom, shape, margin))
        for y, bottom in _spans(region.y, region.y + region.height, height, core, grid)
        for x, right in _spans(region.x, region.x + region.width, width, core, grid)
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


def _spans(start: int, stop: int, size: int, core: int, grid: int) -> Iterator[tuple[int, int]]:
    position = start // grid * grid
    while position < stop:
        yield position, min(position + core, size)
        position += core


def _grow(x: int, y: int, right: int, bottom: int, shape: tuple[int, int], margin: int) -> Region:
    left, top = max(0, x - margin), max(0, y - margin)
    return Region(left, top, min(shape[1], right + margin) - left, min(shape[0], bottom + margin) - top)
