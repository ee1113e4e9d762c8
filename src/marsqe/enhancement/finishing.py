"""From a network's numbers back to an image: faithful where the file allows it, rounded, upright; whole or in parts."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.coefficients import Coefficients
from marsqe.enhancement.faithful import cell_for, coefficients_of, hold, why_not_held
from marsqe.errors import WeightsError
from marsqe.image import MarsImage, Pixels, to_stored, to_upright
from marsqe.results import Part, Region


class Finish:
    """Turns what a network computed for one image into pixels of that image's kind.

    Attributes
    ----------
    not_held : str or None
        Why results are not held to the file's coefficients; None where they are: wanted, and these are at hand.
    """

    def __init__(self, image: MarsImage, region: Region | None, *, faithful: bool) -> None:
        self._image, self._region = image, region
        self._coefficients = coefficients_of(image) if faithful else None
        self.not_held = None if self._coefficients is not None else why_not_held(image, wanted=faithful)

    def whole(self, result: NDArray[np.float32]) -> Pixels:
        """All pixels, from those of the stored frame in 0-1; outside the region they are the source's."""
        pixels = to_upright(self._pixels(result, self._coefficients, (0, 0)), self._image.orientation)
        return pixels if self._region is None else _inside(self._region, pixels, self._image.pixels)

    def part(self, result: NDArray[np.float32], done: Region) -> Part | None:
        """The pixels of a rectangle of the stored frame, so far; None where it lies outside the region.

        What :meth:`whole` gives at the end is the result: it may differ by the rounding of sums in another order, and
        by the work that a network does on the whole image afterwards.
        """
        image = self._image
        height, width = result.shape[:2]
        horizontal, vertical = image.compression.subsampling or (1, 1)
        # Whole blocks, of chroma too: outside them the projection of this part would not be that of the whole.
        top, left = done.y // (8 * vertical) * 8 * vertical, done.x // (8 * horizontal) * 8 * horizontal
        bottom = min(height, -(-(done.y + done.height) // (8 * vertical)) * 8 * vertical)
        right = min(width, -(-(done.x + done.width) // (8 * horizontal)) * 8 * horizontal)
        coefficients = self._coefficients and _cut(self._coefficients, (top, left), (vertical, horizontal))
        pixels = self._pixels(result[top:bottom, left:right], coefficients, (top, left))
        y, x = done.y - top, done.x - left
        upright = to_upright(pixels[y : y + done.height, x : x + done.width], image.orientation)
        return _meeting(self._region, upright, turned(done, (height, width), image.orientation))

    def _pixels(
        self, result: NDArray[np.float32], coefficients: Coefficients | None, corner: tuple[int, int]
    ) -> Pixels:
        """In the input's range and dtype, in the stored frame; ``corner`` is where in it the result begins."""
        (top, left), (height, width) = corner, result.shape[:2]
        stored = to_stored(self._image.pixels, self._image.orientation)
        return finished(result, self._image, stored[top : top + height, left : left + width], coefficients)


def finished(
    result: NDArray[np.float32], image: MarsImage, received: Pixels, coefficients: Coefficients | None
) -> Pixels:
    """Pixels of the image's range and dtype from those of 0-1, in the stored frame.

    ``received`` are the pixels that were enhanced; they and the coefficients are of the same place as the result.
    """
    if not np.isfinite(result).all():
        raise WeightsError(
            "the network gave values that are no numbers, so nothing was made of them; choose another model, the "
            "device cpu, or float32"
        )
    values = result.astype(np.float64) * image.full_scale
    if not image.is_colour:
        values = values.mean(axis=2)
    if coefficients is not None:
        compression, decoded = image.compression, received.astype(np.uint8, copy=False)
        return hold(values, decoded, coefficients, compression.subsampling or (1, 1), cell_for(compression))
    # White is what the camera's bits hold: 4095 of 12, though the dtype holds more.
    return cast(Pixels, np.rint(np.clip(values, 0, image.full_scale)).astype(image.pixels.dtype))


def stored_region(region: Region | None, image: MarsImage) -> Region | None:
    """A rectangle of the upright image in the frame that the file stores."""
    if region is None or image.orientation == 1:
        return region
    return _moved(region, image.shape, to_stored, image.orientation)


def turned(region: Region, shape: tuple[int, int], orientation: int) -> Region:
    """A rectangle of the stored frame of that shape, upright."""
    return region if orientation == 1 else _moved(region, shape, to_upright, orientation)


def _moved(region: Region, shape: tuple[int, int], turn: Any, orientation: int) -> Region:
    mask = np.zeros(shape, bool)
    mask[region.y : region.y + region.height, region.x : region.x + region.width] = True
    rows, columns = (np.flatnonzero(turn(mask, orientation).any(axis=axis)) for axis in (1, 0))
    return Region(int(columns[0]), int(rows[0]), len(columns), len(rows))


def _cut(whole: Coefficients, corner: tuple[int, int], subsampling: tuple[int, int]) -> Coefficients:
    """Coefficients from a corner on that lies on the grid of whole blocks."""
    (top, left), (vertical, horizontal) = corner, subsampling
    steps = [(8, 8), (8 * vertical, 8 * horizontal), (8 * vertical, 8 * horizontal)]
    parts = zip(whole.components, steps, strict=False)
    return Coefficients(tuple(c[top // rows :, left // columns :] for c, (rows, columns) in parts), whole.tables)


def _meeting(region: Region | None, pixels: Pixels, place: Region) -> Part | None:
    if region is None:
        return Part(place, pixels)
    top, left = max(region.y, place.y), max(region.x, place.x)
    bottom = min(region.y + region.height, place.y + place.height)
    right = min(region.x + region.width, place.x + place.width)
    if bottom <= top or right <= left:
        return None
    seen = pixels[top - place.y : bottom - place.y, left - place.x : right - place.x]
    return Part(Region(left, top, right - left, bottom - top), seen)


def _inside(region: Region, enhanced: Pixels, source: Pixels) -> Pixels:
    out = source.copy()
    window = (slice(region.y, region.y + region.height), slice(region.x, region.x + region.width))
    out[window] = enhanced[window]
    return out
