"""Files beside an exported image: its record as JSON, a label in the manner of PDS4, a copy of the source."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import tifffile

from marsqe.errors import ExportError
from marsqe.image import MarsImage
from marsqe.ome import plain
from marsqe.results import Judgement

ENDINGS: Final = {"json": ".json", "pds4": ".xml", "report": ".html"}
_PDS4: Final = "http://pds.nasa.gov/pds4/pds/v1"
_XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"
_TYPES: Final = {"uint8": "UnsignedByte", "uint16": "UnsignedLSB2", "float32": "IEEE754LSBSingle"}


def sidecar_paths(path: Path, kinds: Sequence[str], source: MarsImage) -> dict[str, Path]:
    """Where the sidecars of an image go: beside it, by its stem.

    Raises
    ------
    ExportError
        If a copy of the source is asked for and the image came from no file.
    """
    paths = {kind: path.with_suffix(ENDINGS[kind]) for kind in kinds if kind != "source"}
    if "source" in kinds:
        source_bytes(source)
        ending = source.path.suffix if source.path is not None else ".jpg"
        paths["source"] = path.with_name(f"{path.stem}.source{ending}")
    return paths


def source_bytes(source: MarsImage) -> bytes:
    """The file that an image came from, as it was when it was opened.

    Raises
    ------
    ExportError
        If it came from none, or the file has changed or gone since.
    """
    data: bytes | None = source.metadata.get("encoded")
    if data is None and source.path is not None:
        with suppress(OSError):
            data = source.path.read_bytes()
    if data is None or hashlib.sha256(data).hexdigest() != source.sha256:
        why = "it came from no file" if data is None else "its file has changed since it was opened"
        raise ExportError(f"no copy of {source.name} can be written: {why}; leave the sidecar 'source' out")
    return data


def write_json(
    part: Path,
    record: dict[str, Any],
    name: str,
    image: Path,
    label: str | None = None,
    judgement: Judgement | None = None,
) -> None:
    """The record, with the name, size and SHA-256 of the file that it belongs to.

    Parameters
    ----------
    part : Path
        Where to write.
    record : dict
    name : str
        The file's name.
    image : Path
        Where the file is at the moment.
    label : str, optional
        That of the mission's product which was enhanced.
    judgement : Judgement, optional
        With a truth: its figures are written, too; infinite ones as text.
    """
    with image.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    document: dict[str, Any] = {
        "file": {"name": name, "bytes": image.stat().st_size, "sha256": digest},
        "record": record,
    }
    document |= {} if label is None else {"source_label": label}
    if judgement is not None and judgement.has_truth:
        document["judgement"] = {
            what: {name: value if math.isfinite(value) else str(value) for name, value in figures.items()}
            for what, figures in judgement.as_record().items()
        }
        document["judgement"]["truth"] = judgement.truth
    part.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="ascii")


def write_label(part: Path, label: Path, name: str, image: Path, record: dict[str, Any], facts: dict[str, str]) -> None:
    """An XML label: who, what and, of uncompressed files, where the arrays lie, so that PDS tools read them.

    It follows the PDS4 information model without being validated against it: no archive assigned its identifier.

    Raises
    ------
    ExportError
        If a page does not lie in one piece, which would be an error of ours.
    """
    with tifffile.TiffFile(image) as file:
        pages = [page for page in file.pages if isinstance(page, tifffile.TiffPage)]
        packed = any(page.compression != tifffile.COMPRESSION.NONE for page in pages)
        kind = "Product_Browse" if packed else "Product_Observational"
        root = ET.Element(kind, {"xmlns": _PDS4, "xmlns:xsi": _XSI})
        _identify(root, kind, label.stem, record)
        if not packed:
            _observe(root, facts)
        area = ET.SubElement(root, "File_Area_Browse" if packed else "File_Area_Observational")
        _describe_file(area, name, image)
        if packed:
            coded = ET.SubElement(area, "Encoded_Image")
            ET.SubElement(coded, "offset", {"unit": "byte"}).text = "0"
            ET.SubElement(coded, "encoding_standard_id").text = "TIFF"
            ET.SubElement(coded, "description").text = _words(facts)
        else:
            for number, page in enumerate(pages):
                _describe_array(area, page, number, _words(facts) if number == 0 else "")
    ET.indent(root)
    ET.ElementTree(root).write(part, encoding="UTF-8", xml_declaration=True)


def _identify(root: ET.Element, kind: str, stem: str, record: dict[str, Any]) -> None:
    area = ET.SubElement(root, "Identification_Area")
    slug = re.sub("[^a-z0-9._-]", "_", stem.lower()) or "image"
    texts = {
        "logical_identifier": f"urn:local:napari-marsqe:enhanced:{slug}",
        "version_id": "1.0",
        "title": f"{stem}: enhanced from {(record.get('source') or {}).get('name', 'an image')}",
        "information_model_version": "1.16.0.0",
        "product_class": kind,
    }
    for key, text in texts.items():
        ET.SubElement(area, key).text = plain(text)


def _observe(root: ET.Element, facts: dict[str, str]) -> None:
    area = ET.SubElement(root, "Observation_Area")
    ET.SubElement(area, "comment").text = _words(facts)
    times = ET.SubElement(area, "Time_Coordinates")
    for key in ("start_date_time", "stop_date_time"):
        ET.SubElement(times, key, {"xsi:nil": "true", "nilReason": "unknown"})
    mission = ET.SubElement(area, "Investigation_Area")
    ET.SubElement(mission, "name").text = facts.get("mission", "unknown")
    ET.SubElement(mission, "type").text = "Mission"
    system = ET.SubElement(area, "Observing_System")
    part = ET.SubElement(system, "Observing_System_Component")
    ET.SubElement(part, "name").text = facts.get("camera", "unknown")
    ET.SubElement(part, "type").text = "Instrument"
    target = ET.SubElement(area, "Target_Identification")
    ET.SubElement(target, "name").text = "Mars"
    ET.SubElement(target, "type").text = "Planet"


def _describe_file(area: ET.Element, name: str, image: Path) -> None:
    file = ET.SubElement(area, "File")
    ET.SubElement(file, "file_name").text = plain(name)
    ET.SubElement(file, "file_size", {"unit": "byte"}).text = str(image.stat().st_size)
    with image.open("rb") as stream:
        ET.SubElement(file, "md5_checksum").text = hashlib.file_digest(stream, "md5").hexdigest()


def _describe_array(area: ET.Element, page: tifffile.TiffPage, number: int, words: str) -> None:
    if not page.is_contiguous:
        raise ExportError("the image does not lie in one piece in its file; write it without a PDS4 label")
    axes = [("Line", page.imagelength), ("Sample", page.imagewidth)]
    axes += [("Band", page.samplesperpixel)] if page.samplesperpixel > 1 else []
    array = ET.SubElement(area, f"Array_{len(axes)}D_Image")
    ET.SubElement(array, "name").text = plain(page.tags.valueof(285) or f"page {number + 1}")
    ET.SubElement(array, "local_identifier").text = "image" if number == 0 else f"layer_{number}"
    ET.SubElement(array, "offset", {"unit": "byte"}).text = str(page.dataoffsets[0])
    ET.SubElement(array, "axes").text = str(len(axes))
    ET.SubElement(array, "axis_index_order").text = "Last Index Fastest"
    if words:
        ET.SubElement(array, "description").text = words
    ET.SubElement(ET.SubElement(array, "Element_Array"), "data_type").text = _TYPES[page.dtype.name]
    for place, (axis, elements) in enumerate(axes, 1):
        entry = ET.SubElement(array, "Axis_Array")
        ET.SubElement(entry, "axis_name").text = axis
        ET.SubElement(entry, "elements").text = str(elements)
        ET.SubElement(entry, "sequence_number").text = str(place)


def _words(facts: dict[str, str]) -> str:
    return "; ".join(f"{key.replace('_', ' ')}: {plain(text)}" for key, text in facts.items())
