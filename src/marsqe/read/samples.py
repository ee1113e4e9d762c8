"""Samples of mission products, as they are: neither stretched nor scaled."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import ReadError
from marsqe.read.limits import check_size


def as_pixels(samples: NDArray[Any]) -> NDArray[Any]:
    """Bring (H, W), (1, H, W) or (3, H, W) samples to (H, W) or (H, W, 3) of uint8 or uint16, numbers kept.

    Raises
    ------
    ReadError
        If there are other bands, or samples that neither of the two dtypes can hold.
    """
    if samples.ndim == 3 and samples.shape[0] == 1:
        samples = samples[0]
    if samples.ndim not in (2, 3) or (samples.ndim == 3 and samples.shape[0] != 3):
        raise ReadError(f"its data have the shape {samples.shape}; save the one or three bands that you want as a TIFF")
    check_size(samples.shape[-1], samples.shape[-2])
    if samples.dtype.kind not in "iu" or samples.dtype.itemsize > 2:
        raise ReadError(
            f"its samples are {samples.dtype.newbyteorder('=').name} numbers, of which black and white are not known; "
            "rescale them to unsigned integers of 16 bits first"
        )
    if samples.dtype.kind == "i" and samples.min() < 0:
        raise ReadError(f"it has negative samples, down to {samples.min()}; rescale them to unsigned integers first")
    if samples.ndim == 3:
        samples = np.moveaxis(samples, 0, -1)
    return np.ascontiguousarray(samples, dtype=np.uint8 if samples.dtype.itemsize == 1 else np.uint16)


def significant_bits(pixels: NDArray[Any], mask: object) -> int | None:
    """How many bits of 16-bit pixels are used; None for 8 bits, or where the label does not tell it truly.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16
    mask : object
        The label's bit mask: a number, or text like ``2#0000111111111111#``.
    """
    digits = re.fullmatch(r"2#([01]+)#", str(mask).strip())
    number = int(digits[1], 2) if digits else mask
    if pixels.dtype != np.uint16 or not isinstance(number, int) or not int(pixels.max()) <= number <= 0xFFFF:
        return None
    return number.bit_length()
