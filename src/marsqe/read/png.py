"""PNG files: gray, palette and RGB, 1 to 16 bits."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from marsqe.codecs.quiet import libpng_quiet
from marsqe.errors import ReadError
from marsqe.image import Compression
from marsqe.read.boundary import Decoded, decoding
from marsqe.read.channels import drop_alpha, refuse_colour_key
from marsqe.read.exif import Resolution, gather, parse_exif, resolution_of
from marsqe.read.limits import DEFLATE, check_coded, check_size

# Where the header chunk, always the first, holds the bits per sample and the colour type.
_DEPTH, _COLOUR_TYPE = 24, 25
_GRAY: Final = 0
_SPREAD: Final = {2: 85, 4: 17}
_END: Final = b"\0\0\0\0IEND\xaeB`\x82"


def read_png(data: bytes) -> Decoded:
    """Decode a PNG file.

    Raises
    ------
    ReadError
        If it is truncated, damaged, animated, partly transparent or too large.
    """
    with decoding("PNG"):
        image = PngImageFile(io.BytesIO(data))
        check_size(*image.size)
        check_coded(image.size[0] * image.size[1] * data[_DEPTH] / 8 / DEFLATE, len(data))
        if image.n_frames > 1:
            raise ReadError(f"it is an animation of {image.n_frames} frames; save the frame that you want as a PNG")
        if _END not in data:
            # Pillow forgives a missing end, as it does not need it; yet the file is not what its maker wrote.
            raise ValueError("its end is missing")
        image.load()
        pixels = _pixels(image, data)
        exif = parse_exif(image.info.get("exif"))
        metadata = gather(image.info.get("icc_profile"), exif, _resolution(image))
    return Decoded(pixels, Compression(codec="PNG"), exif.orientation, metadata)


def _pixels(image: PngImageFile, data: bytes) -> NDArray[Any]:
    depth = data[_DEPTH]
    key = image.info.get("transparency")
    if image.mode == "P":
        # The palette may give every entry an alpha.
        return np.asarray(image.convert("RGB")) if key is None else drop_alpha(np.asarray(image.convert("RGBA")))
    if depth == 16 and data[_COLOUR_TYPE] != _GRAY:
        # Pillow keeps only eight bits of colour.
        import imagecodecs

        with libpng_quiet() as said:
            pixels = imagecodecs.png_decode(data)
        if any(b"IDAT" in line for line in said):
            raise ValueError("its pixel data are damaged")  # of which libpng only warns
    elif image.mode == "1":
        pixels = np.asarray(image).astype(np.uint8) * np.uint8(255)
    else:
        pixels = np.asarray(image)
        pixels = pixels.astype(np.uint16) if depth == 16 else pixels
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        return drop_alpha(pixels)
    if key is not None:
        # Pillow spreads 2 and 4 bits over eight, but not the key with them.
        refuse_colour_key(pixels, key * _SPREAD.get(depth, 1) if isinstance(key, int) else key)
    return pixels


def _resolution(image: PngImageFile) -> Resolution | None:
    if "dpi" in image.info:
        return resolution_of(image.info["dpi"], "inch")
    return resolution_of(image.info["aspect"], "none") if "aspect" in image.info else None
