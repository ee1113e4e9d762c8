"""Simulate a downlink: compress pixels whose truth is known, as a rover's camera would."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.jpeg import encode_jpeg
from marsqe.colour import as_8bit
from marsqe.errors import SettingError
from marsqe.image import MarsImage, Pixels

_MOST_SIDE: Final = 65_500
"""Largest side that libjpeg writes."""


def encode_pixels(pixels: Pixels, quality: int, subsampling: str = "4:2:0", *, full_scale: int = 65535) -> bytes:
    """JPEG bytes of pixels; see :func:`simulate_downlink`.

    Raises
    ------
    SettingError
        If the quality or the subsampling is none that can be had, or the image is larger than a JPEG can be.
    """
    if max(pixels.shape[:2]) > _MOST_SIDE:
        raise SettingError(f"a JPEG has at most {_MOST_SIDE} pixels a side; cut the image into smaller ones first")
    source: NDArray[np.uint8] = as_8bit(pixels, full_scale)
    try:
        return encode_jpeg(source, quality=quality, subsampling=subsampling)
    except ValueError as error:
        raise SettingError(str(error)) from error


def simulate_downlink(
    pixels: Pixels, quality: int, subsampling: str = "4:2:0", *, name: str = "image", full_scale: int = 65535
) -> MarsImage:
    """Compress pixels to JPEG and open the result.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        16-bit pixels are reduced to 8 bits first: JPEG holds no more.
    quality : int
        Quality factor 1-100.
    subsampling : {"4:2:0", "4:2:2", "4:4:4"}
        Chroma subsampling; without meaning for gray pixels.
    name : str
        Name of the image, for layers and exports.
    full_scale : int
        The 16-bit value that becomes 255: 4095 for pixels of a 12-bit camera that fill no more of the range.

    Returns
    -------
    MarsImage
        As :func:`marsqe.open_image` gives it; its ``metadata["encoded"]`` holds the JPEG's bytes.

    Raises
    ------
    SettingError
        As :func:`encode_pixels`.
    """
    from marsqe.read import decode_image

    data = encode_pixels(pixels, quality, subsampling, full_scale=full_scale)
    image = decode_image(data)
    image.metadata.update(name=f"{name}_q{quality}", encoded=data)
    return image
