"""The record that an exported file carries: what the image is, how it was made, how its numbers are written."""

from __future__ import annotations

import base64
import io
import platform
import sys
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.export.options import ExportOptions
from marsqe.export.scale import metres_per_pixel
from marsqe.image import Product
from marsqe.results import Enhancement, Judgement
from marsqe.terrain import Terrain

STATEMENT: Final = (
    "Enhanced image, no original observation: pixels were changed by a neural network to undo compression artifacts."
)
RECORD: Final = 1
"""Version of the record's form."""


def record_of(
    enhancement: Enhancement, options: ExportOptions, scaling: str = "none", judgement: Judgement | None = None
) -> dict[str, Any]:
    """The provenance of an enhancement with all that its file adds, JSON-ready.

    Terrain that somebody drew or a file gave is embedded: without it the image could not be made again. The truth is
    named where a page was made with it.
    """
    image, provenance = enhancement.source, enhancement.provenance
    height, width = image.shape
    record: dict[str, Any] = {
        **provenance,
        "record": RECORD,
        "statement": STATEMENT,
        "product": product_facts(image.product),
        "pixels": {
            "width": width,
            "height": height,
            "channels": 3 if image.is_colour else 1,
            "bits": 8 * image.pixels.dtype.itemsize,
            "full_scale": image.full_scale,
            "orientation": image.orientation,
            "metres_per_pixel": metres_per_pixel(image.metadata, options.pixel_size),
        },
        "machine": {"processor": platform.machine(), "system": platform.system(), "threads": _threads()},
        "export": {**options.as_record(), "scaling": scaling},
    }
    if "terrain" in provenance and not is_of_network(enhancement.terrain):
        record["terrain"] = {**provenance["terrain"], "labels_png": encode_labels(enhancement.terrain.labels)}
    if judgement is not None and judgement.truth and "residual" in options.layers:
        record["truth"] = judgement.truth
    return record


def _threads() -> int | None:
    """Threads that torch computes with, where it was loaded at all."""
    torch = sys.modules.get("torch")
    return None if torch is None else int(torch.get_num_threads())


def is_of_network(terrain: Terrain) -> bool:
    """Whether the terrain is a network's, which can find it again; else somebody drew it or a file gave it."""
    return terrain.probabilities is not None


def product_facts(product: Product) -> dict[str, Any]:
    """What is known of a product, by the names of its attributes."""
    return {key: value for key, value in asdict(product).items() if value is not None}


def encode_labels(labels: NDArray[np.uint8]) -> str:
    """Labels as the base64 text of a PNG."""
    stream = io.BytesIO()
    Image.fromarray(labels).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def decode_labels(text: str) -> NDArray[np.uint8]:
    """Inverse of :func:`encode_labels`.

    Raises
    ------
    ValueError
        If the text is no such picture.
    """
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=["PNG"]) as image:
            return np.asarray(image, np.uint8)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the embedded terrain cannot be read ({error})") from error


def readable_facts(record: dict[str, Any]) -> dict[str, str]:
    """The facts that people look for in a file's properties, as plain text by plain names."""
    source, model, settings = (record.get(key) or {} for key in ("source", "model", "settings"))
    product, pixels, truth = (record.get(key) or {} for key in ("product", "pixels", "truth"))
    found = {
        "enhanced": record.get("enhanced"),
        "statement": record.get("statement"),
        "software": record.get("software"),
        **{key: product.get(key) for key in Product.__dataclass_fields__},
        "source_file": source.get("name"),
        "source_sha256": source.get("sha256"),
        "source_compression": source.get("compression"),
        "truth_file": truth.get("name"),
        "truth_sha256": truth.get("sha256"),
        "model": model.get("name"),
        "weights_sha256": model.get("weights_sha256"),
        "tables_estimated_from_pixels_cut_row_column": _cut(source),
        "held_to_the_jpeg": settings.get("faithful"),
        "not_held_because": settings.get("not_held"),
        "enhanced_region_xywh": settings.get("region") and " ".join(map(str, settings["region"])),
        "full_scale": pixels.get("full_scale"),
        "scaling": (record.get("export") or {}).get("scaling"),
        "metres_per_pixel": pixels.get("metres_per_pixel"),
    }
    return {key: _plain(value) for key, value in found.items() if value is not None}


def _cut(source: dict[str, Any]) -> str | None:
    """Where in the source the first pixel lies, if it was cut to the blocks of estimated tables."""
    estimated = source.get("estimated")
    return None if estimated is None else " ".join(map(str, estimated["cut"]))


def _plain(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
