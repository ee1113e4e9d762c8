"""An image whose JPEG is known by its pixels alone, made ready for all that needs tables and coefficients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.estimation import Estimate, all_tables, estimate_tables
from marsqe.codecs.jpeg import encode_jpeg
from marsqe.errors import SettingError
from marsqe.image import Compression, MarsImage, to_stored, to_upright

ESTIMATED: Final = "JPEG (estimated)"
"""Codec of an image whose tables are an estimate."""
_TIE_POINTS, _TRANSFORMATION = 33922, 34264
_NAMES: Final = {(1, 1): "4:4:4", (2, 2): "4:2:0"}


def with_estimated_tables(image: MarsImage) -> MarsImage:
    """An image without a record of its JPEG, cut to the blocks of the one that its pixels tell of.

    Tables, grid and coefficients are estimates, and its compression says so. What lies outside whole coded units, up
    to 15 rows and columns at each side, is left out; see :func:`cut_to_blocks`.

    Raises
    ------
    SettingError
        If the image has tables already, is not of 8 bits, or no standard table explains its pixels.
    """
    _refuse_unless_estimable(image)
    stored = to_stored(image.pixels, image.orientation)
    found = estimate_tables(stored.astype(np.uint8, copy=False), image.product.onboard_quality)
    if found is None:
        raise SettingError(
            f"the pixels of {image.name} show no trace of a JPEG with standard tables: they were changed since, or "
            "there was none; enhance the image without estimated tables"
        )
    return cut_to_blocks(image, found)


def is_estimable(image: MarsImage) -> bool:
    """Whether tables can be looked for: pixels of 8 bits that no file's tables belong to."""
    return image.compression.tables is None and image.pixels.dtype == np.uint8


def cut_to_blocks(image: MarsImage, found: Estimate) -> MarsImage:
    """An image cut to the whole coded units of an estimate, with its tables and its coefficients.

    ``metadata["estimated"]`` is what a record needs to do the same again: quality, corner and subsampling in the stored
    frame, support; and, upright, "cut" (row and column of the first pixel that is kept) and "of" (height and width of
    the whole image).

    Raises
    ------
    SettingError
        If the image has tables already, is not of 8 bits, or holds no whole unit.
    """
    _refuse_unless_estimable(image)
    stored = to_stored(image.pixels, image.orientation)
    ratios = found.subsampling or (1, 1)
    y, x = found.offset
    height, width = ((n - o) // (8 * r) * 8 * r for n, o, r in zip(stored.shape, (y, x), ratios[::-1], strict=False))
    if min(height, width) < 8 or (found.subsampling is None) == image.is_colour:
        raise SettingError(f"the estimated tables are not those of {image.name}: it has another size or colour")
    pixels = np.ascontiguousarray(stored[y : y + height, x : x + width], np.uint8)
    name = _NAMES[ratios]
    coefficients = coefficients_from_bytes(encode_jpeg(pixels, tables=found.tables, subsampling=name))
    compression = Compression(ESTIMATED, True, found.tables, found.quality, True, found.subsampling)
    inside = np.zeros(stored.shape[:2], bool)
    inside[y : y + height, x : x + width] = True
    upright_inside = to_upright(inside, image.orientation)
    cut = [int(upright_inside.any(axis=axis).argmax()) for axis in (1, 0)]
    told = {
        "quality": found.quality,
        "corner": [y, x],
        "subsampling": None if found.subsampling is None else list(found.subsampling),
        "support": round(found.support, 2),
        "cut": cut,
        "of": list(image.shape),
    }
    metadata = image.metadata | {"coefficients": coefficients, "estimated": told}
    if "geo" in metadata:
        metadata["geo"] = [_placed(tag, *cut) for tag in metadata["geo"]]
    upright = to_upright(pixels, image.orientation)
    return replace(image, pixels=upright, compression=compression, metadata=metadata)


def cut_alike(truth: MarsImage, image: MarsImage) -> MarsImage:
    """The truth of an image, without what was cut off the image in :func:`cut_to_blocks`; others as they are."""
    if "estimated" not in image.metadata:
        return truth
    (top, left), (height, width) = image.metadata["estimated"]["cut"], image.shape
    return replace(truth, pixels=truth.pixels[top : top + height, left : left + width])


def _placed(tag: tuple[Any, ...], row: int, column: int) -> tuple[Any, ...]:
    """A georeference of an image for the part of it that begins at a row and a column."""
    code, kind, count, value = tag
    numbers = list(value) if code in (_TIE_POINTS, _TRANSFORMATION) else []
    if code == _TIE_POINTS:
        numbers[0::6] = [n - column for n in numbers[0::6]]
        numbers[1::6] = [n - row for n in numbers[1::6]]
    elif code == _TRANSFORMATION:
        for line in range(0, 12, 4):
            numbers[line + 3] += numbers[line] * column + numbers[line + 1] * row
    return code, kind, count, tuple(numbers) if numbers else value


def estimated_in_words(told: dict[str, Any]) -> str:
    """What :func:`cut_to_blocks` has told of, for people; rows and columns count from 0, in the upright image."""
    ratios = told["subsampling"]
    chroma = "" if ratios is None else f", {_NAMES[tuple(ratios)]}"
    row, column = told["cut"]
    return f"JPEG quality {told['quality']}{chroma}, grid at row {row}, column {column}; estimated from the pixels"


def estimate_of(told: dict[str, Any]) -> Estimate:
    """The estimate that :func:`cut_to_blocks` has told of.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is damaged.
    """
    quality, ratios = int(told["quality"]), told["subsampling"]
    y, x = map(int, told["corner"])
    subsampling = None if ratios is None else (int(ratios[0]), int(ratios[1]))
    if not (0 <= y < 16 and 0 <= x < 16) or subsampling not in (None, *_NAMES):
        raise ValueError(f"no units of subsampling {ratios} begin at row {y}, column {x}")
    return Estimate(
        quality, all_tables(quality, colour=ratios is not None), (y, x), subsampling, float(told["support"])
    )


def _refuse_unless_estimable(image: MarsImage) -> None:
    if image.compression.tables is not None:
        raise SettingError(f"{image.name} brings its own quantization tables; there is nothing to estimate")
    if not is_estimable(image):
        raise SettingError(
            f"{image.name} has 16 bits for each sample, and a JPEG leaves its trace in 8; open the product as it was "
            "decoded, or enhance it without estimated tables"
        )
