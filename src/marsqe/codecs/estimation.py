"""Quantization tables and block grid of a JPEG that is only known by its decoded pixels.

A decoded JPEG's DCT coefficients lie, up to the rounding of its pixels, on multiples of the quantization steps, and so
on no grid but its own. What is found is an estimate: it says how well the pixels agree with a standard table, not that
there was a JPEG. The idea is that of Fan and de Queiroz (2003).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct
from scipy.linalg import solve_banded

from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.jpeg import Table, encode_jpeg, standard_tables
from marsqe.errors import SettingError
from marsqe.image import Compression, MarsImage, to_stored, to_upright

ESTIMATED: Final = "JPEG (estimated)"
"""Codec of an image whose tables are an estimate."""
LEAST_SUPPORT: Final = 1.0
"""Mean log-likelihood ratio of a block, in nats, from which an estimate is given at all."""
_NOISE: Final = 0.3
"""Deviation in DN that the rounding of pixels leaves in a coefficient."""
_OUTLIERS: Final = 0.03
_BLOCKS: Final = 400
_WINDOW: Final = 640
_NEARLY_ZERO: Final = 0.6
_CANDIDATES: Final = 4
_DCT: Final = np.kron(*[dct(np.eye(8), axis=0, norm="ortho")] * 2).T
_LUMA: Final = np.array([0.299, 0.587, 0.114])
_CHROMA: Final = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
_PRIOR: Final = 20.0


@dataclass(frozen=True)
class Estimate:
    """What decoded pixels tell of the JPEG that they came from.

    Attributes
    ----------
    quality : int
        Quality factor whose standard tables fit best.
    tables : tuple of (8, 8) ndarray
        These tables.
    offset : (int, int)
        Row and column, 0-15, of the first pixel of a whole coded unit: blocks of 8, or of 16 where chroma is halved.
    subsampling : (int, int) or None
        Of chroma, (1, 1) or (2, 2); None for gray.
    support : float
        Mean log-likelihood ratio of a luma block against pixels that were never quantized, in nats.
    """

    quality: int
    tables: tuple[Table, ...]
    offset: tuple[int, int]
    subsampling: tuple[int, int] | None
    support: float


def estimate_tables(pixels: NDArray[np.uint8], prior: int | None = None) -> Estimate | None:
    """Estimate tables, grid and chroma subsampling of decoded pixels.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        As stored, neither scaled nor turned since the JPEG was decoded.
    prior : int, optional
        Quality that a product's name tells; it wins where the pixels leave it open.

    Returns
    -------
    Estimate or None
        None where no standard table explains the pixels, or they are too few or too flat.
    """
    if min(pixels.shape[:2]) < 40:
        return None
    part = pixels[:_WINDOW, :_WINDOW]
    values = part.astype(np.float64)
    level = values if part.ndim == 2 else values @ _LUMA
    usable = _usable(part)
    best: tuple[float, int, tuple[int, int]] | None = None
    for offset in _likely_offsets(level, usable):
        coefficients = _coefficients(level, usable, offset)
        scores = np.array([_ratios(coefficients, standard_tables(q)[0]) for q in range(1, 101)])
        if prior is not None:
            scores[prior - 1] += _PRIOR / max(1, len(coefficients))
        found = (float(scores.max()), int(scores.argmax()) + 1, offset)
        best = found if best is None or found > best else best
    if best is None or best[0] < LEAST_SUPPORT:
        return None
    support, quality, offset = best
    tables = standard_tables(quality)
    if part.ndim == 2:
        return Estimate(quality, tables[:1], offset, None, support)
    whole, subsampling = _chroma(values, usable, offset, tables[1])
    return Estimate(quality, (tables[0], tables[1], tables[1]), whole, subsampling, support)


def with_estimated_tables(image: MarsImage) -> MarsImage:
    """An image without a record of its JPEG, cut to the blocks of the one that its pixels tell of.

    Tables, grid and coefficients are estimates, and its compression says so. What lies outside whole coded units, up
    to 15 rows and columns at each side, is left out; ``metadata["cut"]`` holds row and column of the first pixel.

    Raises
    ------
    SettingError
        If the image has tables already, is not of 8 bits, or no standard table explains its pixels.
    """
    if image.compression.tables is not None:
        raise SettingError(f"{image.name} brings its own quantization tables; there is nothing to estimate")
    stored = to_stored(image.pixels, image.orientation)
    found = (
        None if stored.dtype != np.uint8 else estimate_tables(stored.astype(np.uint8), image.product.onboard_quality)
    )
    if found is None:
        raise SettingError(
            f"the pixels of {image.name} show no trace of a JPEG with standard tables: they were changed since, or "
            "there was none; enhance the image without estimated tables"
        )
    ratios = found.subsampling or (1, 1)
    y, x = found.offset
    height, width = ((n - o) // (8 * r) * 8 * r for n, o, r in zip(stored.shape, (y, x), ratios[::-1], strict=False))
    pixels = np.ascontiguousarray(stored[y : y + height, x : x + width], np.uint8)
    name = "4:2:0" if ratios == (2, 2) else "4:4:4"
    coefficients = coefficients_from_bytes(encode_jpeg(pixels, tables=found.tables, subsampling=name))
    compression = Compression(ESTIMATED, True, found.tables, found.quality, True, found.subsampling)
    metadata = image.metadata | {"coefficients": coefficients, "cut": [y, x]}
    upright = to_upright(pixels, image.orientation)
    return replace(image, pixels=upright, compression=compression, metadata=metadata)


def _usable(part: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels that were not clipped to black or white when the JPEG was decoded."""
    inside = (part > 0) & (part < 255)
    return inside if part.ndim == 2 else np.asarray(inside.all(axis=2))


