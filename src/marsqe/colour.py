"""Colour conversions that several steps share."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RGB_TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
"""JFIF: RGB to luma (ITU-R BT.601), and Cb and Cr centred on zero."""
LUMA_WEIGHTS = RGB_TO_YCC[0]
"""ITU-R BT.601 weights of JPEG's luma."""


def luma(pixels: NDArray[Any]) -> NDArray[Any]:
    """Luma of (H, W) or (H, W, 3) pixels, rounded, in their own integer dtype; gray pixels as they are."""
    if pixels.ndim == 2:
        return pixels
    return np.rint(pixels.astype(np.float32) @ LUMA_WEIGHTS.astype(np.float32)).astype(pixels.dtype)


def as_rgb(pixels: NDArray[Any]) -> NDArray[Any]:
    """(H, W, 3) view or copy of gray or RGB pixels."""
    return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels


def as_8bit(pixels: NDArray[Any], full_scale: int = 65535) -> NDArray[np.uint8]:
    """8-bit version of 8-bit or 16-bit pixels.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16
        8-bit pixels are returned as they are.
    full_scale : int
        The 16-bit value that becomes 255, see :attr:`marsqe.image.MarsImage.full_scale`; larger ones do, too.
    """
    if pixels.dtype == np.uint8:
        return pixels
    scaled = pixels.astype(np.float32) / np.float32(full_scale / 255)
    return np.rint(np.minimum(scaled, 255)).astype(np.uint8)
