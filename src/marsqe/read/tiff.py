"""TIFF files: one gray, palette or RGB picture of 1, 8 or 16 bits, in strips, tiles or planes."""

from __future__ import annotations

import io
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffPage

from marsqe.errors import ReadError
from marsqe.image import Compression
from marsqe.ome import Told, parse_ome
from marsqe.read.boundary import Decoded, decoding
from marsqe.read.channels import drop_alpha
from marsqe.read.exif import ExifFacts, Resolution, gather, resolution_of
from marsqe.read.limits import DEFLATE, check_coded, check_size

_LOSSLESS: Final = {
    COMPRESSION.NONE,
    COMPRESSION.CCITTRLE,
    COMPRESSION.CCITT_T4,
    COMPRESSION.CCITT_T6,
    COMPRESSION.LZW,
    COMPRESSION.ADOBE_DEFLATE,
    COMPRESSION.DEFLATE,
    COMPRESSION.PACKBITS,
    COMPRESSION.LZMA,
    COMPRESSION.ZSTD,
}
"""Schemes that never lose anything; of all others the file does not say, and they are taken as lossy."""

_GEO: Final = (33550, 33922, 34264, 34735, 34736, 34737)
"""GeoTIFF: pixel scale, tie points, transformation, and the keys with their numbers and texts."""

_MOST_PAGES: Final = 100

_MOST_PACKED: Final = {
    COMPRESSION.NONE: 1,
    COMPRESSION.PACKBITS: 64,
    COMPRESSION.LZW: 4096,
    COMPRESSION.ADOBE_DEFLATE: DEFLATE,
    COMPRESSION.DEFLATE: DEFLATE,
}
"""Most bytes that one byte of packed data can stand for; of other schemes nothing is known."""

_UNITS: Final = {2: "inch", 3: "centimeter"}

_COLOURS: Final = {
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.YCBCR: 3,
}


def read_tiff(data: bytes) -> Decoded:
    """Decode a TIFF file. Thumbnails and masks beside the picture are passed over.

    Raises
    ------
    ReadError
        If it is truncated or damaged, holds several pictures, is CMYK, partly transparent, too large, or its samples
        are not unsigned integers of 1, 8 or 16 bits.
    """
    with decoding("TIFF"), TiffFile(io.BytesIO(data)) as tiff:
        page, compression, orientation, metadata = tiff_facts(tiff)
        if any(o + n > len(data) or n == 0 for o, n in zip(page.dataoffsets, page.databytecounts, strict=True)):
            raise ValueError("pixel data lie beyond the end of the file")
        least = page.imagewidth * page.imagelength * page.bitspersample / 8 / _MOST_PACKED.get(page.compression, np.inf)
        check_coded(least, sum(page.databytecounts))
        pixels = _pixels(page)
    return Decoded(pixels, compression, orientation, metadata)


def stored_numbers(file: Path) -> NDArray[Any]:
    """The numbers of a TIFF's first page as they are stored, real ones, too, of which no image is opened.

    Raises
    ------
    ReadError
        If the file cannot be read, or that page is no picture.
    """
    try:
        with decoding("TIFF"), TiffFile(file) as tiff:
            page = tiff.pages.first
            check_size(page.imagewidth, page.imagelength)
            numbers = page.asarray()
            if numbers.ndim not in (2, 3) or not numbers.size:
                raise ValueError(f"its first page has the shape {numbers.shape}")
            return numbers
    except ReadError as error:
        raise ReadError(f"cannot open {file}: {error}") from error.__cause__


def tiff_facts(tiff: TiffFile) -> tuple[TiffPage, Compression, int, dict[str, Any]]:
    """The page that is the picture, and what it says of itself: compression, orientation 1-8, metadata.

    Raises
    ------
    ReadError
        As :func:`read_tiff`.
    """
    told = parse_ome(tiff.pages.first.description)
    # Of what we wrote the image comes first; its layers and their names are further pages.
    page = _only_page(tiff) if told is None else tiff.pages.first
    check_size(page.imagewidth, page.imagelength)
    if told is not None and page.dtype is not None and page.dtype.kind == "f":
        raise ReadError(
            "it is an enhanced image in 32-bit numbers, for measuring: `marsqe verify` and `marsqe replay` read it; "
            "to go on from it, open its source, or export it in the source's depth"
        )
    _check_samples(page)
    orientation = page.tags.valueof(274, default=1)
    metadata = gather(page.tags.valueof(34675), ExifFacts(), _resolution(page)) | _beyond(page, told)
    compression = Compression("TIFF", lossy=page.compression not in _LOSSLESS)
    return page, compression, orientation if orientation in range(1, 9) else 1, metadata


