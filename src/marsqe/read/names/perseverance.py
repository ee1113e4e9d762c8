"""Names of Mars 2020: Perseverance, and Ingenuity, whose images carry the same names.

After the Mars 2020 Camera EDR/RDR Data Products Software Interface Specification (JPL D-99960): 54 characters, of which
the last two, the version, are left out where NASA's raw image pages offer a file for download.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from marsqe.image import Product
from marsqe.read.names.fields import plain, whole

_NAME: Final = whole(
    r"""
    (?P<instrument>[A-Z]{2}) (?P<colour>[A-Z0-9_]) [A-Z0-9_]
    (?P<sol>[0-9]{4}) _                       # the underscore is the venue: flight, no test
    (?P<seconds>[0-9]{10}) _ (?P<milliseconds>[0-9]{3})
    (?P<type>[A-Z][A-Z0-9]{2}) [A-Z_] (?P<thumbnail>[NT])
    (?P<site>[A-Z0-9_]{3}) (?P<drive>[A-Z0-9_]{4}) (?P<sequence>[A-Z0-9_]{9})
    [A-Z0-9_]{4} (?P<downsampling>[0-9_]) (?P<compression>[A-Z0-9_]{2})
    [A-Z_] (?:[A-Z0-9]{2}|__)?
    """
)

_STEREO: Final = {"L": "left", "R": "right", "A": "both", "G": "both"}  # anaglyphs and colorglyphs hold both
_PAIRS: Final = {
    "F": "front Hazcam",
    "B": "front Hazcam",  # on the rover's second computer
    "R": "rear Hazcam",
    "N": "Navcam",
    "Z": "Mastcam-Z",
}
_CAMERAS: Final[dict[str, tuple[str, str | None]]] = {
    **{first + second: (camera, eye) for first, camera in _PAIRS.items() for second, eye in _STEREO.items()},
    **{f"S{second}": ("SHERLOC WATSON", eye) for second, eye in _STEREO.items()},
    "SI": ("SHERLOC WATSON", None),
    "SC": ("SHERLOC ACI", None),
    "PC": ("PIXL MCC", None),
    "LR": ("SuperCam RMI", None),
    "CC": ("CacheCam", None),
    "WS": ("MEDA SkyCam", None),
    "EA": ("parachute up-look camera A", None),
    "EB": ("parachute up-look camera B", None),
    "EC": ("parachute up-look camera C", None),
    "ED": ("rover down-look camera", None),
    "EL": ("lander vision camera", None),
    "ES": ("descent stage down-look camera", None),
    "EU": ("rover up-look camera", None),
    "HN": ("navigation camera", None),
    "HS": ("Return to Earth camera", None),
}
_COLOURS: Final = {
    "E": "Bayer mosaic",
    "M": "panchromatic",
    "A": "upper green cells",
    "D": "lower green cells",
    "F": "RGB",
    "R": "red band",
    "G": "green band",
    "B": "blue band",
    "T": "XYZ",
    "C": "xyY",
    "P": "HSI",
}
# Effective wavelengths of Hayes et al. 2021 (doi:10.1007/s11214-021-00795-x); filter 7 of both is for the Sun.
_FILTERS: Final = {
    "left": ("RGB", "800 nm", "754 nm", "677 nm", "605 nm", "528 nm", "442 nm", "solar"),
    "right": ("RGB", "800 nm", "866 nm", "910 nm", "939 nm", "978 nm", "1022 nm", "solar"),
}
_LAMPS: Final = {"R": "red LED", "G": "green LED", "B": "blue LED", "W": "several LEDs", "U": "ultraviolet LED"}
_LOSSLESS: Final = {"LI": "ICER lossless", "LL": "LOCO lossless", "LM": "Malin lossless", "LU": "uncompressed"}


def find(name: str) -> Iterator[Product]:
    """Every product that a name holds."""
    for match in _NAME.finditer(name):
        product = _product({key: text.upper() for key, text in match.groupdict().items()})
        if product is not None:
            yield product


def _product(field: dict[str, str]) -> Product | None:
    instrument = field["instrument"]
    if instrument not in _CAMERAS:
        return None
    camera, eye = _CAMERAS[instrument]
    optical, colour = _light(camera, eye, field["colour"])
    compression, quality = _compression(field["compression"])
    steps = plain(field["downsampling"])
    return Product(
        mission="Ingenuity" if instrument in ("HN", "HS") else "Perseverance",
        camera=camera,
        eye=eye,
        filter=optical,
        sol=int(field["sol"]),
        clock=f"{int(field['seconds'])}.{field['milliseconds']}",
        onboard_compression=compression,
        onboard_quality=quality,
        product_type=field["type"],
        colour=colour,
        sequence=field["sequence"],
        site=plain(field["site"]),
        drive=plain(field["drive"]),
        thumbnail=field["thumbnail"] == "T",
        downsampling=None if steps is None else 2**steps,
    )


def _light(camera: str, eye: str | None, sign: str) -> tuple[str | None, str | None]:
    """Filter or lamp, and what the samples are."""
    if camera == "PIXL MCC":
        return _LAMPS.get(sign), None
    if camera == "Mastcam-Z" and eye in _FILTERS and re.fullmatch("[0-7]", sign):
        return f"{eye[0].upper()}{sign} ({_FILTERS[eye][int(sign)]})", None
    return None, _COLOURS.get(sign)


def _compression(signs: str) -> tuple[str | None, int | None]:
    """Description and JPEG quality; both None where the code is not among those that are documented."""
    if signs in _LOSSLESS:
        return _LOSSLESS[signs], None
    if signs.isdecimal() and int(signs) > 0:
        return f"JPEG quality {int(signs)}", int(signs)
    if re.fullmatch("I[1-8]", signs):
        return f"ICER lossy, about {signs[1]} bit{'s' if signs[1] != '1' else ''} per pixel", None
    return ("ICER lossy", None) if signs in ("I0", "I9") else (None, None)
