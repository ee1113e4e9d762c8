"""Images on the disk, read a few rows or a rectangle at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffPage

from marsqe.read.boundary import decoding


class Rows(Protocol):
    """An image of which any rows can be had; (H, W, ...)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the samples."""

    def read(self, top: int, bottom: int) -> NDArray[Any]:
        """Rows from ``top`` up to, not including, ``bottom``."""


class RawRows:
    """Rows of a file that holds an array as it is in memory, and nothing else."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: Any) -> None:
        self.path, self.shape, self.dtype = path, shape, np.dtype(dtype)
        self._per_row = int(np.prod(shape[1:]))

    def read(self, top: int, bottom: int) -> NDArray[Any]:
        """See :class:`Rows`. Read, not mapped: mapped pages would count as memory of the process."""
        count, offset = (bottom - top) * self._per_row, top * self._per_row * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, count, offset=offset).reshape(bottom - top, *self.shape[1:])


class TiffRows:
    """One page of a TIFF file, tile by tile or strip by strip; decodes what is asked for and keeps nothing.

    Indexed like an array by one slice of step 1 for each axis, it serves lazy arrays, too.

    Parameters
    ----------
    path : Path
    page : TiffPage
        Of samples that need no conversion, channels together.
    """

    def __init__(self, path: Path, page: TiffPage) -> None:
        self.path, self._page = path, page
        self.shape: tuple[int, ...] = page.shape
        self.dtype = np.dtype(page.dtype).newbyteorder("=")
        self.ndim = len(self.shape)
        tile = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
        self.tile = min(int(tile[0]), self.shape[0]), int(tile[1])

    def read(self, top: int, bottom: int) -> NDArray[Any]:
        """See :class:`Rows`."""
        return self.region(top, bottom, 0, self.shape[1])

    def region(self, top: int, bottom: int, left: int, right: int) -> NDArray[Any]:
        """A rectangle.

        Raises
        ------
        ReadError
            If the file has gone or is damaged there.
        """
        out = np.zeros((bottom - top, right - left, *self.shape[2:]), self.dtype)
        with decoding("TIFF"), self.path.open("rb") as file:
            for index in self._segments(top, bottom, left, right):
                offset, count = self._page.dataoffsets[index], self._page.databytecounts[index]
                file.seek(offset)
                data = file.read(count) if count else None
                segment, place, extent = self._page.decode(data, index, jpegtables=self._page.jpegtables)
                if segment is not None:
                    y, x = place[2], place[3]
                    samples = segment.reshape(segment.shape[1], segment.shape[2], -1)[: extent[1], : extent[2]]
                    _overlay(out, samples.reshape(*samples.shape[:2], *self.shape[2:]), y - top, x - left)
        return out

    def __getitem__(self, index: Any) -> NDArray[Any]:
        rows, columns, *rest = (slice(*part.indices(n)) for part, n in zip(index, self.shape, strict=True))
        return self.region(rows.start, rows.stop, columns.start, columns.stop)[:, :, *rest]

    def _segments(self, top: int, bottom: int, left: int, right: int) -> Iterator[int]:
        height, width = self.tile
        across = -(-self.shape[1] // width)
        for row in range(top // height, -(-bottom // height)):
            for column in range(left // width, -(-right // width)):
                yield row * across + column


def _overlay(out: NDArray[Any], part: NDArray[Any], y: int, x: int) -> None:
    """Copy the part of an array that lies inside ``out`` when its corner is at (y, x)."""
    first = max(0, -y), max(0, -x)
    last = min(part.shape[0], out.shape[0] - y), min(part.shape[1], out.shape[1] - x)
    if first[0] < last[0] and first[1] < last[1]:
        out[y + first[0] : y + last[0], x + first[1] : x + last[1]] = part[first[0] : last[0], first[1] : last[1]]
