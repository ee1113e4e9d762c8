"""Labelled terrain of three sources, brought to four classes and sampled in balance over sources and classes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.segmentation.prepare import stretch_limits, to_rgb8
from marsqe.terrain import CLASSES
from marsqe.train.corpus import load_pixels

K = TypeVar("K")

IGNORE: Final = 255
NOT_ROCK: Final = len(CLASSES)
"""Target of a pixel that may be anything but rock."""

SKY, SAND, SOIL, ROCK = range(len(CLASSES))

MAPPINGS: Final[dict[str, dict[int, int]]] = {
    "marsscapes": {0: SOIL, 1: ROCK, 2: SOIL, 3: SAND, 4: ROCK, 6: SKY},
    "ai4mars": {0: SOIL, 1: ROCK, 2: SAND, 3: ROCK},
    "marsdata_rocks": {0: NOT_ROCK, 1: ROCK},
}
"""Mask value to target, per source; every other value is ignored."""

SHARES: Final = {"marsscapes": 0.55, "ai4mars": 0.33, "marsdata_rocks": 0.12}
"""Share of each source in a batch."""

CLASS_SHARES: Final = {SKY: 0.2, SAND: 0.26, SOIL: 0.2, ROCK: 0.34, NOT_ROCK: 0.2}
"""How often a crop is placed on a pixel of each target, among those that a source has."""

SIDES: Final = {"marsscapes": (160, 512), "ai4mars": (128, 256), "marsdata_rocks": (160, 480)}
"""Least and greatest side of a crop, in the source's pixels."""

_ANCHORS: Final = 400


@dataclass(frozen=True)
class Labelled:
    """An image and its targets.

    Attributes
    ----------
    source : str
    rgb : ndarray of uint8, shape (H, W, 3)
    target : ndarray of uint8, shape (H, W)
        Class 0-3 in the order of ``CLASSES``, ``NOT_ROCK`` or ``IGNORE``.
    limits : (float, float)
        Brightness limits of the whole image's contrast stretch.
    name : str
    """

    source: str
    rgb: NDArray[np.uint8]
    target: NDArray[np.uint8]
    limits: tuple[float, float]
    name: str


GRAVEL: Final = {"marsscapes": 2}
"""Mask value of gravel, per source that tells it from soil."""


def to_target(mask: NDArray[np.uint8], source: str, *, gravel: bool = True) -> NDArray[np.uint8]:
    """Targets of a mask (H, W) of one source; without ``gravel`` its pixels are ignored instead of being soil."""
    table = np.full(256, IGNORE, np.uint8)
    for value, target in MAPPINGS[source].items():
        if gravel or value != GRAVEL.get(source):
            table[value] = target
    return table[mask]


def labelled_images(data: Path, split: str, *, gravel: bool = True) -> Iterator[Labelled]:
    """Images of ``segmentation.csv`` in ``data`` of one split ("train" or "val"), in its order.

    Without ``gravel`` its pixels, whose limits to soil and to stones are subjective, are ignored.
    """
    with (data / "segmentation.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    for row in rows:
        rgb = to_rgb8(load_pixels(data / row["image"]))
        with Image.open(data / row["mask"]) as mask:
            target = to_target(np.asarray(mask), row["source"], gravel=gravel)
        yield Labelled(row["source"], rgb, target, stretch_limits(rgb), Path(row["image"]).stem)


@dataclass(frozen=True)
class _Anchor:
    image: int
    y: int
    x: int


class TerrainCorpus:
    """All labelled training images in memory, with places of every class to put crops on."""

    def __init__(self, images: list[Labelled], seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.images = images
        self.anchors: dict[str, dict[int, list[_Anchor]]] = {source: {} for source in SHARES}
        for number, image in enumerate(images):
            places = self.anchors[image.source]
            for value in CLASS_SHARES:
                rows, columns = np.nonzero(image.target == value)
                if rows.size:
                    # Anchors grow with the root of the area: one wide dune field is not all of the sand.
                    count = min(rows.size, max(4, round(_ANCHORS * float(np.sqrt(rows.size / image.target.size)))))
                    chosen = random.choice(rows.size, count, replace=False)
                    places.setdefault(value, []).extend(_Anchor(number, int(rows[i]), int(columns[i])) for i in chosen)
        self.anchors = {source: places for source, places in self.anchors.items() if places}

    def crop(self, random: np.random.Generator) -> Labelled:
        """A square crop of a random side around a random place of a random class of a random source."""
        source = _draw(random, {s: SHARES[s] for s in self.anchors})
        places = self.anchors[source]
        at = places[_draw(random, {c: CLASS_SHARES[c] for c in places})]
        anchor = at[int(random.integers(len(at)))]
        image = self.images[anchor.image]
        height, width = image.target.shape
        least, most = SIDES[source]
        most = min(most, height, width)
        side = round(float(np.exp(random.uniform(np.log(min(least, most)), np.log(most)))))
        y = _corner(random, anchor.y, side, height)
        x = _corner(random, anchor.x, side, width)
        window = np.s_[y : y + side, x : x + side]
        return Labelled(source, image.rgb[window], image.target[window], image.limits, image.name)


def _draw(random: np.random.Generator, shares: dict[K, float]) -> K:
    weights = np.array(list(shares.values()))
    return list(shares)[int(random.choice(len(weights), p=weights / weights.sum()))]


def _corner(random: np.random.Generator, anchor: int, side: int, length: int) -> int:
    low, high = max(0, anchor - side + 1), min(anchor, length - side)
    return int(random.integers(low, high + 1))
