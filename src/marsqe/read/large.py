"""Images that are too large for the memory: their facts, and their pixels row by row."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from tifffile import PHOTOMETRIC, TiffFile, TiffPage

from marsqe.errors import MarsqeError, ReadError
from marsqe.image import MarsImage, Pixels
from marsqe.read import source
from marsqe.read.boundary import decoding
from marsqe.read.limits import LARGE
from marsqe.read.names import identify
from marsqe.read.opener import open_image
from marsqe.read.rows import RawRows, Rows, TiffRows

_PLAIN: Final = {PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB}


def size_of(path: Path) -> tuple[int, int] | None:
    """Height and width of an upright JPEG, PNG or TIFF, from its header; None for all else."""
    try:
        with path.open("rb") as file, decoding("header"):
            kind = source.kind_of(file.read(64))
            file.seek(0)
            if kind == "TIFF":
                with TiffFile(file) as tiff:
                    first = tiff.pages.first
                    upright = first.tags.valueof(274, default=1) == 1
                    return (first.imagelength, first.imagewidth) if upright else None
            if kind == "JPEG":
                image: Any = JpegImageFile(file)
            elif kind == "PNG":
                image = PngImageFile(file)
            else:
                return None
            return (image.height, image.width) if image.getexif().get(274, 1) == 1 else None
    except (OSError, MarsqeError):
        return None  # opening it says what is wrong


def is_large(path: Path) -> bool:
    """Whether an image is so large that it is to be enhanced in windows."""
    size = size_of(path)
    return size is not None and size[0] * size[1] > LARGE


def header_view(shape: tuple[int, ...], dtype: Any) -> Pixels:
    """An array of this shape that needs no memory; it stands for pixels that are on the disk."""
    view: Any = np.broadcast_to(np.zeros((), dtype), shape)
    return cast(Pixels, view)


def open_large(path: Path, scratch: Path) -> tuple[MarsImage, Rows]:
    """Open an image without holding all its pixels.

    Plain TIFF files are read where they lie. JPEG files are decoded into a file in ``scratch`` once; all other kinds,
    too, by way of the memory.

    Returns
    -------
    header : MarsImage
        With all facts; its pixels are :func:`header_view`.
    rows : Rows
        The pixels.

    Raises
    ------
    ReadError, MissingExtraError
        As :func:`marsqe.open_image`; and if the file is stored turned.
    """
    try:
        with path.open("rb") as file:
            kind = source.kind_of(file.read(64))
    except OSError:
        kind = ""
    except ReadError as problem:
        raise ReadError(f"cannot open {path}: {problem}") from problem.__cause__
    try:
        if kind == "TIFF" and (found := _tiff(path)) is not None:
            header, rows = found
        elif kind == "JPEG":
            header, rows = _jpeg(path, scratch)
        else:
            header, rows = _whole(path, scratch)
    except ReadError as problem:
        text = str(problem)
        raise ReadError(text if text.startswith("cannot open") else f"cannot open {path}: {text}") from problem
    if header.orientation != 1:
        raise ReadError(f"cannot open {path} in windows: it is stored turned; save it upright, or open it as a whole")
    return header, rows


def _tiff(path: Path) -> tuple[MarsImage, Rows] | None:
    """A TIFF whose samples need no conversion; None for others."""
    from marsqe.read.tiff import tiff_facts

    with decoding("TIFF"), TiffFile(path) as tiff:
        page, compression, orientation, metadata = tiff_facts(tiff)
        if page.photometric not in _PLAIN or not _has_plain_samples(page):
            return None
        end = path.stat().st_size
        if any(o + n > end or n == 0 for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)):
            raise ValueError("pixel data lie beyond the end of the file")
        _ = page.jpegtables, page.decode  # what is needed of the file besides pixels, before it is closed
        rows = TiffRows(path, page)
    bits = 8 * path.stat().st_size / (rows.shape[0] * rows.shape[1])
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    facts = replace(compression, bits_per_pixel=bits)
    view = header_view(rows.shape, rows.dtype)
    return MarsImage(view, facts, identify(path.name), path, digest, orientation, metadata), rows


def _has_plain_samples(page: TiffPage) -> bool:
    return page.axes in ("YX", "YXS") and page.samplesperpixel in (1, 3) and page.bitspersample in (8, 16)


def _jpeg(path: Path, scratch: Path) -> tuple[MarsImage, Rows]:
    """A JPEG, decoded by the same library as the whole image would be."""
    import imagecodecs

    from marsqe.codecs.coefficients import is_whole
    from marsqe.read.jpeg import jpeg_facts

    data, _ = source.load(path)
    with decoding("JPEG"):
        image = JpegImageFile(io.BytesIO(data))
        compression, orientation, metadata = jpeg_facts(image, data)
        shape = (image.height, image.width) if image.mode == "L" else (image.height, image.width, 3)
        file = scratch / "pixels.raw"
        pixels: NDArray[np.uint8] = np.memmap(file, np.uint8, "w+", shape=shape)
        if not is_whole(data):  # of which this decoder says nothing
            raise ValueError("its end is missing")
        imagecodecs.jpeg8_decode(data, out=pixels)
        del pixels
    compression = replace(compression, bits_per_pixel=8 * len(data) / (shape[0] * shape[1]))
    metadata["encoded"] = data
    digest = hashlib.sha256(data).hexdigest()
    view = header_view(shape, np.uint8)
    header = MarsImage(view, compression, identify(path.name), path, digest, orientation, metadata)
    return header, RawRows(file, shape, np.uint8)


def _whole(path: Path, scratch: Path) -> tuple[MarsImage, Rows]:
    image = open_image(path)
    file = scratch / "pixels.raw"
    image.pixels.tofile(file)
    rows = RawRows(file, image.pixels.shape, image.pixels.dtype)
    return image.with_pixels(header_view(rows.shape, rows.dtype)), rows