def _beyond(page: TiffPage, told: Told | None) -> dict[str, Any]:
    """Georeferences, and of a file that we wrote its record, significant bits and scale."""
    geo = [tag for code in _GEO if (tag := page.tags.get(code)) is not None]
    found: dict[str, Any] = {"geo": [(tag.code, int(tag.dtype), tag.count, tag.value) for tag in geo]} if geo else {}
    if told is None:
        return found
    found["record"] = told.record
    if told.significant_bits is not None and told.significant_bits < page.bitspersample:
        found["significant_bits"] = told.significant_bits
    metres = (told.record.get("pixels") or {}).get("metres_per_pixel")
    return found | ({"pixel_scale": (float(metres), "m")} if isinstance(metres, int | float) and metres > 0 else {})


def _resolution(page: TiffPage) -> Resolution | None:
    # Without the tags tifffile says one pixel per inch.
    if not {282, 283} <= {tag.code for tag in page.tags}:
        return None
    return resolution_of(page.resolution, _UNITS.get(int(page.resolutionunit), "none"))


def _only_page(tiff: TiffFile) -> TiffPage:
    # Not all of them: a damaged chain of pages can be millions long.
    pages = [p for p in islice(tiff.pages, _MOST_PAGES) if isinstance(p, TiffPage)]
    if not pages:
        raise ValueError("no page in it")
    full = [p for p in pages if not (p.is_reduced or p.is_mask)] or pages[:1]
    count = len(full)
    if count == 1 and (tiff.is_imagej or tiff.is_shaped):
        # Stacks of these two may lie behind a single page.
        count = max(1, int(np.prod(tiff.series[0].shape)) // max(1, full[0].size))
    if count > 1:
        most = "at least " if len(pages) == _MOST_PAGES else ""
        raise ReadError(
            f"it holds {most}{count} pages (a stack, or channels apart); save the one that you want, or the channels "
            "as RGB"
        )
    return full[0]


def _check_samples(page: TiffPage) -> None:
    photometric, dtype = page.photometric, page.dtype
    if photometric == PHOTOMETRIC.SEPARATED:
        raise ReadError("its colours are CMYK, for printing; convert it to RGB or gray first")
    if photometric not in _COLOURS or (
        photometric == PHOTOMETRIC.YCBCR and page.compression not in (COMPRESSION.JPEG, COMPRESSION.OJPEG)
    ):
        raise ReadError(f"its colours are {getattr(photometric, 'name', photometric)}; convert it to RGB or gray first")
    if dtype is None or dtype.kind not in "ub":
        kind = {"f": "floating-point", "i": "signed", "c": "complex"}.get(dtype.kind if dtype else "", "unknown")
        raise ReadError(
            f"its samples are {kind} numbers of {page.bitspersample} bits, of which black and white are not known; "
            "rescale them to unsigned integers of 16 bits first"
        )
    if page.bitspersample not in (1, 8, 16):
        raise ReadError(f"its samples have {page.bitspersample} bits; rescale them to 8 or 16 bits first")
    extra = page.samplesperpixel - _COLOURS[photometric]
    if extra not in (0, 1) or (extra and photometric == PHOTOMETRIC.PALETTE) or page.axes not in ("YX", "YXS", "SYX"):
        raise ReadError(
            f"it has {page.samplesperpixel} channels along the axes {page.axes}; save it as one gray or RGB picture"
        )


def _pixels(page: TiffPage) -> NDArray[Any]:
    pixels = page.asarray()
    if page.axes == "SYX":
        pixels = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
    if page.photometric == PHOTOMETRIC.PALETTE:
        if page.colormap is None:
            raise ValueError("its palette is missing")
        return np.ascontiguousarray((page.colormap.T >> 8).astype(np.uint8)[pixels.astype(np.intp)])
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        pixels = np.iinfo(pixels.dtype).max - pixels
    return drop_alpha(pixels) if pixels.ndim == 3 and pixels.shape[2] in (2, 4) else pixels
