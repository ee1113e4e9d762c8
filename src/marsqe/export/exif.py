"""EXIF inside a TIFF: the camera's facts as an IFD of their own, which tifffile does not write."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Final

import tifffile
from PIL import Image, TiffImagePlugin

POINTER: Final = 34665
_ROOM: Final = POINTER + 1
"""tifffile refuses to write the pointer itself: its neighbour, which has no meaning, keeps the place."""
_TEXTS: Final = (271, 272, 306, 315, 33432)  # make, model, date, artist, copyright
_INNER_POINTER: Final = 40965
_HEADER: Final = b"II*\0\x08\0\0\0"

Tag = tuple[int, Any, int, Any, bool]
"""As tifffile takes it: code, type, count, value, on the first page alone."""


def tags_of(block: bytes | None) -> list[Tag]:
    """Tags of the first page for an EXIF block: its plain texts, and room for the pointer to the rest."""
    if not block:
        return []
    exif = _load(block)
    texts = {code: str(exif[code]).rstrip("\0 ") for code in _TEXTS if exif.get(code)}
    tags: list[Tag] = [(code, 2, 0, text, True) for code, text in texts.items() if text.isascii()]
    return [*tags, (_ROOM, 4, 1, 0, True)] if _inner(exif) else tags


def append_exif(path: Path, block: bytes | None) -> None:
    """Write the camera's facts behind the pictures of a finished TIFF and point at them from its first page."""
    inner = _inner(_load(block)) if block else {}
    if not inner:
        return
    with tifffile.TiffFile(path) as file:
        room = file.pages.first.tags[_ROOM]
        is_big = file.is_bigtiff
    end = path.stat().st_size
    end += end % 2
    if is_big or end > 0xFFFF_0000:
        return  # pointers of files above 4 GB are wider
    directory = TiffImagePlugin.ImageFileDirectory_v2(ifh=_HEADER, group=POINTER)
    for code, value in inner.items():
        directory[code] = value
    with path.open("rb+") as stream:
        stream.seek(end)
        stream.write(directory.tobytes(end))
        stream.seek(room.offset)
        stream.write(struct.pack("<H", POINTER))
        stream.seek(room.valueoffset)
        stream.write(struct.pack("<I", end))


def _load(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(block)
    return exif


def _inner(exif: Image.Exif) -> dict[int, Any]:
    return {code: value for code, value in exif.get_ifd(POINTER).items() if code != _INNER_POINTER}
