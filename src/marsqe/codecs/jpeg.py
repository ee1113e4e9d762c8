"""JPEG: quantization tables, the quality factor that they imply, and compression with given tables.

Tables are ``(8, 8)`` integer arrays in row-major (natural, not zigzag) frequency order, as Pillow and
jpeglib give them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Table = NDArray[np.int64]

SUBSAMPLINGS: Final = ("4:4:4", "4:2:2", "4:2:0")
"""Chroma subsamplings that Pillow can write, in the order of its ``subsampling`` argument."""

# ITU-T T.81 Annex K, tables K.1 (luminance) and K.2 (chrominance).
ANNEX_K_LUMA: Final[Table] = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
ANNEX_K_CHROMA: Final[Table] = np.array(
    [
        [17, 18, 24, 47, 99, 99, 99, 99],
        [18, 21, 26, 66, 99, 99, 99, 99],
        [24, 26, 56, 99, 99, 99, 99, 99],
        [47, 66, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
        [99, 99, 99, 99, 99, 99, 99, 99],
    ]
)


def scale_table(base: Table, quality: int) -> Table:
    """Scale an Annex K table to a quality factor, as the Independent JPEG Group's library does.

    Parameters
    ----------
    base : ndarray of int, shape (8, 8)
        Table at quality 50.
    quality : int
        Quality factor, 1-100.

    Returns
    -------
    ndarray of int, shape (8, 8)
        Quantization steps, 1-255.
    """
    if not 1 <= quality <= 100:
        raise ValueError(f"quality factor must lie in 1-100, not {quality}")
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((base * scale + 50) // 100, 1, 255)


def standard_tables(quality: int) -> tuple[Table, Table]:
    """Luma and chroma quantization tables of a quality factor (1-100)."""
    return scale_table(ANNEX_K_LUMA, quality), scale_table(ANNEX_K_CHROMA, quality)


_STANDARD_LUMA: Final = np.stack([scale_table(ANNEX_K_LUMA, q) for q in range(1, 101)])


def estimate_quality(luma: Table) -> tuple[int, bool]:
    """Quality factor that a luma table stands for.

    Parameters
    ----------
    luma : ndarray of int, shape (8, 8)

    Returns
    -------
    quality : int
        1-100. The nearest one, by mean absolute difference of log steps, where the table is not standard.
    exact : bool
        Whether the table is exactly the standard one of that quality.
    """
    table = np.asarray(luma).reshape(8, 8)
    same = np.flatnonzero((_STANDARD_LUMA == table).all(axis=(1, 2)))
    if same.size:
        return int(same[-1]) + 1, True
    distance = np.abs(np.log(_STANDARD_LUMA) - np.log(np.maximum(table, 1))).mean(axis=(1, 2))
    return int(distance.argmin()) + 1, False


def encode_jpeg(
    pixels: NDArray[np.uint8],
    *,
    quality: int | None = None,
    tables: Sequence[Table] | None = None,
    subsampling: str = "4:2:0",
) -> bytes:
    """Compress pixels to a JPEG stream.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        Gray or RGB, 0-255.
    quality : int, optional
        Quality factor 1-100 (standard tables).
    tables : sequence of (8, 8) ndarray, optional
        Luma; luma and chroma; or luma, Cb and Cr quantization tables with steps 1-255; instead of ``quality``.
    subsampling : {"4:4:4", "4:2:2", "4:2:0"}
        Chroma subsampling; without meaning for gray pixels.

    Raises
    ------
    ValueError
        If not exactly one of ``quality`` and ``tables`` is given, or either is out of range.
    """
    if (quality is None) == (tables is None):
        raise ValueError("give either a quality factor or quantization tables")
    if subsampling not in SUBSAMPLINGS:
        raise ValueError(f"chroma subsampling must be one of {', '.join(SUBSAMPLINGS)}, not {subsampling!r}")
    image = Image.fromarray(np.ascontiguousarray(pixels))
    options: dict[str, object] = {} if image.mode == "L" else {"subsampling": SUBSAMPLINGS.index(subsampling)}
    if tables is not None:
        options["qtables"] = _qtables(tables, colour=image.mode != "L")
    else:
        assert quality is not None
        if not 1 <= quality <= 100:
            raise ValueError(f"quality factor must lie in 1-100, not {quality}")
        options["quality"] = quality
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def _qtables(tables: Sequence[Table], *, colour: bool) -> list[list[int]]:
    """Tables as Pillow takes them: one for gray; for colour two, or three where Cb and Cr differ."""
    if not 1 <= len(tables) <= 3:
        raise ValueError(f"give one to three quantization tables, not {len(tables)}")
    arrays = [np.asarray(table).reshape(64) for table in tables]
    if any((array < 1).any() or (array > 255).any() for array in arrays):
        raise ValueError("quantization steps must lie in 1-255")
    used = [array.astype(int).tolist() for array in arrays]
    if not colour:
        return used[:1]
    if len(used) == 3 and used[1] == used[2]:
        return used[:2]
    return (used * 2)[:2] if len(used) < 3 else used


def decode_jpeg(data: bytes) -> NDArray[np.uint8]:
    """Decode a JPEG stream to (H, W) or (H, W, 3) uint8 pixels with Pillow (libjpeg-turbo)."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)
