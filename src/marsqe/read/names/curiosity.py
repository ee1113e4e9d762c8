"""Names of the Mars Science Laboratory, Curiosity, with their copies in Mars32K, AI4MARS and other data sets.

Engineering cameras and ChemCam after the MSL Camera and LIBS EDR/RDR Data Products SIS: 36 characters. They give the
clock, but no sol and no compression. Mastcam, MAHLI and MARDI after the Mastcam, MAHLI and MARDI EDR/RDR Data Product
SIS: 25 characters and a processing code of four. NASA's raw image pages of the first year used a shorter form, of whose
ten digits we found no description.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from marsqe.image import Product
from marsqe.read.names.fields import plain, whole

_ENGINEERING: Final = whole(
    r"""
    (?:SOL(?P<sol>[0-9]{5}))?                 # put before it by a data set of PDS image chips
    (?P<instrument>[A-Z]{2}) [A-Z0-9_] [A-Z0-9_] (?P<clock>[0-9]{9})
    (?P<type>[A-Z]{3}) [A-Z_] (?P<sample>[A-Z])
    (?P<site>[A-Z0-9_]{3}) (?P<drive>[A-Z0-9_]{4}) (?P<sequence>[A-Z0-9_]{9})
    [A-Z_] [A-Z0-9_]
    """
)
_SCIENCE: Final = whole(
    r"""
    (?P<sol>[0-9]{4}) (?P<instrument>M[DHLR])
    (?: (?P<sequence>[0-9]{6}) [0-9]{10} (?P<kind>[A-U]) [0-9A-F] [0-9A-Z_] (?: _ (?P<type>[A-Z]{4}) )?
      | [0-9]{10} (?P<short_kind>[A-U]) [0-9] _ (?P<short_type>[A-Z]{4})
    )
    """
)

_STEREO: Final = {"L": "left", "R": "right", "A": "both", "S": "both"}
_PAIRS: Final = {"F": "front Hazcam", "R": "rear Hazcam", "N": "Navcam", "M": "Mastcam"}
_CAMERAS: Final[dict[str, tuple[str, str | None]]] = {
    **{first + second: (camera, eye) for first, camera in _PAIRS.items() for second, eye in _STEREO.items()},
    "CR": ("ChemCam RMI", None),
    "MH": ("MAHLI", None),
    "MD": ("MARDI", None),
}
# Still images, video frames, products of focus stacks; then the same as thumbnails.
_KINDS: Final = {
    "A": "uncompressed, 16 bits",
    **dict.fromkeys("BJ", "uncompressed"),
    **dict.fromkeys("CK", "Malin lossless"),
    **dict.fromkeys("DLS", "gray JPEG"),
    **dict.fromkeys("EM", "JPEG 4:2:2"),
    **dict.fromkeys("FNR", "JPEG 4:4:4"),
    **dict.fromkeys("GO", "uncompressed"),
    **dict.fromkeys("HPU", "gray JPEG"),
    **dict.fromkeys("IQT", "JPEG 4:4:4"),
}
_THUMBNAILS: Final = "GHIOPQTU"


def find(name: str) -> Iterator[Product]:
    """Every product that a name holds."""
    for pattern, product in ((_ENGINEERING, _engineering), (_SCIENCE, _science)):
        for match in pattern.finditer(name):
            field = {key: text.upper() for key, text in match.groupdict().items() if text is not None}
            if field["instrument"] in _CAMERAS:
                yield product(field)


def _engineering(field: dict[str, str]) -> Product:
    camera, eye = _CAMERAS[field["instrument"]]
    return Product(
        mission="Curiosity",
        camera=camera,
        eye=eye,
        sol=int(field["sol"]) if "sol" in field else None,
        clock=field["clock"],
        product_type=field["type"],
        sequence=field["sequence"],
        site=plain(field["site"]),
        drive=plain(field["drive"]),
        thumbnail=field["sample"] == "T",
    )


def _science(field: dict[str, str]) -> Product:
    camera, eye = _CAMERAS[field["instrument"]]
    kind = field.get("kind") or field["short_kind"]
    return Product(
        mission="Curiosity",
        camera=camera,
        eye=eye,
        sol=int(field["sol"]),
        onboard_compression=_KINDS[kind],
        product_type=field.get("type") or field.get("short_type"),
        sequence=field.get("sequence"),
        thumbnail=kind in _THUMBNAILS,
    )
