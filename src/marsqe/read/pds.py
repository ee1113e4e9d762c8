"""PDS3 and PDS4 products, by pdr (extra ``pds``). The label may be in the file, beside it, or be what is opened."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import ReadError
from marsqe.extras import from_extra
from marsqe.read.boundary import Decoded, decoding
from marsqe.read.limits import check_size
from marsqe.read.names import identify
from marsqe.read.onboard import describe
from marsqe.read.product import identity
from marsqe.read.samples import as_pixels, significant_bits

_PDS4: Final = b"pds.nasa.gov/pds4"
_SCALES: Final = ("MAP_SCALE", "HORIZONTAL_PIXEL_SCALE", "PIXEL_SCALE", "cart:pixel_resolution_x", "cart:pixel_scale_x")


def read_pds(data: bytes, path: Path | None = None) -> Decoded:
    """Decode a PDS product of 8-bit or 16-bit integers, gray or three bands; signed ones must not be negative.

    Parameters
    ----------
    data : bytes
        The opened file.
    path : Path, optional
        Where it is; without it the label must be in ``data``.

    Returns
    -------
    Decoded
        Samples keep their numbers; ``metadata`` holds "label" (text), and where the label tells them
        "significant_bits" (of 16-bit samples, for example 12) and "pixel_scale" (number, unit).

    Raises
    ------
    ReadError
        If it is truncated, damaged, no image, too large, or its samples or bands are not gray or RGB.
    MissingExtraError
        If the extra ``pds`` is not installed.
    """
    pdr = from_extra("pdr", "pds", "reading PDS products")
    with decoding("PDS"):
        if data.lstrip()[:5] == b"<?xml" and _PDS4 not in data[:65536]:
            raise ReadError("it is an XML file, but no label of a PDS4 product; open the image itself")
        if path is not None:
            return _read(pdr, path)
        with tempfile.TemporaryDirectory(prefix="marsqe-") as folder:
            copy = Path(folder) / ("product.xml" if data.lstrip()[:5] == b"<?xml" else "product.img")
            copy.write_bytes(data)
            return _read(pdr, copy)


def _read(pdr: Any, path: Path) -> Decoded:
    product = pdr.read(str(path))
    pixels = as_pixels(_samples(product))
    kind = str(product.standard)
    block = product.metablock("COMPRESSION_PARMS") or product.metablock("img:Onboard_Compression")
    colour = pixels.ndim == 3
    told = identify(path.name).onboard_compression
    bits = 8.0 * pixels.dtype.itemsize * (3 if colour else 1)
    onboard = describe(block, kind, told, colour=colour, stored=bits)
    mask = (product.metablock("IMAGE") or {}).get("SAMPLE_BIT_MASK") or product.metaget("img:sample_bit_mask")
    found = {
        "label": _label(product),
        "significant_bits": significant_bits(pixels, mask),
        "pixel_scale": next(filter(None, (_scale(product.metaget(name)) for name in _SCALES)), None),
    }
    metadata = {key: value for key, value in found.items() if value is not None}
    who = identity(path.name, product.metaget("PRODUCT_ID"), product.metaget("PLANET_DAY_NUMBER"), onboard)
    return Decoded(pixels, onboard.compression, 1, metadata, who)


def _samples(product: Any) -> NDArray[Any]:
    """The image among the objects of a product: the one that is called so, or the only array."""
    said = product.metablock("IMAGE") or {}
    if isinstance(said.get("LINES"), int) and isinstance(said.get("LINE_SAMPLES"), int):
        check_size(said["LINE_SAMPLES"], said["LINES"])
    names = list(product.keys())
    if "IMAGE" in names:
        samples = product["IMAGE"]
        if not isinstance(samples, np.ndarray):
            raise ValueError("its image data are missing or incomplete")
        return samples
    arrays = [found for name in names if isinstance(found := product[name], np.ndarray)]
    if len(arrays) != 1:
        raise ReadError(f"it is a PDS product of {len(arrays)} images; save the one that you want as a TIFF")
    return arrays[0]


def _label(product: Any) -> str | None:
    names = [name for name in list(product.keys()) if name.upper() == "LABEL"]
    if not names:
        return None
    label: Any = product[names[0]]
    return str(label.to_string() if hasattr(label, "to_string") else label)


def _scale(value: Any) -> tuple[float, str] | None:
    number, unit = (value.get("value"), value.get("units")) if isinstance(value, dict) else (value, "")
    try:
        scale = float(str(number))
    except ValueError:
        return None
    return (scale, str(unit or "")) if 0 < scale < float("inf") else None
