"""JPEG files. Of a file with several pictures (MPO, as phones write it) the primary one is read."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from marsqe.codecs.damage import signs_of_damage
from marsqe.codecs.jpeg import Table, estimate_quality
from marsqe.errors import ReadError
from marsqe.image import Compression
from marsqe.read.boundary import Decoded, decoding
from marsqe.read.exif import Resolution, gather, parse_exif, resolution_of
from marsqe.read.limits import MOST_CHECKED, check_coded, check_size

_LEAST_BITS = 1
"""Huffman codes have no fewer for a block of 8 x 8 pixels."""


def read_jpeg(data: bytes) -> Decoded:
    """Decode a JPEG file. Where something speaks for damage, ``metadata["warnings"]`` says so.

    Raises
    ------
    ReadError
        If it is truncated, damaged, CMYK, too large or of a kind that Pillow cannot decode.
    """
    decoded = decoded_jpeg(data)
    if decoded.pixels.shape[0] * decoded.pixels.shape[1] <= MOST_CHECKED:
        assert decoded.compression.tables is not None
        signs = signs_of_damage(data, decoded.compression.tables)
        if signs:
            decoded.metadata["warnings"] = [
                f"this JPEG may be damaged ({'; '.join(signs)}): look for foreign blocks, compare its SHA-256 with "
                "the archive's, or fetch it again"
            ]
    return decoded


def decoded_jpeg(data: bytes) -> Decoded:
    """The same without the look for damage.

    Raises
    ------
    ReadError
        As :func:`read_jpeg`.
    """
    with decoding("JPEG"):
        # The plugin's class, not Image.open: that one's limit of pixels is a setting of the whole process.
        image = JpegImageFile(io.BytesIO(data))
        compression, orientation, metadata = jpeg_facts(image, data)
        return Decoded(np.asarray(image), compression, orientation, metadata)


def jpeg_facts(image: JpegImageFile, data: bytes) -> tuple[Compression, int, dict[str, Any]]:
    """What the header says: compression without the bits per pixel, EXIF orientation, metadata.

    Raises
    ------
    ReadError, ValueError
        If it is too large, CMYK, or has impossible tables.
    """
    check_size(*image.size)
    if b"\xff\xc9" not in data and b"\xff\xca" not in data:  # arithmetic coding, which can spend less
        check_coded(_LEAST_BITS / 8 * (image.size[0] / 8) * (image.size[1] / 8), len(data))
    if image.mode not in ("L", "RGB"):
        raise ReadError(f"its colours are {image.mode}, for printing; convert it to RGB or gray first")
    tables = _tables(image)
    if any(int(table.min()) < 1 for table in tables):
        raise ValueError("a quantization step is zero")
    quality, exact = estimate_quality(tables[0])
    exif = parse_exif(image.info.get("exif"))
    metadata = gather(image.info.get("icc_profile"), exif, _resolution(image))
    metadata["colour_transform"] = _colour_transform(image)
    compression = Compression(
        codec="JPEG", lossy=True, tables=tables, quality=quality, quality_exact=exact, subsampling=_subsampling(image)
    )
    return compression, exif.orientation, metadata


def _tables(image: JpegImageFile) -> tuple[Table, ...]:
    """One table per component, in the order of the components."""
    return tuple(
        np.asarray(image.quantization[selector], dtype=np.int64).reshape(8, 8) for _, _, _, selector in image.layer
    )


def _subsampling(image: JpegImageFile) -> tuple[int, int] | None:
    # From the sampling factors: Pillow's get_sampling knows only three of the subsamplings.
    if len(image.layer) < 3:
        return None
    (_, h, v, _), (_, chroma_h, chroma_v, _) = image.layer[:2]
    return max(1, h // max(1, chroma_h)), max(1, v // max(1, chroma_v))


def _colour_transform(image: JpegImageFile) -> str:
    """What the three components are, by libjpeg's rule: JFIF means YCbCr, then Adobe's marker, then the names."""
    if len(image.layer) == 1:
        return "gray"
    if "jfif" in image.info:
        return "YCbCr"
    if "adobe_transform" in image.info:
        return "YCbCr" if image.info["adobe_transform"] else "RGB"
    return "RGB" if bytes(i for i, *_ in image.layer) == b"RGB" else "YCbCr"


def _resolution(image: JpegImageFile) -> Resolution | None:
    # Not Pillow's "dpi", which is an invented 72 where the file says nothing.
    density = image.info.get("jfif_density")
    unit = {0: "none", 1: "inch", 2: "centimeter"}.get(image.info.get("jfif_unit", 0), "none")
    return None if density is None else resolution_of(density, unit)
