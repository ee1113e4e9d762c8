"""Opening an image file, whatever its kind."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from marsqe.errors import ReadError, in_one_line
from marsqe.image import MarsImage, Product, to_upright
from marsqe.read import source
from marsqe.read.boundary import Decoded
from marsqe.read.names import identify

_LONGEST: Final = 1000
"""Characters of a message; what a damaged file puts into it may be of any length."""


def _decoder(kind: str, path: Path | None) -> Callable[[bytes], Decoded]:
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
    if kind == "WebP":
        from marsqe.read.webp import read_webp

        return read_webp
    return _rarer_decoder(kind, path)


def _rarer_decoder(kind: str, path: Path | None) -> Callable[[bytes], Decoded]:
    """Decoders that need an extra; those of mission products look at the file's name and neighbours, too."""
    if kind == "HEIC":
        from marsqe.read.heif import read_heif

        return read_heif
    if kind == "BPG":
        from marsqe.read.bpg import read_bpg

        return read_bpg
    if kind == "VICAR":
        from marsqe.read.vicar import read_vicar

        return partial(read_vicar, path=path)
    from marsqe.read.pds import read_pds

    return partial(read_pds, path=path)


def open_image(path: str | os.PathLike[str]) -> MarsImage:
    r"""Open a JPEG, PNG, TIFF or WebP file, a HEIC or BPG file (extra ``codecs``), or a PDS3, PDS4 or VICAR product.

    Pixels come as gray or RGB in the file's own depth: 1-bit and palette images become 8-bit gray and 8-bit RGB,
    16-bit ones stay 16-bit; HEIC and BPG of more than 8 bits are spread over the range of 16. Samples of mission
    products keep their numbers, with ``metadata["significant_bits"]`` where the label tells how many bits they use: a
    12-bit camera's white is 4095. Alpha is dropped where all pixels are opaque. Colours are not converted: an ICC
    profile is handed on in ``metadata``.

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
        ("gray", "YCbCr" or "RGB": what the components of ``compression.tables`` are) and, where something speaks for
        damage, "warnings" (:attr:`marsqe.image.MarsImage.warnings`), for mission products "label"
        (text) and "pixel_scale" (number, unit); for georeferenced TIFF "geo" (its tags), and for files that MarsQE
        exported "record" (:func:`marsqe.export.read_provenance`). ``product`` is what the file's name tells
        (:func:`marsqe.read.names.identify`), and of mission products their label.

    Raises
    ------
    ReadError
        If the file is missing, a folder, not readable, empty, truncated, damaged, no image or not of these kinds,
        animated or of several pages, CMYK, partly transparent, of other samples than unsigned integers of 1, 8 or 16
        bits (2 and 4 bits too in PNG), or larger than :mod:`marsqe.read.limits` allows. The message says what to do.
    MissingExtraError
        If the extra that the kind needs, ``codecs`` or ``pds``, is not installed.
    """
    file = Path(os.fsdecode(path))
    try:
        data, kind = source.load(file)
        image = _decode(data, kind, file)
    except ReadError as problem:
        raise ReadError(f"cannot open {file}: {in_one_line(problem, _LONGEST)}") from problem.__cause__
    known = image.product != Product()
    return replace(image, path=file, product=image.product if known else identify(file.name))


def decode_image(data: bytes) -> MarsImage:
    """Decode the bytes of an image file, as :func:`open_image` does; ``path`` is None.

    Raises
    ------
    ReadError
        As for :func:`open_image`.
    """
    try:
        return _decode(data, source.kind_of(data[:64]), None)
    except ReadError as problem:
        raise ReadError(f"cannot open these {len(data)} bytes: {in_one_line(problem, _LONGEST)}") from problem.__cause__


def _decode(data: bytes, kind: str, path: Path | None) -> MarsImage:
    decoded = _decoder(kind, path)(data)
    pixels = to_upright(decoded.pixels, decoded.orientation)
    compression = decoded.compression
    if decoded.product is None:  # of what was sent to Earth, a product's file is no measure
        compression = replace(compression, bits_per_pixel=8 * len(data) / (pixels.shape[0] * pixels.shape[1]))
    return MarsImage(
        # Pillow's buffers are read-only, of which torch warns.
        pixels=np.require(pixels, requirements=["C", "W"]),
        compression=compression,
        product=decoded.product or Product(),
        sha256=hashlib.sha256(data).hexdigest(),
        orientation=decoded.orientation,
        metadata=decoded.metadata,
    )
