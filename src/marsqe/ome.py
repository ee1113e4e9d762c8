"""OME-XML: the text in ``ImageDescription`` from which Bio-Formats (Fiji), tifffile and others take scale and names.

After the OME schema 2016-06. Written by hand, for writers of it add the time and a random identifier: the same result
is to give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray

NAMESPACE: Final = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
RECORD_NAMESPACE: Final = "napari-marsqe/record"
FACTS_NAMESPACE: Final = "napari-marsqe/facts"
_TYPES: Final = {"uint8": "uint8", "uint16": "uint16", "float32": "float"}


@dataclass(frozen=True)
class Page:
    """One picture of a file: a name and (H, W) or (H, W, 3) of uint8, uint16 or float32."""

    name: str
    pixels: NDArray[Any]


def ome_xml(
    pages: Sequence[Page],
    record: dict[str, Any],
    facts: dict[str, str],
    metres: float | None = None,
    full_scale: int | None = None,
) -> str:
    """The description of a file, in ASCII.

    Parameters
    ----------
    pages : sequence of Page
        In the order in which they are written.
    record : dict
        Held as JSON in a comment annotation.
    facts : dict
        Held as a map annotation.
    metres : float, optional
        What a pixel spans.
    full_scale : int, optional
        Of the first page; of 16 bits it is told as the number of significant bits.
    """
    root = ET.Element("OME", {"xmlns": NAMESPACE, "Creator": facts.get("software", "napari-marsqe")})
    for number, page in enumerate(pages):
        image = ET.SubElement(root, "Image", {"ID": f"Image:{number}", "Name": plain(page.name)})
        if number == 0 and "statement" in facts:
            ET.SubElement(image, "Description").text = plain(facts["statement"])
        _add_pixels(image, number, page, metres, full_scale if number == 0 else None)
        if number == 0:
            for annotation in range(2):
                ET.SubElement(image, "AnnotationRef", {"ID": f"Annotation:{annotation}"})
    annotations = ET.SubElement(root, "StructuredAnnotations")
    comment = ET.SubElement(annotations, "CommentAnnotation", {"ID": "Annotation:0", "Namespace": RECORD_NAMESPACE})
    ET.SubElement(comment, "Value").text = json.dumps(record, sort_keys=True)
    table = ET.SubElement(annotations, "MapAnnotation", {"ID": "Annotation:1", "Namespace": FACTS_NAMESPACE})
    value = ET.SubElement(table, "Value")
    for key, text in facts.items():
        ET.SubElement(value, "M", {"K": key}).text = plain(text)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>'
    return declaration + ET.tostring(root, encoding="us-ascii", xml_declaration=False).decode("ascii")


def _add_pixels(image: ET.Element, number: int, page: Page, metres: float | None, full_scale: int | None) -> None:
    height, width = page.pixels.shape[:2]
    samples = 3 if page.pixels.ndim == 3 else 1
    attributes = {
        "ID": f"Pixels:{number}",
        "DimensionOrder": "XYCZT",
        "Type": _TYPES[page.pixels.dtype.name],
        "SizeX": str(width),
        "SizeY": str(height),
        "SizeC": str(samples),
        "SizeZ": "1",
        "SizeT": "1",
        "Interleaved": "true" if samples == 3 else "false",
    }
    if full_scale is not None and page.pixels.dtype == np.uint16:
        attributes["SignificantBits"] = str(int(full_scale).bit_length())
    if metres is not None:
        size, unit = (metres, "m") if metres >= 0.01 else (metres * 1000, "mm")
        for axis in "XY":
            attributes |= {f"PhysicalSize{axis}": f"{size:.10g}", f"PhysicalSize{axis}Unit": unit}
    pixels = ET.SubElement(image, "Pixels", attributes)
    ET.SubElement(pixels, "Channel", {"ID": f"Channel:{number}:0", "SamplesPerPixel": str(samples)})
    ET.SubElement(pixels, "TiffData", {"IFD": str(number), "PlaneCount": "1"})


def plain(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return "".join(c if c.isprintable() and not "\ud800" <= c <= "\udfff" else "?" for c in text)


@dataclass(frozen=True)
class Told:
    """What our description tells: the record, and the significant bits of the first page."""

    record: dict[str, Any]
    significant_bits: int | None = None


def parse_ome(text: str) -> Told | None:
    """What a description tells that :func:`ome_xml` wrote; None for any other text."""
    if RECORD_NAMESPACE not in text or "<!" in text:  # ours declare no entities, which a forged one could blow up
        return None
    try:
        root = ET.fromstring(text)
        found = root.find(f".//{{*}}CommentAnnotation[@Namespace='{RECORD_NAMESPACE}']/{{*}}Value")
        record = json.loads(found.text or "") if found is not None else None
        pixels = root.find(".//{*}Pixels")
        bits = None if pixels is None else pixels.get("SignificantBits")
        return Told(record, None if bits is None else int(bits)) if isinstance(record, dict) else None
    except (ET.ParseError, ValueError, RecursionError):
        return None
