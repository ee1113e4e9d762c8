"""Terrain of an image that is not in memory: found at the network's working size, laid out row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.image import MarsImage
from marsqe.progress import Progress, Steps
from marsqe.segmentation.prepare import to_rgb8, working_size
from marsqe.segmentation.run import segment_steps

ReadRows = Callable[[int, int], NDArray[Any]]

_AT_ONCE: Final = 8_000_000
"""Pixels of the image that are in memory at once."""
_ROWS: Final = 64


@dataclass(frozen=True)
class LargeTerrain:
    """Terrain at the working size (h, w), for an image of ``shape``.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (4, h, w)
    labels : ndarray of uint8, shape (h, w)
    shape : (int, int)
    source : str
        As in :class:`marsqe.terrain.Terrain`.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32] | None
    shape: tuple[int, int]
    source: str

    def rows(self, top: int, bottom: int) -> NDArray[np.uint8]:
        """Labels (bottom - top, W) of some rows: the class of the largest probability, as of the whole image."""
        if self.labels.shape == self.shape:
            return self.labels[top:bottom]
        if self.probabilities is None:
            return self._nearest(top, bottom)
        out = np.empty((bottom - top, self.shape[1]), np.uint8)
        for start in range(top, bottom, _ROWS):
            stop = min(start + _ROWS, bottom)
            out[start - top : stop - top] = self._blended(self.probabilities, start, stop).argmax(axis=0) + 1
        return out

    def _nearest(self, top: int, bottom: int) -> NDArray[np.uint8]:
        rows, columns = (
            np.arange(a, b) * small // whole
            for a, b, small, whole in (
                (top, bottom, self.labels.shape[0], self.shape[0]),
                (0, self.shape[1], self.labels.shape[1], self.shape[1]),
            )
        )
        return self.labels[rows[:, None], columns]

    def _blended(self, planes: NDArray[np.float32], top: int, bottom: int) -> NDArray[np.float32]:
        """Bilinear between the centres of the working pixels, as torch does without aligned corners."""
        first, second, part = _between(np.arange(top, bottom), self.shape[0], planes.shape[1])
        rows = planes[:, first] * (1 - part)[:, None] + planes[:, second] * part[:, None]
        first, second, part = _between(np.arange(self.shape[1]), self.shape[1], planes.shape[2])
        return (rows[:, :, first] * (1 - part) + rows[:, :, second] * part).astype(np.float32)


def _between(
    places: NDArray[np.int64], size: int, small: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    at = np.maximum((places + 0.5) * (small / size) - 0.5, 0)
    first = np.minimum(at.astype(np.int64), small - 1)
    return first, np.minimum(first + 1, small - 1), (at - first).astype(np.float32)


def segment_large_steps(read: ReadRows, header: MarsImage, device: str = "auto") -> Steps[LargeTerrain]:
    """Terrain of an image whose rows ``read(top, bottom)`` gives; ``header`` has its shape and dtype."""
    size = working_size(*header.shape)
    if size[0] >= header.shape[0]:
        small = to_rgb8(read(0, header.shape[0]))  # it is enlarged, so it is small
    else:
        small = yield from reduce_steps(read, header, size)
    terrain = yield from segment_steps(MarsImage.from_array(small), device)
    return LargeTerrain(terrain.labels, terrain.probabilities, header.shape, terrain.source)


def reduce_steps(read: ReadRows, header: MarsImage, size: tuple[int, int]) -> Steps[NDArray[np.uint8]]:
    """Reduce to ``size`` (height, width) as :func:`marsqe.segmentation.prepare.resized` does, band by band.

    Returns (h, w, 3) uint8.
    """
    height, width = header.shape
    to_eight = (yield from _stretch_steps(read, header)) if header.pixels.dtype != np.uint8 else to_rgb8
    scale = height / size[0]
    step = max(1, int(_AT_ONCE / width / scale))
    out = np.empty((*size, 3), np.uint8)
    for first in range(0, size[0], step):
        yield Progress("Looking at the image", first, size[0])
        last = min(first + step, size[0])
        # The filter reaches one working pixel beyond the band.
        top, bottom = max(0, int((first - 1) * scale) - 1), min(height, int((last + 1) * scale) + 2)
        band = Image.fromarray(to_eight(read(top, bottom)))
        box = (0, first * scale - top, width, last * scale - top)
        out[first:last] = np.asarray(band.resize((size[1], last - first), Image.Resampling.BILINEAR, box=box))
    return out


def _stretch_steps(read: ReadRows, header: MarsImage) -> Steps[Callable[[NDArray[Any]], NDArray[np.uint8]]]:
    """The stretch of 16-bit pixels between the percentiles of the whole image, see :func:`to_rgb8`."""
    height, width = header.shape
    step = max(1, int(np.sqrt(height * width / 200_000)))
    band = max(1, _AT_ONCE // width // step) * step
    samples = []
    for top in range(0, height, band):
        yield Progress("Looking at the brightness", top, height)
        samples.append(read(top, min(top + band, height))[::step, ::step].copy())
    low, high = np.percentile(np.concatenate(samples), (0.1, 99.9)).astype(np.float32)

    def to_eight(pixels: NDArray[Any]) -> NDArray[np.uint8]:
        values = (pixels.astype(np.float32) - low) * (255 / max(high - low, np.float32(1)))
        return to_rgb8(np.rint(np.clip(values, 0, 255)).astype(np.uint8))

    return to_eight
