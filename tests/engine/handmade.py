"""Image files put together by hand, for what no library writes."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.image import MarsImage

Array = NDArray[Any]


def random_pixels(*shape: int, dtype: Any = np.uint8) -> Array:
    return np.random.default_rng(3).integers(0, int(np.iinfo(dtype).max) + 1, shape).astype(dtype)


def write(path: Path, pixels: Array, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def assert_pixels(image: MarsImage, expected: Array) -> None:
    assert image.pixels.dtype == expected.dtype
    assert image.pixels.flags.c_contiguous
    np.testing.assert_array_equal(image.pixels, expected)


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG of any depth and colour type. Each row begins with its filter byte; ``extra`` chunks precede the data."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)
