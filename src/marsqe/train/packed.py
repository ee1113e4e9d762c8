"""Read truth images from a folder or from a pack, whichever is there."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open

from marsqe.errors import ReadError, SettingError
from marsqe.train.corpus import GROUPS, SCALES, Corpus, draw_scale, listed_files, load_pixels, random_crop
from marsqe.train.pack import Row

Truths = Iterator[tuple[str, NDArray[np.uint8]]]


def read_pack(path: Path, wanted: Callable[[Row], bool] = lambda row: True) -> Iterator[tuple[Row, NDArray[np.uint8]]]:
    """Crops of a pack with their origin, in its order; pixels (H, W[, 3]) uint8.

    Raises
    ------
    ReadError
        If the file is missing, damaged or no pack.
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            index = json.loads((stream.metadata() or {})["marsqe-pack"])
            data, ends = stream.get_tensor("bytes"), stream.get_tensor("ends")
        rows = [Row(**row) for row in index]
        if len(rows) != len(ends) or data.dtype != np.uint8 or (len(ends) and int(ends[-1]) != len(data)):
            raise ValueError("its parts disagree")
        for row, start, end in zip(rows, [0, *ends[:-1]], ends, strict=True):
            if wanted(row):
                with Image.open(io.BytesIO(data[start:end].tobytes()), formats=["WEBP"]) as image:
                    pixels = np.asarray(image.convert("RGB"))
                yield row, (np.ascontiguousarray(pixels[:, :, 0]) if row.gray else pixels)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ReadError(f"{path} is no pack of training images, or damaged ({error}); pack it again") from error


class PackedCorpus:
    """The training crops of a pack, in memory; draws as :class:`Corpus` does.

    Raises
    ------
    SettingError
        If a group of cameras has no crop of ``least_side`` pixels.
    """

    def __init__(self, path: Path, least_side: int) -> None:
        self.cells: dict[str, dict[int, list[NDArray[np.uint8]]]] = {split: {} for split in GROUPS}
        for row, pixels in read_pack(path, lambda row: row.split in GROUPS):
            if min(pixels.shape[:2]) >= least_side:
                self.cells[row.split].setdefault(row.scale, []).append(pixels)
        empty = [split for split, scales in self.cells.items() if not scales]
        if empty:
            raise SettingError(
                f"{path} holds no crop of {', '.join(empty)} with {least_side} pixels a side; pack larger ones (--side)"
            )
        self._shares = np.array(list(GROUPS.values())) / sum(GROUPS.values())

    def crop(self, random: np.random.Generator, size: int, shares: Mapping[int, float] = SCALES) -> NDArray[np.uint8]:
        """A random crop (size, size[, 3]) uint8 with at most 1 % black."""
        while True:
            scales = list(self.cells.values())[random.choice(len(GROUPS), p=self._shares)]
            crops = scales[draw_scale(random, list(scales), shares)]
            found = random_crop(crops[random.integers(len(crops))], random, size)
            if found is not None:
                return found


def open_corpus(data: Path, least_side: int) -> Corpus | PackedCorpus:
    """The training images of a folder with ``manifest.csv``, or of a pack."""
    return Corpus(data, least_side) if data.is_dir() else PackedCorpus(data, least_side)


def truths(data: Path, split: str, most: int | None = None) -> Truths:
    """Name and pixels of a split's truth images, at most so many; of a pack they are the images' centres."""
    if data.is_dir():
        for path in listed_files(data, split)[:most]:
            yield path.name, load_pixels(path)
    else:
        for count, (row, pixels) in enumerate(read_pack(data, lambda row: row.split == split)):
            if most is not None and count >= most:
                return
            yield row.file, pixels
