"""Pack truth crops into one file: for machines that have neither the folder of images nor the room for it.

A pack is a safetensors file: all crops as lossless WebP, one after the other, where each ends, and an index that names
the source of every crop.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save_file

from marsqe.errors import SettingError
from marsqe.export.atomic import atomic
from marsqe.train.corpus import GROUPS, SCALES, central_corner, is_bright, listed_files, load_pixels

MIB: Final = 2**20
VALIDATION: Final = ("val/msl_mastcam", "val/m2020_hazcam")
VALIDATION_SIDE: Final = 384
"""Of validation images the centre is packed: as much as the quick looks during a run need, and a little more."""

_MOST_BLACK: Final = 0.3
"""Of a crop of the pack; training cuts its patches from the rest."""

_VALIDATION_SHARE: Final = 0.12
_OVERHEAD: Final = 4096


@dataclass(frozen=True)
class Row:
    """Where a crop of a pack is from: group of cameras, file, divisor of the file's size, corner there."""

    split: str
    file: str
    scale: int
    y: int
    x: int
    gray: bool


@dataclass(frozen=True)
class Crop:
    """A crop as it is stored."""

    row: Row
    data: bytes

    @property
    def cost(self) -> int:
        """Bytes in the file, its line of the index included (every quote in it is escaped once more)."""
        return len(self.data) + 8 + len(json.dumps(json.dumps(asdict(self.row)))) + 2


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    """Lossless WebP of (H, W[, 3]) uint8 pixels."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB").save(
        stream, "WEBP", lossless=True, quality=40, method=3
    )
    return stream.getvalue()


def write_pack(data: Path, out: Path, most_mib: float = 60.0, side: int = 256, seed: int = 1) -> list[Row]:
    """Write a pack of the training groups and of the centres of the validation images.

    Training crops are taken in the balance of ``GROUPS`` and ``SCALES`` as long as there are any, in turn from every
    image; what a camera cannot fill, for want of images, goes to the others. The same data give the same file.

    Parameters
    ----------
    data : Path
        Folder with ``manifest.csv``.
    out : Path
        The file to write.
    most_mib : float
        Size that the file does not exceed.
    side : int
        Least side of a training crop in pixels, which is less than twice that: crops tile the whole image. Smaller
        where an image is.

    Returns
    -------
    list of Row
        What it holds.

    Raises
    ------
    SettingError
        If not even one crop of every group fits.
    ExportError
        If the file cannot be written.
    """
    room = int(most_mib * MIB) - _OVERHEAD
    crops = _fitting(_validation_crops(data), int(room * _VALIDATION_SHARE))
    crops += _balanced(data, side, room - sum(crop.cost for crop in crops), seed)
    missing = sorted(set(GROUPS) - {crop.row.split for crop in crops})
    if missing:
        raise SettingError(f"no crop of {', '.join(missing)} is in the pack; allow more MiB, or add images to {data}")
    index = json.dumps([asdict(crop.row) for crop in crops])
    tensors = {
        "bytes": np.frombuffer(b"".join(crop.data for crop in crops), np.uint8),
        "ends": np.cumsum([len(crop.data) for crop in crops], dtype=np.int64),
    }
    with atomic(out) as part:
        # One entry only: the library writes several in no fixed order.
        save_file(tensors, part, metadata={"marsqe-pack": index})
    return [crop.row for crop in crops]


def _fitting(crops: Iterator[Crop], room: int) -> list[Crop]:
    taken: list[Crop] = []
    for crop in crops:
        room -= crop.cost
        if room < 0:
            break
        taken.append(crop)
    return taken


def _validation_crops(data: Path) -> Iterator[Crop]:
    """The centres of the validation images, sets in turn, so that a small pack has some of each."""
    files = [[(split, path) for path in listed_files(data, split)] for split in VALIDATION]
    for place in range(max(map(len, files), default=0)):
        for split, path in (listed[place] for listed in files if place < len(listed)):
            pixels = load_pixels(path)
            y, x = central_corner(pixels.shape, VALIDATION_SIDE)
            yield _crop(pixels, Row(split, path.name, 1, y, x, pixels.ndim == 2), VALIDATION_SIDE, VALIDATION_SIDE)


def _crop(pixels: NDArray[np.uint8], row: Row, height: int, width: int) -> Crop:
    return Crop(row, encoded(pixels[row.y : row.y + height, row.x : row.x + width]))


def _balanced(data: Path, side: int, room: int, seed: int) -> list[Crop]:
    shares = {(split, scale): GROUPS[split] * SCALES[scale] for split in GROUPS for scale in SCALES}
    sources = {
        (split, scale): _training_crops(listed_files(data, split), split, scale, side, seed) for split, scale in shares
    }
    spent = dict.fromkeys(shares, 0)
    taken: list[Crop] = []
    while sources:
        cell = min(sources, key=lambda c: spent[c] / shares[c])
        crop = next(sources[cell], None)
        if crop is None:
            del sources[cell]
            continue
        room -= crop.cost
        if room < 0:
            break
        spent[cell] += crop.cost
        taken.append(crop)
    return taken


def _training_crops(files: list[Path], split: str, scale: int, side: int, seed: int) -> Iterator[Crop]:
    """Crops of one group at one scale: one of every image, then another of every image, and so on."""
    random = np.random.default_rng((seed, scale, *split.encode()))
    left = []
    for index in random.permutation(len(files)):
        with Image.open(files[index]) as image:
            windows = _windows((-(-image.height // scale), -(-image.width // scale)), side)
        random.shuffle(windows)
        left.append((files[index], windows))
    while left:
        for path, windows in left:
            pixels = _reduced(load_pixels(path), scale)
            while windows:
                y, x, height, width = windows.pop()
                if is_bright(pixels[y : y + height, x : x + width], _MOST_BLACK):
                    yield _crop(pixels, Row(split, path.name, scale, y, x, pixels.ndim == 2), height, width)
                    break
        left = [(path, windows) for path, windows in left if windows]


def _windows(shape: tuple[int, int], side: int) -> list[tuple[int, int, int, int]]:
    """Top, left, height and width of windows that tile an image: as many as there can be with that side."""
    (rows, columns) = (max(1, n // side) for n in shape)
    height, width = shape[0] // rows, shape[1] // columns
    return [(y * height, x * width, height, width) for y in range(rows) for x in range(columns)]


def _reduced(pixels: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    return pixels if scale == 1 else np.asarray(Image.fromarray(pixels).reduce(scale))
