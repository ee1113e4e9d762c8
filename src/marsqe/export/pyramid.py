"""TIFF files of any size with smaller levels for viewers, written band by band while the image is still being made."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray

from marsqe.errors import ExportError
from marsqe.export.tiff import COMPRESSIONS
from marsqe.image import Pixels

TILE: Final = 256
SMALLEST: Final = 512
"""Levels are added until the longer side is at most this."""

_BIG: Final = 2**32 - 2**27
"""Bytes of pixels from which on the file is a BigTIFF; compressed data hardly outgrow them."""
_PATIENCE: Final = 0.5


def level_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Shapes of an image and of its levels, each half of the one before, rounded up."""
    shapes = [shape]
    while max(shapes[-1][:2]) > SMALLEST:
        height, width, *rest = shapes[-1]
        shapes.append((-(-height // 2), -(-width // 2), *rest))
    return shapes


def halved(pixels: NDArray[Any]) -> NDArray[Any]:
    """Mean of 2x2 pixels, rounded; odd sides are completed by their last row or column."""
    odd = [(0, n % 2) for n in pixels.shape[:2]] + [(0, 0)] * (pixels.ndim - 2)
    even = np.pad(pixels, odd, mode="edge").astype(np.uint32)
    total = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    mean: NDArray[Any] = ((total + 2) // 4).astype(pixels.dtype)
    return mean


class PyramidWriter:
    """Takes bands from top to bottom and compresses them in a thread of its own.

    Parameters
    ----------
    part : Path
        The file, under a temporary name.
    shape, dtype
        Of the image.
    scratch : Path
        A folder for the smaller levels until the largest is written.
    """

    def __init__(self, part: Path, shape: tuple[int, ...], dtype: Any, scratch: Path) -> None:
        self._shapes, self._dtype = level_shapes(shape), np.dtype(dtype)
        self._bands: queue.Queue[Pixels | None] = queue.Queue(maxsize=1)
        self._levels = [scratch / f"level{number}.raw" for number in range(1, len(self._shapes))]
        for level in self._levels:
            level.touch()
        self._error: BaseException | None = None
        self._left = False
        size = int(np.prod(shape, dtype=np.int64)) * self._dtype.itemsize
        self._writer = tifffile.TiffWriter(part, byteorder="<", bigtiff=size >= _BIG)
        self._thread: threading.Thread | None = None

    def start(self, options: dict[str, Any]) -> None:
        """Begin the file; ``options`` are those of :func:`marsqe.export.tiff.first_page`."""
        self._thread = threading.Thread(target=self._write, args=(options,), daemon=True)
        self._thread.start()

    def add(self, band: Pixels) -> None:
        """Take the next rows; all but the last band have a number of rows that every level divides.

        Raises
        ------
        ExportError
            If the file cannot be written.
        """
        part: NDArray[Any] = band
        for level in self._levels:
            part = halved(part)
            with level.open("ab") as file:
                part.tofile(file)
        self._put(band)

    def finish(self) -> None:
        """Write the smaller levels and end the file; raises as :meth:`add`."""
        self._put(None)
        assert self._thread is not None
        self._thread.join()
        self._check()
        self._writer.close()

    def leave(self) -> None:
        """Give up a file that was begun."""
        self._left = True
        if self._thread is not None:
            self._thread.join()
        self._writer.close()

    def _put(self, band: Pixels | None) -> None:
        while True:
            self._check()
            try:
                return self._bands.put(band, timeout=_PATIENCE)
            except queue.Full:
                continue

    def _check(self) -> None:
        if self._error is not None:
            error = self._error
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ExportError(f"cannot write the image: {text}; free space or choose another disk") from error

    def _write(self, options: dict[str, Any]) -> None:
        try:
            self._write_level(0, self._tiles_of_bands(), subifds=len(self._levels), **options)
            for number, level in enumerate(self._levels, 1):
                self._write_level(number, self._tiles_of_file(level, number), subfiletype=1)
        except BaseException as error:
            self._error = error

    def _write_level(self, number: int, tiles: Iterator[NDArray[Any]], **options: Any) -> None:
        shape = self._shapes[number]
        photometric = "rgb" if len(shape) == 3 else "minisblack"
        packed: dict[str, Any] = {"compression": COMPRESSIONS["deflate"], "metadata": None, "tile": (TILE, TILE)}
        settings: dict[str, Any] = packed | {"photometric": photometric} | options
        self._writer.write(tiles, shape=shape, dtype=self._dtype, **settings)

    def _tiles_of_bands(self) -> Iterator[NDArray[Any]]:
        rest: NDArray[Any] | None = None
        while (band := self._next_band()) is not None:
            rows = band if rest is None else np.concatenate([rest, band])
            whole = len(rows) // TILE * TILE
            yield from _tiles(rows[:whole])
            rest = rows[whole:].copy() if len(rows) > whole else None
        if rest is not None:
            yield from _tiles(rest)

    def _next_band(self) -> Pixels | None:
        while not self._left:
            try:
                return self._bands.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
        raise InterruptedError("the file was given up")

    def _tiles_of_file(self, level: Path, number: int) -> Iterator[NDArray[Any]]:
        shape = self._shapes[number]
        per_row = int(np.prod(shape[1:]))
        for top in range(0, shape[0], TILE):
            count = min(TILE, shape[0] - top) * per_row
            rows = np.fromfile(level, self._dtype, count, offset=top * per_row * self._dtype.itemsize)
            yield from _tiles(rows.reshape(-1, *shape[1:]))


def _tiles(rows: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Tiles from left to right, row of tiles by row of tiles; those at the edges are completed with zeros."""
    for top in range(0, rows.shape[0], TILE):
        for left in range(0, rows.shape[1], TILE):
            tile = rows[top : top + TILE, left : left + TILE]
            missing = [(0, TILE - tile.shape[0]), (0, TILE - tile.shape[1])] + [(0, 0)] * (rows.ndim - 2)
            yield np.ascontiguousarray(np.pad(tile, missing))
