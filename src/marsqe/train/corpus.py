"""Truth images of every camera, at several scales, sampled in balance.

A network trained on one camera's images loses on the others': sampling is balanced over groups of cameras,
not over files, and every image also serves at a half and a third of its size.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.errors import SettingError

GROUPS: Final = {
    "train/msl_mastcam": 0.38,
    "train/m2020_hazcam": 0.27,
    "train/msl_gray": 0.18,
    "train/mixed_colour": 0.17,
}
"""Share of each group of cameras in a training batch."""

SCALES: Final = {1: 0.55, 2: 0.30, 3: 0.15}
"""Divisors of the image's size and how often each is drawn."""

PLAIN_SCALES: Final = {1: 0.8, 2: 0.2, 3: 0.0}
"""The same for plain pairs, see :class:`marsqe.train.degrade.Degradation`."""

_BLACK: Final = 2
_MOST_BLACK: Final = 0.01


@dataclass(frozen=True)
class Truth:
    """One truth image at its scales: divisor -> pixels (H, W) or (H, W, 3) uint8."""

    name: str
    scales: dict[int, NDArray[np.uint8]]


def listed_files(data: Path, split: str) -> list[Path]:
    """Files of one split (for example ``val/msl_mastcam``), as ``manifest.csv`` lists them, in its order."""
    with (data / "manifest.csv").open(newline="") as stream:
        return [data / row["file"] for row in csv.DictReader(stream) if row["split"] == split]


def load_pixels(path: Path) -> NDArray[np.uint8]:
    """Pixels of an image file as gray (H, W) or RGB (H, W, 3) uint8."""
    with Image.open(path) as image:
        return np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB"))


def _pyramid(pixels: NDArray[np.uint8], least_side: int) -> dict[int, NDArray[np.uint8]]:
    image = Image.fromarray(pixels)
    scales = {}
    for divisor in SCALES:
        small = pixels if divisor == 1 else np.asarray(image.reduce(divisor))
        if min(small.shape[:2]) >= least_side:
            scales[divisor] = small
    return scales


def _truth(path: Path, least_side: int) -> Truth:
    return Truth(path.name, _pyramid(load_pixels(path), least_side))


def is_bright(crop: NDArray[np.uint8], most_black: float = _MOST_BLACK) -> bool:
    """Whether at most 1 %, or another share, of a crop (H, W[, 3]) is black."""
    level = crop if crop.ndim == 2 else crop.max(axis=2)
    return bool((level <= _BLACK).mean() <= most_black)


def central_corner(shape: Sequence[int], side: int) -> tuple[int, int]:
    """Row and column, on the grid of 8 pixels, at which the central square of an image (H, W[, 3]) begins."""
    y, x = (max(0, (n - side) // 16 * 8) for n in shape[:2])
    return y, x


def central_square(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Central square of an image (H, W[, 3]), beginning on the grid; as much of it as there is."""
    y, x = central_corner(pixels.shape, side)
    return pixels[y : y + side, x : x + side]


def random_crop(pixels: NDArray[np.uint8], random: np.random.Generator, size: int) -> NDArray[np.uint8] | None:
    """A random crop (size, size[, 3]) that is not black; None after eight failures."""
    for _ in range(8):
        y = int(random.integers(pixels.shape[0] - size + 1))
        x = int(random.integers(pixels.shape[1] - size + 1))
        crop = pixels[y : y + size, x : x + size]
        if is_bright(crop):
            return crop
    return None


def draw_scale(random: np.random.Generator, divisors: Sequence[int], shares: Mapping[int, float]) -> int:
    """One of the divisors by its share; evenly where none of them has any."""
    weights = np.array([shares[d] for d in divisors])
    chances = weights / weights.sum() if weights.any() else None
    return int(random.choice(list(divisors), p=chances))


class Corpus:
    """All truth images of the training groups, in memory.

    Parameters
    ----------
    data : Path
        Folder with ``manifest.csv``.
    least_side : int
        Scales at which an image is smaller than this are left out.

    Raises
    ------
    SettingError
        If a group of cameras has no image of that size.
    """

    def __init__(self, data: Path, least_side: int = 160) -> None:
        self.groups = [
            [truth for path in listed_files(data, split) if (truth := _truth(path, least_side)).scales]
            for split in GROUPS
        ]
        empty = [split for split, group in zip(GROUPS, self.groups, strict=True) if not group]
        if empty:
            raise SettingError(
                f"{data / 'manifest.csv'} lists no image of {', '.join(empty)} with {least_side} pixels a side; "
                "add some, or choose smaller crops"
            )
        self._shares = np.array(list(GROUPS.values())) / sum(GROUPS.values())

    def crop(self, random: np.random.Generator, size: int, shares: Mapping[int, float] = SCALES) -> NDArray[np.uint8]:
        """A random crop (size, size[, 3]) uint8 with at most 1 % black, of a random scale of a random image."""
        while True:
            group = self.groups[random.choice(len(self.groups), p=self._shares)]
            truth = group[random.integers(len(group))]
            found = random_crop(truth.scales[draw_scale(random, list(truth.scales), shares)], random, size)
            if found is not None:
                return found
