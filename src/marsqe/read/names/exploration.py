"""Names of the Mars Exploration Rovers, Spirit and Opportunity.

After the MER Camera EDR/RDR Operations and Science Data Products SIS: 27 characters. They give the clock, but no sol
and no compression; most of these images were sent as ICER or LOCO.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from marsqe.image import Product
from marsqe.read.names.fields import two_sign_counter, whole

_NAME: Final = whole(
    r"""
    (?P<rover>[12]) (?P<instrument>[EFMNPR]) (?P<clock>[0-9]{9}) (?P<type>[A-Z]{3})
    (?P<site>[A-Z0-9]{2}|\#\#|__) (?P<drive>[A-Z0-9]{2}|\#\#|__) (?P<sequence>[A-Z][0-9]{4})
    (?P<eye>[BLMNR]) (?P<filter>[0-8]) [A-Z] [A-Z0-9_]
    """
)

_ROVERS: Final = {"1": "Opportunity", "2": "Spirit"}
_CAMERAS: Final = {
    "E": "descent camera",
    "F": "front Hazcam",
    "M": "Microscopic Imager",
    "N": "Navcam",
    "P": "Pancam",
    "R": "rear Hazcam",
}
_EYES: Final = {"L": "left", "R": "right", "B": "both"}
# Filters 1 to 8 with their centres (Bell et al. 2003, doi:10.1029/2003JE002070).
_FILTERS: Final = {
    "L": ("empty", "753 nm", "673 nm", "601 nm", "535 nm", "482 nm", "432 nm", "solar, 440 nm"),
    "R": ("436 nm", "754 nm", "803 nm", "864 nm", "904 nm", "934 nm", "1009 nm", "solar, 880 nm"),
}


def find(name: str) -> Iterator[Product]:
    """Every product that a name holds."""
    for match in _NAME.finditer(name):
        yield _product({key: text.upper() for key, text in match.groupdict().items()})


def _product(field: dict[str, str]) -> Product:
    eye, number, kind = field["eye"], int(field["filter"]), field["type"]
    optical = None
    if field["instrument"] == "P" and eye in _FILTERS and number > 0:
        optical = f"{eye}{number} ({_FILTERS[eye][number - 1]})"
    # Raw thumbnails are ETH; of derived products T ends the plain and N the linearized ones.
    thumbnail = kind == "ETH" or (kind[0] != "E" and kind[2] in "TN")
    return Product(
        mission=_ROVERS[field["rover"]],
        camera=_CAMERAS[field["instrument"]],
        eye=_EYES.get(eye),
        filter=optical,
        clock=field["clock"],
        product_type=kind,
        sequence=field["sequence"],
        site=two_sign_counter(field["site"]),
        drive=two_sign_counter(field["drive"]),
        thumbnail=thumbnail,
    )
