"""Names of InSight's two cameras.

After the InSight Camera EDR/RDR Data Products SIS (in the bundle urn:nasa:pds:insight_cameras). They give sol and
clock, but no compression.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from marsqe.image import Product
from marsqe.read.names.fields import whole

_NAME: Final = whole(
    r"""
    (?P<instrument>[CD]) [0-9]{3} M (?P<sol>[0-9]{4}) _   # the underscore is the venue: flight, no test
    (?P<clock>[0-9]{9}) (?P<type>[A-Z]{3}) [A-Z_] (?P<sample>[A-Z]) [0-9]{4} _ [0-9]{4} [A-Z] [A-Z0-9_]
    """
)
_CAMERAS: Final = {"C": "context camera (ICC)", "D": "deployment camera (IDC)"}


def find(name: str) -> Iterator[Product]:
    """Every product that a name holds."""
    for match in _NAME.finditer(name):
        field = {key: text.upper() for key, text in match.groupdict().items()}
        yield Product(
            mission="InSight",
            camera=_CAMERAS[field["instrument"]],
            sol=int(field["sol"]),
            clock=field["clock"],
            product_type=field["type"],
            thumbnail=field["sample"] == "T",
        )
