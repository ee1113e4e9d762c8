"""Enhanced images as TIFF or PNG, with the record that lets a reader check how they were made, and make them again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from marsqe.errors import ExportError, ReadError
from marsqe.export.atomic import atomic, atomic_set
from marsqe.export.layers import pages_of
from marsqe.export.options import ExportOptions
from marsqe.export.record import readable_facts, record_of
from marsqe.export.scale import metres_per_pixel, to_depth
from marsqe.export.sidecars import sidecar_paths, source_bytes, write_json, write_label
from marsqe.export.tiff import write_tiff
from marsqe.image import Pixels
from marsqe.ome import Page, parse_ome
from marsqe.read.boundary import strict_and_quiet
from marsqe.results import Enhancement, Judgement
from marsqe.terrain import Terrain

TIFF_ENDINGS: Final = (".tif", ".tiff")
PNG_ENDINGS: Final = (".png",)
PROVENANCE_KEY: Final = "marsqe"
_METRES: Final = {"inch": 0.0254, "centimeter": 0.01}


def save_enhancement(
    enhancement: Enhancement, path: Path, options: ExportOptions | None = None, judgement: Judgement | None = None
) -> Path:
    """Write enhanced pixels with their record, and what else the options ask for: all of it, or nothing.

    TIFF keeps scale, ICC profile, EXIF and georeferences of the source. ``ImageDescription`` is OME-XML: names and
    scale of the pages, the record as JSON, and the facts that people look for, which GDAL finds in its own tag, too.
    PNG holds the record in a text chunk "marsqe".

    Parameters
    ----------
    enhancement : Enhancement
    path : Path
        Ending in ``.tif``, ``.tiff`` or ``.png``. Sidecars take its stem.
    options : ExportOptions, optional
    judgement : Judgement, optional
        For the layer "residual", and the report.

    Returns
    -------
    Path
        The image written.

    Raises
    ------
    ExportError
        If the ending is another, an option cannot be had for it, or a file cannot be written; nothing is left then.
    """
    chosen = options or ExportOptions()
    beside = sidecar_paths(path, chosen.sidecars, enhancement.source)
    with atomic_set([path, *beside.values()]) as (image_part, *parts):
        record = write_image(image_part, enhancement, chosen, judgement, named=path)
        for (kind, target), part in zip(beside.items(), parts, strict=True):
            if kind == "json":
                write_json(part, record, path.name, image_part, enhancement.source.metadata.get("label"), judgement)
            elif kind == "pds4":
                write_label(part, target, path.name, image_part, record, readable_facts(record))
            elif kind == "source":
                part.write_bytes(source_bytes(enhancement.source))
            else:
                from marsqe.export.report import render_report

                part.write_text(render_report(enhancement, judgement, record=record), encoding="utf-8")
    return path


def write_image(
    part: Path,
    enhancement: Enhancement,
    options: ExportOptions,
    judgement: Judgement | None = None,
    named: Path | None = None,
) -> dict[str, Any]:
    """Write the image alone, under whatever name, and return its record; see :func:`save_enhancement`.

    ``named`` is the name that the file will take, whose ending says of which kind it is; ``part`` by default.
    """
    is_tiff = _is_tiff(named or part)
    pixels, scale, scaling = to_depth(enhancement, options.depth)
    record, metadata = record_of(enhancement, options, scaling, judgement), enhancement.source.metadata
    if not is_tiff:
        _check_png(pixels, options)
        _write_png(part, pixels, record, metadata)
        return record
    pages = [Page(f"enhanced ({enhancement.model})", pixels), *pages_of(enhancement, judgement, options.layers)]
    metres, packing = metres_per_pixel(metadata, options.pixel_size), options.compression
    facts = readable_facts(record)
    write_tiff(part, pages, record, facts, metadata, compression=packing, metres=metres, full_scale=scale)
    return record


def save_pixels(
    pixels: Pixels, path: Path, provenance: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
) -> Path:
    """Write pixels (H, W) or (H, W, 3) of uint8 or uint16 as TIFF or PNG.

    ``metadata`` may hold "resolution" (x, y, unit), "icc", "exif" and "geo"; raises as :func:`save_enhancement`.
    """
    record, facts = provenance or {}, metadata or {}
    write: Callable[[Path], None]
    if _is_tiff(path):
        page = Page(path.stem, pixels)

        def write(part: Path) -> None:
            write_tiff(part, [page], record, readable_facts(record), facts)
    else:
        _check_png(pixels, ExportOptions())

        def write(part: Path) -> None:
            _write_png(part, pixels, record, facts)

    with atomic(path) as part:
        write(part)
    return path


def _is_tiff(path: Path) -> bool:
    ending = path.suffix.lower()
    if ending not in (*TIFF_ENDINGS, *PNG_ENDINGS):
        raise ExportError(f"cannot write {path.name}: its ending must be .tif, .tiff or .png")
    return ending in TIFF_ENDINGS


def _check_png(pixels: NDArray[Any], options: ExportOptions) -> None:
    if pixels.dtype == np.float32 or (pixels.ndim == 3 and pixels.dtype == np.uint16):
        kind = "32-bit numbers" if pixels.dtype == np.float32 else "16-bit colour"
        raise ExportError(f"{kind} cannot be written as PNG here; choose a name that ends in .tif")
    if options.layers or "pds4" in options.sidecars:
        raise ExportError("a PNG takes neither layers nor a PDS4 label; choose a name that ends in .tif")


def _write_png(part: Path, pixels: NDArray[Any], record: dict[str, Any], facts: dict[str, Any]) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(PROVENANCE_KEY, json.dumps({PROVENANCE_KEY: record}, sort_keys=True))
    options: dict[str, Any] = {}
    resolution = facts.get("resolution")
    if resolution is not None and resolution[2] in _METRES:
        options["dpi"] = tuple(float(n) * 0.0254 / _METRES[resolution[2]] for n in resolution[:2])
    if facts.get("icc"):
        options["icc_profile"] = facts["icc"]
    if facts.get("exif"):
        options["exif"] = facts["exif"]
    with part.open("wb") as stream:
        Image.fromarray(pixels).save(stream, "PNG", pnginfo=chunks, **options)


def read_provenance(path: Path) -> dict[str, Any]:
    """The record inside a TIFF or PNG that this package wrote.

    Raises
    ------
    ReadError
        If the file cannot be read or holds none.
    """
    try:
        with strict_and_quiet():
            if path.suffix.lower() in TIFF_ENDINGS:
                with tifffile.TiffFile(path) as file:
                    text = file.pages.first.description
                told = parse_ome(text)
                found = told.record if told is not None else json.loads(text)[PROVENANCE_KEY]
            else:
                with Image.open(path) as image:
                    found = json.loads(str(image.info.get(PROVENANCE_KEY, "")))[PROVENANCE_KEY]
        return dict(found)
    except Exception as error:  # what a damaged file leads the libraries to
        raise ReadError(f"{path} holds no provenance of an enhancement; give a file that marsqe exported") from error


def save_terrain(terrain: Terrain, path: Path) -> Path:
    """Write labels as an 8-bit PNG: 0 unlabelled, 1 sky, 2 sand, 3 soil, 4 rock."""
    if path.suffix.lower() not in PNG_ENDINGS:
        raise ExportError(f"cannot write {path.name}: terrain is written as .png")
    labels: NDArray[np.uint8] = terrain.labels
    with atomic(path) as part, part.open("wb") as stream:
        Image.fromarray(labels).save(stream, "PNG")
    return path
