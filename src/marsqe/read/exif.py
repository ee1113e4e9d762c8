"""EXIF: the orientation that a viewer must apply, and the resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from PIL import Image

Resolution = tuple[float, float, str]
"""Pixels per unit along x and y, and the unit: "inch", "centimeter" or "none" (only the aspect is known)."""

_PREFIX = b"Exif\0\0"
_ORIENTATION, _X, _Y, _UNIT = 0x0112, 0x011A, 0x011B, 0x0128
_UNITS = {1: "none", 2: "inch", 3: "centimeter"}


@dataclass(frozen=True)
class ExifFacts:
    """What matters of an EXIF block. In ``data`` the orientation is 1, as its pixels are handed on upright."""

    orientation: int = 1
    resolution: Resolution | None = None
    data: bytes | None = None


def resolution_of(pair: tuple[Any, Any], unit: str) -> Resolution | None:
    """A checked resolution: None where a number is missing, not finite or not positive, or where nothing is said."""
    try:
        horizontal, vertical = float(pair[0]), float(pair[1])
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if not (math.isfinite(horizontal) and math.isfinite(vertical) and horizontal > 0 and vertical > 0):
        return None
    if unit == "none" and horizontal == vertical:
        return None
    return horizontal, vertical, unit


def parse_exif(raw: bytes | None) -> ExifFacts:
    """Read an EXIF block (with or without its "Exif" prefix). A damaged one is ignored: the pixels are still good."""
    if not raw:
        return ExifFacts()
    block = raw if raw.startswith(_PREFIX) else _PREFIX + raw
    exif = Image.Exif()
    try:
        exif.load(block)
        orientation = exif.get(_ORIENTATION, 1)
        orientation = orientation if orientation in range(1, 9) else 1
        resolution = resolution_of((exif.get(_X), exif.get(_Y)), _UNITS.get(exif.get(_UNIT, 2), "inch"))
        if orientation != 1:
            exif[_ORIENTATION] = 1
            written = exif.tobytes()
            block = written if written.startswith(_PREFIX) else _PREFIX + written
    except Exception:  # Pillow raises whatever the damaged bytes lead it to
        return ExifFacts()
    return ExifFacts(int(orientation), resolution, block)


def gather(icc: bytes | None, exif: ExifFacts, resolution: Resolution | None) -> dict[str, Any]:
    """The ``metadata`` of an image; the container's own resolution goes before that of the EXIF block."""
    found = {"icc": icc or None, "exif": exif.data, "resolution": resolution or exif.resolution}
    return {key: value for key, value in found.items() if value is not None}
