"""Pyramids: TIFF files that hold an image at several sizes, each read where it is looked at."""

from __future__ import annotations

from pathlib import Path

from tifffile import TiffFile

from marsqe.read.boundary import decoding
from marsqe.read.rows import TiffRows


def open_levels(path: Path) -> list[TiffRows]:
    """The levels of a pyramid, the largest first; fewer than two where the file is none.

    Raises
    ------
    ReadError
        If it is damaged.
    """
    with decoding("TIFF"), TiffFile(path) as tiff:
        series = tiff.series[0]
        plain = all(level.axes in ("YX", "YXS") for level in series.levels)
        if not plain or len(series.levels) < 2:
            return []
        pages = [level.keyframe for level in series.levels]
        for page in pages:
            _ = page.jpegtables, page.decode, page.dataoffsets, page.databytecounts
        return [TiffRows(path, page) for page in pages]
