"""How much a pixel spans, and the numbers that black and white are written as."""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.colour import as_8bit
from marsqe.errors import SettingError
from marsqe.export.options import DEPTHS
from marsqe.results import Enhancement

_UNITS: Final = {"KM": 1000.0, "M": 1.0, "METER": 1.0, "METERS": 1.0, "CM": 0.01, "MM": 0.001, "UM": 1e-6, "": None}


def metres_per_pixel(metadata: dict[str, Any], pixel_size: float | None = None) -> float | None:
    """Metres that a pixel spans: what the user says, else what the product's label tells in a unit of length.

    Parameters
    ----------
    metadata : dict
        Of the image; "pixel_scale" (number, unit), for example ``(0.25, "METERS/PIXEL")``.
    pixel_size : float, optional
        What the user says.
    """
    if pixel_size is not None:
        return float(pixel_size)
    value, unit = metadata.get("pixel_scale") or (None, "")
    word = re.split(r"[\s/*]", str(unit).upper().strip("<> "))[0].replace("KILOMETERS", "KM")
    factor = _UNITS.get(word)
    return None if value is None or factor is None else float(value) * factor


def available_depths(enhancement: Enhancement) -> list[str]:
    """Depths that a result can be written in."""
    faithful = enhancement.provenance.get("settings", {}).get("faithful")
    has_float = hasattr(enhancement, "float_pixels") and faithful and enhancement.region is None
    return [depth for depth in DEPTHS if depth != "float" or has_float]


def _float_pixels(enhancement: Enhancement) -> NDArray[np.float32] | None:
    ask = getattr(enhancement, "float_pixels", None)
    return None if ask is None else ask()


def to_depth(enhancement: Enhancement, depth: str) -> tuple[NDArray[Any], int, str]:
    """The pixels in the depth that is asked for.

    Returns
    -------
    pixels : ndarray of uint8, uint16 or float32
    full_scale : int
        The number that full exposure is written as.
    words : str
        The scaling, for the record.

    Raises
    ------
    SettingError
        If pixels before rounding are asked for and the enhancement holds none.
    """
    pixels, scale = enhancement.pixels, enhancement.source.full_scale
    if depth == "float":
        exact = _float_pixels(enhancement)
        if exact is None:
            raise SettingError("this enhancement holds no pixels before rounding; choose another depth")
        return np.asarray(exact, np.float32), scale, "before rounding, in the source's numbers"
    if depth == "8" and pixels.dtype == np.uint16:
        return as_8bit(pixels, scale), 255, f"round(x * 255 / {scale})"
    if depth == "16" and pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * np.uint16(257), 65535, "x * 257"
    return pixels, scale, "none"
