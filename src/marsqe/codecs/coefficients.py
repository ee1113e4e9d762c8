"""The quantized DCT coefficients of a JPEG file, as they are stored, without decoding."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.jpeg import Table
from marsqe.codecs.quiet import libjpeg_quiet
from marsqe.errors import ExportError, ReadError

_SCAN, _END, _ADOBE = 0xDA, 0xD9, 0xEE
_REMARKS = (*range(0xE0, 0xF0), 0xFE)
_FILES_KEPT: Final = 2
"""One that is being enhanced, and one that was opened meanwhile."""
_MOST_KEPT: Final = 24 << 20
"""Bytes of coefficients of a file that are kept: of about 4 megapixels, or 8 where chroma is subsampled."""

Components = tuple[NDArray[np.int16], ...]
_kept: deque[tuple[bytes, Components, list[bytes]]] = deque(maxlen=_FILES_KEPT)


@dataclass(frozen=True)
class Coefficients:
    """Coefficients of a JPEG in the frame that the file stores (no EXIF orientation applied).

    Attributes
    ----------
    components : tuple of ndarray of int16, each (rows, columns, 8, 8)
        Per component (Y, or Y, Cb, Cr) the quantized coefficients of every 8x8 block, vertical frequency before
        horizontal. Chroma has fewer blocks where it is subsampled; the last blocks reach over the image's edge.
    tables : tuple of (8, 8) ndarray of int64
        Quantization steps of each component.
    """

    components: tuple[NDArray[np.int16], ...]
    tables: tuple[Table, ...]


def read_coefficients(path: str | Path) -> Coefficients:
    """Read the quantized coefficients of a gray or three-component JPEG file.

    Raises
    ------
    ReadError
        If the file cannot be opened as an image, or is not a JPEG.
    """
    from marsqe.read import source

    file = Path(path)
    try:
        data, kind = source.load(file)
        if kind != "JPEG":
            raise ReadError(f"it is a {kind} file, which has no JPEG coefficients; give a JPEG")
        return coefficients_from_bytes(data)
    except ReadError as problem:
        raise ReadError(f"cannot open {file}: {problem}") from problem.__cause__


def coefficients_from_bytes(data: bytes) -> Coefficients:
    """Read the coefficients of JPEG bytes that were decoded before; see :func:`read_coefficients`.

    Raises
    ------
    ReadError
        If the bytes are no whole JPEG.
    ExportError
        If there is no room for a temporary copy.
    """
    from marsqe.read.jpeg import decoded_jpeg

    # jpeglib accepts a truncated file in silence, so Pillow decodes first and judges.
    tables = decoded_jpeg(data).compression.tables
    assert tables is not None
    return Coefficients(components_of(data, len(tables)), tables)


def components_of(data: bytes, count: int) -> Components:
    """Components of JPEG bytes that a decoder has judged to be whole; see :class:`Coefficients`."""
    return components_and_remarks(data, count)[0]


def components_and_remarks(data: bytes, count: int) -> tuple[Components, list[bytes]]:
    """The same, and what libjpeg said of them, line by line.

    Those of the latest files are kept if they are small: who opens a file looks at them for damage, and who enhances it
    needs them again.
    """
    for kept, components, remarks in _kept.copy():
        if len(components) == count and kept == data:
            return components, remarks
    components, remarks = _read(data, count)
    if sum(part.nbytes for part in components) <= _MOST_KEPT:
        _kept.append((data, components, remarks))
    return components, remarks


def _read(data: bytes, count: int) -> tuple[Components, list[bytes]]:
    import jpeglib

    # jpeglib takes paths only and hands them to C; a copy of the bytes that were judged, under a plain name, is safe
    # from both foreign letters and a file that changes meanwhile.
    with tempfile.TemporaryDirectory(prefix="marsqe-") as folder:
        copy = Path(folder) / "image.jpg"
        try:
            copy.write_bytes(without_remarks(data))
        except OSError as error:
            raise ExportError(
                f"cannot write a temporary copy in {folder} ({error.strerror or error}); free space there, or name "
                "another folder in the environment variable TMPDIR"
            ) from error
        try:
            with libjpeg_quiet() as said:
                stored = jpeglib.read_dct(str(copy))
                parts = (stored.Y,) if count == 1 else (stored.Y, stored.Cb, stored.Cr)
        except (OSError, ValueError, IndexError) as error:
            raise ReadError("its JPEG coefficients cannot be read; the file is damaged: fetch it again") from error
        components = tuple(np.array(part, dtype=np.int16) for part in parts)
        for part in components:
            part.flags.writeable = False  # several may hold them
        return components, said


def without_remarks(data: bytes) -> bytes:
    """A JPEG without comments and application data, and without stray bytes between its segments.

    Of those the coefficients need none but Adobe's marker; each is one more thing that native code would have to parse.
    """
    kept = [data[a:b] for marker, a, b in _segments(data) if marker == _ADOBE or marker not in _REMARKS]
    return b"".join([data[:2], *kept])


def is_whole(data: bytes) -> bool:
    """Whether a JPEG's pixels are followed by its end: within them its marker cannot occur."""
    scans = [start for marker, start, _ in _segments(data) if marker == _SCAN]
    return bool(scans) and data.find(bytes([0xFF, _END]), scans[0]) >= 0


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment; all from the first scan on counts as one."""
    at = 2
    while at + 4 <= len(data):
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            return
        marker = data[at + 1]
        if marker in (0x00, 0xFF) or 0xD0 <= marker <= 0xD8 or marker == 0x01:
            at += 1  # filling, and markers that stand alone
            continue
        if marker in (_SCAN, _END):
            yield marker, at, len(data)
            return
        size = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield marker, at, at + size
        at += size
