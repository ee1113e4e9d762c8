"""Simulate a downlink: compress pixels whose truth is known, as a rover's camera would."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.jpeg import encode_jpeg
from marsqe.colour import as_8bit
from marsqe.image import MarsImage, Pixels


def simulate_downlink(pixels: Pixels, quality: int, subsampling: str = "4:2:0", *, name: str = "image") -> MarsImage:
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

    Returns
    -------
    MarsImage
        As :func:`marsqe.open_image` gives it; its ``metadata["encoded"]`` holds the JPEG's bytes.
    """
    from marsqe.read import decode_image

    source: NDArray[np.uint8] = as_8bit(pixels)
    data = encode_jpeg(source, quality=quality, subsampling=subsampling)
    image = decode_image(data)
    image.metadata.update(name=f"{name}_q{quality}", encoded=data)
    return image
