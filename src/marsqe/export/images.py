"""Enhanced images as TIFF or PNG, with the provenance that lets a reader check how they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from marsqe.errors import ExportError, ReadError
from marsqe.export.atomic import atomic
from marsqe.image import Pixels
from marsqe.results import Enhancement
from marsqe.terrain import Terrain

TIFF_ENDINGS: Final = (".tif", ".tiff")
PNG_ENDINGS: Final = (".png",)
PROVENANCE_KEY: Final = "marsqe"
_UNITS: Final = {"inch": 2, "centimeter": 3}
_METRES: Final = {"inch": 0.0254, "centimeter": 0.01}


def save_enhancement(enhancement: Enhancement, path: Path) -> Path:
    """Write enhanced pixels with their provenance.

    TIFF (deflate) keeps dtype, shape, resolution and ICC profile and holds the provenance as JSON in
    ``ImageDescription``, under the key "marsqe"; PNG holds it in a text chunk of that name.

    Parameters
    ----------
    enhancement : Enhancement
    path : Path
        Ending in ``.tif``, ``.tiff`` or ``.png``.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ExportError
        If the ending is another, or the file cannot be written; nothing is left behind then.
    """
    return save_pixels(enhancement.pixels, path, enhancement.provenance, enhancement.source.metadata)


def save_pixels(
    pixels: Pixels, path: Path, provenance: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
) -> Path:
    """Write pixels (H, W) or (H, W, 3) of uint8 or uint16; see :func:`save_enhancement`.

    ``metadata`` may hold "resolution" (x, y, unit) and "icc" (bytes).
    """
    ending = path.suffix.lower()
    facts = metadata or {}
    text = json.dumps({PROVENANCE_KEY: provenance or {}}, sort_keys=True)
    if ending in TIFF_ENDINGS:
        with atomic(path) as part:
            _write_tiff(part, pixels, text, facts)
    elif ending in PNG_ENDINGS:
        if pixels.ndim == 3 and pixels.dtype == np.uint16:
            raise ExportError("16-bit colour cannot be written as PNG here; choose a name that ends in .tif")
        with atomic(path) as part:
            _write_png(part, pixels, text, facts)
    else:
        raise ExportError(f"cannot write {path.name}: its ending must be .tif, .tiff or .png")
    return path


def _write_tiff(part: Path, pixels: Pixels, text: str, facts: dict[str, Any]) -> None:
    resolution = facts.get("resolution")
    options: dict[str, Any] = {}
    if resolution is not None:
        options = {"resolution": resolution[:2], "resolutionunit": _UNITS.get(resolution[2], 1)}
    if facts.get("icc"):
        options["iccprofile"] = facts["icc"]
    tifffile.imwrite(
        part,
        pixels,
        photometric="rgb" if pixels.ndim == 3 else "minisblack",
        compression="zlib",
        predictor=True,
        description=text,
        software="napari-marsqe",
        metadata=None,
        **options,
    )


def _write_png(part: Path, pixels: Pixels, text: str, facts: dict[str, Any]) -> None:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(PROVENANCE_KEY, text)
    options: dict[str, Any] = {}
    resolution = facts.get("resolution")
    if resolution is not None and resolution[2] in _METRES:
        options["dpi"] = tuple(float(n) * 0.0254 / _METRES[resolution[2]] for n in resolution[:2])
    if facts.get("icc"):
        options["icc_profile"] = facts["icc"]
    with part.open("wb") as stream:
        Image.fromarray(pixels).save(stream, "PNG", pnginfo=chunks, **options)


def read_provenance(path: Path) -> dict[str, Any]:
    """The provenance inside a TIFF or PNG that this package wrote.

    Raises
    ------
    ReadError
        If the file cannot be read or holds none.
    """
    try:
        if path.suffix.lower() in TIFF_ENDINGS:
            with tifffile.TiffFile(path) as file:
                text = file.pages.first.description
        else:
            with Image.open(path) as image:
                text = str(image.info.get(PROVENANCE_KEY, ""))
        found = json.loads(text)[PROVENANCE_KEY]
    except (OSError, ValueError, KeyError, TypeError, tifffile.TiffFileError) as error:
        raise ReadError(f"{path} holds no provenance of an enhancement; give a file that marsqe exported") from error
    return dict(found)


def save_terrain(terrain: Terrain, path: Path) -> Path:
    """Write labels as an 8-bit PNG: 0 unlabelled, 1 sky, 2 sand, 3 soil, 4 rock."""
    if path.suffix.lower() not in PNG_ENDINGS:
        raise ExportError(f"cannot write {path.name}: terrain is written as .png")
    labels: NDArray[np.uint8] = terrain.labels
    with atomic(path) as part, part.open("wb") as stream:
        Image.fromarray(labels).save(stream, "PNG")
    return path
