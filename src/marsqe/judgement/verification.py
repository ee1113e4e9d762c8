"""Verify an enhancement: compress it again as the file was, and count what comes back identical.

Of real numbers, which no JPEG encoder takes, count what lies inside the intervals of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.coefficients import Coefficients, coefficients_from_bytes
from marsqe.codecs.intervals import departures, whole_blocks
from marsqe.codecs.jpeg import SUBSAMPLINGS, encode_jpeg
from marsqe.errors import SettingError
from marsqe.image import MarsImage, Pixels, to_stored


@dataclass(frozen=True)
class Verification:
    """How much of a JPEG comes back when an image is compressed again with the file's own tables.

    Attributes
    ----------
    blocks : float
        Share of 8x8 blocks, of all components, whose 64 coefficients are all identical.
    coefficients : float
        Share of single coefficients that are identical.
    jpeg_blocks : float
        The same share of blocks for the JPEG's own decoded pixels: rounding to 8 bits alone loses some.
    changed : ndarray of bool, shape (rows, columns)
        Luma blocks of the stored frame where any component differs.
    """

    blocks: float
    coefficients: float
    jpeg_blocks: float
    changed: NDArray[np.bool_]


@dataclass(frozen=True)
class Inside:
    """How much of an image lies inside the intervals that a JPEG holds: half a step around each received coefficient.

    Attributes
    ----------
    coefficients : float
        Share of single coefficients.
    whole_blocks : float
        The same of blocks that lie inside the image with all their samples. At its edge the encoder repeats pixels, so
        that there are more coefficients than pixels to choose.
    blocks : float
        Share of 8x8 blocks, of all components, with all 64 coefficients inside.
    largest : float
        Largest distance from a received coefficient, in quantization steps.
    outside : ndarray of bool, shape (rows, columns)
        Luma blocks of the stored frame where a coefficient of any component is outside.
    """

    coefficients: float
    whole_blocks: float
    blocks: float
    largest: float
    outside: NDArray[np.bool_]


def inside(image: MarsImage, encoded: bytes, pixels: NDArray[Any]) -> Inside:
    """Take an image through the encoder's steps without rounding, and compare with the received coefficients.

    Parameters
    ----------
    image : MarsImage
        The opened JPEG.
    encoded : bytes
        Its file; of an image whose tables were estimated it counts for nothing.
    pixels : ndarray of float or int, shape (H, W) or (H, W, 3)
        Real or whole numbers in DN of the JPEG, 0-255, upright as ``image``.

    Raises
    ------
    SettingError
        If the file is no JPEG of luma and chroma, or the shapes differ.
    """
    _check_source(image)
    if pixels.shape != image.pixels.shape:
        raise SettingError(
            f"the enhanced image is {_size(pixels)}, the JPEG {_size(image.pixels)}; give the one made from it"
        )
    stored, ratios = to_stored(pixels, image.orientation), image.compression.subsampling or (1, 1)
    distances = [np.abs(part) for part in departures(stored, _received(image, encoded), ratios)]
    within = [part <= 0.5 for part in distances]  # what is no number is outside
    masks = whole_blocks((stored.shape[0], stored.shape[1]), ratios, stored.ndim == 3)
    whole = np.concatenate([part[mask].ravel() for part, mask in zip(within, masks, strict=True)])
    return Inside(
        coefficients=float(np.concatenate([part.ravel() for part in within]).mean()),
        whole_blocks=float(whole.mean()) if whole.size else float("nan"),
        blocks=_share_of_blocks(within),
        largest=max(float(part.max()) for part in distances),
        outside=_changed(within),
    )


def verify(image: MarsImage, encoded: bytes, enhanced: Pixels) -> Verification:
    """Compare what the received file holds with what the enhanced image compresses to.

    Parameters
    ----------
    image : MarsImage
        The opened JPEG.
    encoded : bytes
        Its file; of an image whose tables were estimated it counts for nothing.
    enhanced : ndarray of uint8, shape (H, W) or (H, W, 3)
        The enhanced image, upright as ``image``.

    Raises
    ------
    SettingError
        If the file is no JPEG of luma and chroma, its subsampling cannot be written, or the shapes differ.
    """
    _check_source(image)
    if enhanced.shape != image.pixels.shape or enhanced.dtype != image.pixels.dtype:
        raise SettingError("the enhanced image has another size or depth than the JPEG; give the one made from it")
    received = _received(image, encoded)
    same = _identical(received, _compress(image, enhanced))
    return Verification(
        blocks=_share_of_blocks(same),
        coefficients=float(np.concatenate([s.ravel() for s in same]).mean()),
        jpeg_blocks=_share_of_blocks(_identical(received, _compress(image, image.pixels))),
        changed=_changed(same),
    )


def _received(image: MarsImage, encoded: bytes) -> Coefficients:
    """What the file holds, or what the estimated tables make of the pixels."""
    estimated = image.metadata.get("coefficients")
    return estimated if isinstance(estimated, Coefficients) else coefficients_from_bytes(encoded)


def _check_source(image: MarsImage) -> None:
    if image.compression.tables is None or image.metadata.get("colour_transform") == "RGB":
        raise SettingError(f"{image.name} is no JPEG of luma and chroma; only such files can be verified")


def _size(pixels: NDArray[Any]) -> str:
    channels = "gray" if pixels.ndim == 2 else f"{pixels.shape[2]} channels"
    return f"{pixels.shape[1]} x {pixels.shape[0]}, {channels}"


def _identical(a: Coefficients, b: Coefficients) -> list[NDArray[np.bool_]]:
    return [np.equal(x, y) for x, y in zip(a.components, b.components, strict=True)]


def _share_of_blocks(same: list[NDArray[np.bool_]]) -> float:
    return float(np.concatenate([s.all(axis=(2, 3)).ravel() for s in same]).mean())


def _compress(image: MarsImage, pixels: Pixels) -> Coefficients:
    name = image.compression.subsampling_name or "4:2:0"
    if name not in SUBSAMPLINGS:
        raise SettingError(f"chroma subsampling {name} cannot be written here; only {', '.join(SUBSAMPLINGS)} can")
    stored = to_stored(pixels, image.orientation).astype(np.uint8)
    return coefficients_from_bytes(encode_jpeg(stored, tables=image.compression.tables, subsampling=name))


def _changed(same: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    changed = np.logical_not(same[0].all(axis=(2, 3)))
    rows, columns = changed.shape
    for component in same[1:]:
        differs = np.logical_not(component.all(axis=(2, 3)))
        down, across = -(-rows // differs.shape[0]), -(-columns // differs.shape[1])
        shown = differs.repeat(down, axis=0).repeat(across, axis=1)[:rows, :columns]
        changed = np.logical_or(changed, shown)
    return changed
