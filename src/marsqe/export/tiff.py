"""TIFF files that ImageJ, Bio-Formats, GDAL and tifffile read alike, with scale, names and the record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import tifffile

from marsqe.export.exif import Tag, append_exif, tags_of
from marsqe.ome import Page, ome_xml, plain

SOFTWARE: Final = "napari-marsqe"
_UNITS: Final = {"inch": 2, "centimeter": 3}
COMPRESSIONS: Final = {"deflate": "zlib", "lzw": "lzw", "zstd": "zstd", "none": None}
_DOCUMENT_NAME, _PAGE_NAME, _GDAL_METADATA = 269, 285, 42112
_PIXEL_SCALE, _TIEPOINT = 33550, 33922


def write_tiff(
    part: Path,
    pages: Sequence[Page],
    record: dict[str, Any],
    facts: dict[str, str],
    metadata: dict[str, Any],
    *,
    compression: str = "deflate",
    metres: float | None = None,
    full_scale: int | None = None,
) -> None:
    """Write pages into one file.

    Parameters
    ----------
    part : Path
    pages : sequence of Page
        The image first.
    record : dict
        JSON-ready; see :func:`marsqe.export.record.record_of`.
    facts : dict
        The same for people: shown by GDAL, QGIS and Bio-Formats.
    metadata : dict
        Of the source: "resolution", "icc", "exif", "geo".
    compression : {"deflate", "lzw", "zstd", "none"}
    metres : float, optional
        What a pixel spans.
    full_scale : int, optional
        What full exposure is written as on the first page.
    """
    packed = {"compression": COMPRESSIONS[compression], "metadata": None}
    with tifffile.TiffWriter(part, byteorder="<") as writer:
        for number, page in enumerate(pages):
            if number == 0:
                own = first_page(pages, record, facts, metadata, metres, full_scale)
            else:
                own = {
                    "extratags": [_text(_PAGE_NAME, page.name), *_place(metadata, metres)],
                    **_scale(metadata, metres),
                }
            photometric = "rgb" if page.pixels.ndim == 3 else "minisblack"
            writer.write(page.pixels, photometric=photometric, **packed, **own)
    append_exif(part, metadata.get("exif"))


def first_page(
    pages: Sequence[Page],
    record: dict[str, Any],
    facts: dict[str, str],
    metadata: dict[str, Any],
    metres: float | None = None,
    full_scale: int | None = None,
) -> dict[str, Any]:
    """Options of ``TiffWriter.write`` for the first page, which carries what is told of all; see :func:`write_tiff`."""
    # No predictor: ImageJ ignores it beside deflate, and would show differences in place of the image.
    tags = [_text(_PAGE_NAME, pages[0].name), *_place(metadata, metres)]
    tags += [_text(_DOCUMENT_NAME, facts.get("source_file", pages[0].name)), _text(_GDAL_METADATA, _gdal(facts))]
    return {
        "description": ome_xml(pages, record, facts, metres, full_scale),
        "software": SOFTWARE,
        "iccprofile": metadata.get("icc") or None,
        "extratags": [*tags, *tags_of(metadata.get("exif"))],
        **_scale(metadata, metres),
    }


def _scale(metadata: dict[str, Any], metres: float | None) -> dict[str, Any]:
    """The resolution: of the pixel on Mars where it is known, else of the print, as the source has it."""
    if metres is not None:
        return {"resolution": (0.01 / metres, 0.01 / metres), "resolutionunit": _UNITS["centimeter"]}
    resolution = metadata.get("resolution")
    if resolution is None:
        return {}
    return {"resolution": resolution[:2], "resolutionunit": _UNITS.get(resolution[2], 1)}


def _place(metadata: dict[str, Any], metres: float | None) -> list[Tag]:
    """Where the pixels lie: what a georeferenced source says, else the scale alone, from the upper left corner."""
    geo: list[Tag] = [(code, kind, count, value, False) for code, kind, count, value in metadata.get("geo", ())]
    if geo or metres is None:
        return geo
    return [(_PIXEL_SCALE, 12, 3, (metres, metres, 0.0), False), (_TIEPOINT, 12, 6, (0.0,) * 6, False)]


def _gdal(facts: dict[str, str]) -> str:
    root = ET.Element("GDALMetadata")
    for key, text in facts.items():
        ET.SubElement(root, "Item", {"name": key.upper()}).text = plain(text)
    return ET.tostring(root, encoding="us-ascii", xml_declaration=False).decode("ascii")


def _text(code: int, text: str) -> Tag:
    return code, 2, 0, plain(text).encode("ascii", "replace").decode("ascii"), True
