"""Opening an image file, whatever its kind."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from marsqe.errors import ReadError
from marsqe.image import MarsImage, to_upright
from marsqe.read import source
from marsqe.read.boundary import Decoded
from marsqe.read.names import identify


def _decoder(kind: str) -> Callable[[bytes], Decoded]:
    # Imported when needed: tifffile and imagecodecs are slow to load and most files are JPEG.
    if kind == "JPEG":
        from marsqe.read.jpeg import read_jpeg

        return read_jpeg
    if kind == "PNG":
        from marsqe.read.png import read_png

        return read_png
    if kind == "TIFF":
        from marsqe.read.tiff import read_tiff

        return read_tiff
    from marsqe.read.webp import read_webp

    return read_webp


def open_image(path: str | os.PathLike[str]) -> MarsImage:
    r"""Open a JPEG, PNG, TIFF or WebP file.

    Pixels come as gray or RGB in the file's own depth: 1-bit and palette images become 8-bit gray and 8-bit RGB,
    16-bit ones stay 16-bit. Alpha is dropped where all pixels are opaque. Colours are not converted: an ICC profile
    is handed on in ``metadata``.

    Parameters
    ----------
    path : str or path-like
        The file; its kind is told by its content, not by its name.

    Returns
    -------
    MarsImage
        ``pixels`` are upright and ``orientation`` is what was applied (:func:`marsqe.image.to_stored` undoes it).
        ``metadata`` holds, where the file does, "resolution" (x, y, "inch" | "centimeter" | "none"), "icc" bytes and
        "exif" bytes (beginning with ``Exif\0\0``, orientation set to 1), and for JPEG "colour_transform"
        ("gray", "YCbCr" or "RGB": what the components of ``compression.tables`` are). ``product`` is what the file's
        name tells (:func:`marsqe.read.names.identify`).

    Raises
    ------
    ReadError
        If the file is missing, a folder, not readable, empty, truncated, damaged, no image or not of these kinds,
        animated or of several pages, CMYK, partly transparent, of other samples than unsigned integers of 1, 8 or 16
        bits (2 and 4 bits too in PNG), or larger than :mod:`marsqe.read.limits` allows. The message says what to do.
    """
    file = Path(os.fsdecode(path))
    try:
        data, kind = source.load(file)
        image = _decode(data, kind)
    except ReadError as problem:
        raise ReadError(f"cannot open {file}: {problem}") from problem.__cause__
    return replace(image, path=file, product=identify(file.name))


def decode_image(data: bytes) -> MarsImage:
    """Decode the bytes of an image file, as :func:`open_image` does; ``path`` is None.

    Raises
    ------
    ReadError
        As for :func:`open_image`.
    """
    try:
        return _decode(data, source.kind_of(data[:64]))
    except ReadError as problem:
        raise ReadError(f"cannot open these {len(data)} bytes: {problem}") from problem.__cause__


def _decode(data: bytes, kind: str) -> MarsImage:
    decoded = _decoder(kind)(data)
    pixels = to_upright(decoded.pixels, decoded.orientation)
    bits_per_pixel = 8 * len(data) / (pixels.shape[0] * pixels.shape[1])
    return MarsImage(
        # Pillow's buffers are read-only, of which torch warns.
        pixels=np.require(pixels, requirements=["C", "W"]),
        compression=replace(decoded.compression, bits_per_pixel=bits_per_pixel),
        sha256=hashlib.sha256(data).hexdigest(),
        orientation=decoded.orientation,
        metadata=decoded.metadata,
    )
