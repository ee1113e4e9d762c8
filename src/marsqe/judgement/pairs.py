"""What every metric of an image and its truth has in common."""

from __future__ import annotations

import numpy as np

from marsqe.errors import SettingError
from marsqe.image import Pixels


def peak_of(image: Pixels, truth: Pixels) -> int:
    """Data range (255 or 65535) of two images that can be compared.

    Raises
    ------
    SettingError
        If shapes or dtypes differ, or the pixels are neither uint8 nor uint16.
    """
    if image.shape != truth.shape or image.dtype != truth.dtype:
        raise SettingError(
            f"the image is {image.shape} {image.dtype}, but the truth is {truth.shape} {truth.dtype}; "
            "choose images of the same size, channels and depth"
        )
    return peak(image)


def peak(image: Pixels) -> int:
    """Data range of an image, 255 or 65535; SettingError for other pixels than (H, W) or (H, W, 3) integers."""
    if image.dtype not in (np.uint8, np.uint16) or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise SettingError(
            f"a metric cannot be computed of {image.dtype} pixels of shape {image.shape}; "
            "give uint8 or uint16 pixels of shape (H, W) or (H, W, 3)"
        )
    return int(np.iinfo(image.dtype).max)
