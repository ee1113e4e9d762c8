"""A picture's pixels as they are measured: 8-bit, upright on the file's grid, cropped where asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.jpeg import encode_jpeg
from marsqe.colour import as_8bit
from marsqe.image import Compression, MarsImage, Pixels, to_stored
from marsqe.judgement import bits_per_pixel
from marsqe.read import decode_image, open_image
from marsqe.reproduce.folders import Picture

TRUTH_QUALITY: Final = 90
"""JPEG files of this quality and up serve as truth where nothing else is said."""


def load(path: Path) -> MarsImage:
    """Open an image and turn it to the frame that the file stores, where its blocks lie.

    Raises
    ------
    ReadError, MissingExtraError
        As :func:`marsqe.open_image`.
    """
    image = open_image(path)
    return replace(image, pixels=to_stored(image.pixels, image.orientation), orientation=1)


def is_truth(picture: Picture, compression: Compression) -> bool:
    """Whether the picture can serve as truth."""
    if picture.truth is not None:
        return picture.truth
    return not compression.lossy or (compression.codec == "JPEG" and (compression.quality or 0) >= TRUTH_QUALITY)


def truth_pixels(image: MarsImage, crop: int | None = None) -> NDArray[np.uint8]:
    """Pixels as 8-bit truth (full scale becomes 255), the central square of a side where one is given."""
    return np.ascontiguousarray(square(as_8bit(image.pixels, image.full_scale), crop))


def square(array: NDArray[Any], side: int | None) -> NDArray[Any]:
    """Central square, starting on a multiple of 16; all of it where the side is None."""
    if side is None:
        return array
    y, x = (max(0, (n - side) // 32 * 16) for n in array.shape[:2])
    return array[y : y + side, x : x + side]


def compress(pixels: Pixels, codec: str, level: int) -> tuple[MarsImage, int]:
    """Compress truth as the paper does: JPEG by Pillow, 4:2:0, or HEVC main still picture at a true QP, 4:2:0.

    Returns
    -------
    image : MarsImage
    size : int
        Bytes that were written.

    Raises
    ------
    MissingExtraError
        If the codec needs an extra that is not installed.
    """
    if codec == "JPEG":
        data = encode_jpeg(as_8bit(pixels), quality=level)
        image = decode_image(data)
        image.metadata["encoded"] = data
        return image, len(data)
    from marsqe.codecs.hevc import decode_hevc, encode_hevc

    data = encode_hevc(pixels, level)
    decoded = decode_hevc(data, (pixels.shape[0], pixels.shape[1]))
    rate = bits_per_pixel(len(data), pixels.shape)
    compression = Compression("HEVC", lossy=True, qp=level, bits_per_pixel=rate)
    return MarsImage.from_array(decoded, compression=compression), len(data)


def as_sent(image: MarsImage, crop: int | None = None) -> MarsImage:
    """An image without truth as it came; where only a square of it is used, that square as a JPEG of its own tables.

    Cutting on the 16-pixel grid and coding again with the same tables and subsampling keeps the coefficients but for
    rounding, so that what is measured is still that file's compression.
    """
    if crop is None or image.compression.tables is None:
        if crop is None:
            return image
        return MarsImage.from_array(np.ascontiguousarray(square(image.pixels, crop)), compression=image.compression)
    from marsqe.matching.dictionary import writable_subsampling

    tables = [np.clip(t, 1, 255) for t in image.compression.tables[:3]]
    pixels = np.ascontiguousarray(square(as_8bit(image.pixels), crop))
    data = encode_jpeg(pixels, tables=tables, subsampling=writable_subsampling(image.compression))
    cut = decode_image(data)
    cut.metadata["encoded"] = data
    return cut
