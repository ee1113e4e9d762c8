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

HELD: Final = "real numbers in the source's units, not clipped, each frequency within the JPEG's interval"
"""The scaling of 32-bit numbers, in words."""


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


def _why_not(enhancement: Enhancement) -> str:
    source = enhancement.source
    if source.compression.tables is None:
        return f"{source.name} is no JPEG, so it has no intervals to keep to; choose another depth"
    if not enhancement.provenance.get("settings", {}).get("faithful"):
        return "it was not held to the JPEG's coefficients; enhance it held to the JPEG, or choose another depth"
    return f"the coefficients of {source.name} are gone; bring the file back as it was, or choose another depth"


def available_depths(enhancement: Enhancement) -> list[str]:
    """Depths that a result can be written in: real numbers only where it was held to a JPEG."""
    faithful = enhancement.provenance.get("settings", {}).get("faithful")
    return [depth for depth in DEPTHS if depth != "float" or faithful]


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
        If real numbers are asked for and the result has none; see :meth:`Enhancement.float_pixels`.
    """
    pixels, scale = enhancement.pixels, enhancement.source.full_scale
    if depth == "float":
        exact = enhancement.float_pixels()
        if exact is None:
            raise SettingError(f"there are no 32-bit numbers of this result: {_why_not(enhancement)}")
        return exact, scale, HELD
    if depth == "8" and pixels.dtype == np.uint16:
        return as_8bit(pixels, scale), 255, f"round(x * 255 / {scale})"
    if depth == "16" and pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * np.uint16(257), 65535, "x * 257"
    return pixels, scale, "none"