def _coefficients(
    plane: NDArray[np.float64], usable: NDArray[np.bool_], offset: tuple[int, int], margin: int = 0
) -> NDArray[np.float64]:
    """DCT (n, 64) of at most ``_BLOCKS`` blocks of a grid without clipped pixels, the most varied first."""
    rows, columns = ((n - margin - o) // 8 for n, o in zip(plane.shape, offset, strict=True))
    cut = tuple(slice(o, o + 8 * n) for o, n in zip(offset, (rows, columns), strict=True))

    def blocks_of(a: NDArray[Any]) -> NDArray[Any]:
        return a[cut].reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 64)

    blocks: NDArray[np.float64] = blocks_of(plane) - 128.0
    whole = np.asarray(blocks_of(usable).all(axis=1))
    if margin:
        inner = np.zeros((rows, columns), bool)
        inner[1:-1, 1:-1] = True
        whole &= inner.ravel()
    blocks = blocks[whole]
    kept = np.argsort(-blocks.std(axis=1), kind="stable")[:_BLOCKS]
    return blocks[kept] @ _DCT


def _likely_offsets(level: NDArray[np.float64], usable: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The grids on which most coefficients are nearly zero: quantization leaves few others."""
    shares = {}
    for offset in np.ndindex(8, 8):
        found = _coefficients(level, usable, offset)
        shares[offset] = float((np.abs(found[:, 1:]) < _NEARLY_ZERO).mean()) if len(found) >= 16 else 0.0
    return sorted(shares, key=lambda o: -shares[o])[:_CANDIDATES]


def _ratios(coefficients: NDArray[np.float64], table: Table) -> float:
    """Mean log-likelihood ratio of a block: multiples of these steps against anywhere, both by Laplace's law."""
    if not len(coefficients):
        return 0.0
    steps = table.ravel().astype(np.float64)
    size = np.abs(coefficients)
    width = np.maximum(size.mean(axis=0), _NOISE)
    number = np.rint(size / steps)
    half = steps / (2 * width)
    mass = np.where(number == 0, 1 - np.exp(-half), np.exp(-2 * half * number) * np.sinh(half))
    off = (size - number * steps) / _NOISE
    near = mass * np.exp(-0.5 * off**2) / (_NOISE * np.sqrt(2 * np.pi))
    anywhere = np.exp(-size / width) / (2 * width)
    return float(np.log((1 - _OUTLIERS) * near / anywhere + _OUTLIERS).sum(axis=1).mean())


def _chroma(
    values: NDArray[np.float64], usable: NDArray[np.bool_], offset: tuple[int, int], table: Table
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Offset of the coded units, and the subsampling, that the chroma planes agree with best."""
    planes = [values @ weights + 128.0 for weights in _CHROMA]
    best = (sum(_ratios(_coefficients(p, usable, offset), table) for p in planes), offset, (1, 1))
    for whole, grid, halved, good in _halved(planes, usable, offset):
        # A quarter of the blocks, each of which stands for four.
        score = sum(_ratios(_coefficients(p, good, grid, 1), table) for p in halved)
        best = max(best, (score, whole, (2, 2)), key=lambda found: found[0])
    return best[1], best[2]


def _halved(
    planes: list[NDArray[np.float64]], usable: NDArray[np.bool_], offset: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], tuple[int, int], list[NDArray[np.float64]], NDArray[np.bool_]]]:
    """Chroma at half the resolution, as it was before libjpeg's triangular interpolation, with its four grids."""
    y, x = (o % 2 for o in offset)
    height, width = ((n - o) // 2 for n, o in zip(usable.shape, (y, x), strict=True))

    def pairs(a: NDArray[Any]) -> NDArray[Any]:
        return a[y : y + 2 * height, x : x + 2 * width].reshape(height, 2, width, 2)

    halved = [_undone(_undone(pairs(p).mean(axis=(1, 3)), 0), 1) for p in planes]
    good = np.asarray(pairs(usable).all(axis=(1, 3)))
    for down, across in np.ndindex(2, 2):
        whole = (offset[0] + 8 * down, offset[1] + 8 * across)
        grid = ((whole[0] - y) // 2 % 8, (whole[1] - x) // 2 % 8)
        yield whole, grid, halved, good


def _undone(plane: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Undo along an axis what the mean of two interpolated samples is: (1, 6, 1) / 8 of the stored ones."""
    count = plane.shape[axis]
    bands = np.full((3, count), 1 / 8)
    bands[1] = 6 / 8
    bands[1, [0, -1]] = 7 / 8
    turned = plane if axis == 0 else plane.T
    solved: NDArray[np.float64] = solve_banded((1, 1), bands, turned)
    return solved if axis == 0 else solved.T
