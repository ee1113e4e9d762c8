"""VICAR images as the missions' ground software writes them: a label of ``KEY=value`` items, then the samples."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import ReadError
from marsqe.read.boundary import Decoded, decoding
from marsqe.read.limits import check_size
from marsqe.read.names import identify
from marsqe.read.onboard import describe
from marsqe.read.product import identity
from marsqe.read.samples import as_pixels, significant_bits

Label = dict[str, dict[str, Any]]
"""Items by group: "" for those of the system, else the name of the property or the task."""

_ITEM: Final = re.compile(r"([A-Z][A-Z0-9_]*)\s*=\s*('(?:[^']|'')*'|\((?:[^()']|'[^']*')*\)|[^\s'()]+)")
_TYPES: Final = {"BYTE": "u1", "HALF": "i2", "WORD": "i2"}
_AXES: Final = {"BSQ": (0, 1, 2), "BIL": (1, 0, 2), "BIP": (2, 0, 1)}
"""Where bands, lines and samples stand in the order of the file."""


def read_vicar(data: bytes, path: Path | None = None) -> Decoded:
    """Decode a VICAR image of 8-bit or 16-bit integers; signed ones must not be negative.

    Raises
    ------
    ReadError
        If it is truncated, damaged, compressed, too large, or its samples or bands are not gray or RGB.
    """
    with decoding("VICAR"):
        text = _label_text(data)
        label = parse_label(text)
        pixels = as_pixels(_samples(data, label[""]))
        name = path.name if path is not None else ""
        items = {key: value for group in label.values() for key, value in group.items()}
        told = identify(name).onboard_compression
        bits = 8.0 * pixels.dtype.itemsize * (3 if pixels.ndim == 3 else 1)
        onboard = describe(label.get("COMPRESSION_PARMS"), "VICAR", told, colour=pixels.ndim == 3, stored=bits)
        product = identity(name, items.get("PRODUCT_ID"), items.get("PLANET_DAY_NUMBER"), onboard)
        found = {"label": text, "significant_bits": significant_bits(pixels, items.get("SAMPLE_BIT_MASK"))}
        metadata = {key: value for key, value in found.items() if value is not None}
    return Decoded(pixels, onboard.compression, 1, metadata, product)


def _label_text(data: bytes) -> str:
    size = re.match(rb"LBLSIZE\s*=\s*(\d+)", data)
    if size is None or int(size[1]) > len(data):
        raise ValueError("its label is incomplete")
    return data[: int(size[1])].decode("latin-1").rstrip("\0 \n")


def parse_label(text: str) -> Label:
    """Items of a label by group; within a group the last one counts."""
    label: Label = {"": {}}
    group = label[""]
    for key, raw in _ITEM.findall(text):
        value = _value(raw)
        if key in ("PROPERTY", "TASK"):
            group = label.setdefault(str(value), {})
        else:
            group[key] = value
    return label


def _value(raw: str) -> Any:
    if raw.startswith("'"):
        return raw[1:-1].replace("''", "'")
    if raw.startswith("("):
        return tuple(_value(part.strip()) for part in re.findall(r"'[^']*'|[^,]+", raw[1:-1]))
    try:
        return int(raw)
    except ValueError:
        return raw


def _samples(data: bytes, system: dict[str, Any]) -> NDArray[Any]:
    if str(system.get("COMPRESS", "NONE")).upper() != "NONE":
        raise ReadError("its VICAR data are compressed; expand it with VICAR's own programs first")
    code, order = str(system["FORMAT"]).upper(), str(system.get("ORG", "BSQ")).upper()
    if code not in _TYPES:
        raise ReadError(f"its samples are of the VICAR type {code}; rescale them to integers of 8 or 16 bits first")
    dtype = np.dtype(_TYPES[code]).newbyteorder(">" if system.get("INTFMT") == "HIGH" else "<")
    shape = (int(system.get("NB", 1)), int(system["NL"]), int(system["NS"]))
    check_size(shape[2], shape[1])
    axes = _AXES[order]
    stored = [0, 0, 0]
    for axis, count in zip(axes, shape, strict=True):
        stored[axis] = count
    prefix = int(system.get("NBB", 0))
    record = prefix + stored[2] * dtype.itemsize
    start = int(system["LBLSIZE"]) + int(system.get("NLB", 0)) * int(system["RECSIZE"])
    end = start + stored[0] * stored[1] * record
    if end > len(data):
        raise ValueError(f"{end - len(data)} bytes are missing")
    rows = np.frombuffer(data, np.uint8, end - start, start).reshape(stored[0], stored[1], record)
    return np.ascontiguousarray(rows[..., prefix:]).view(dtype).transpose(axes)
