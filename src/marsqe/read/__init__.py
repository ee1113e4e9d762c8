"""Read: files of any supported kind become a :class:`marsqe.image.MarsImage`."""

from __future__ import annotations

from marsqe.read.limits import MAX_PIXELS, MAX_SIDE
from marsqe.read.opener import decode_image, open_image

__all__ = ["MAX_PIXELS", "MAX_SIDE", "decode_image", "open_image"]
