"""Folders of images as they are published: our own list, MIC, AI4MARS, Mars32K, or any folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.errors import SettingError
from marsqe.samples import SAMPLES, sample_path

ENDINGS: Final = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bpg", ".heic", ".img", ".vic"}
NO_TRUTH: Final = ("mars32k", "ai4mars")
"""Published sets of which only compressed images exist."""
_MIC_SPLITS: Final = ("train", "training", "val", "valid", "validation", "test", "testing")
_MARS32K: Final = (560, 500)
# AI4MARS: 0 soil, 1 bedrock, 2 sand, 3 big rock, 255 none. Ours: 1 sky, 2 sand, 3 soil, 4 rock.
_AI4MARS_LABELS: Final = {0: 3, 1: 4, 2: 2, 3: 4}


@dataclass(frozen=True)
class Picture:
    """One image of a folder.

    Attributes
    ----------
    path : Path
    split : str
    truth : bool or None
        Whether it can serve as truth; None where its own compression decides (lossless, or JPEG of quality 90 up).
    labels : Path or None
        Terrain labels as an image file.
    coding : {"own", "ai4mars"}
        What the values of ``labels`` mean: 0 none, 1-4 as in :mod:`marsqe.terrain`; or those of AI4MARS.
    """

    path: Path
    split: str
    truth: bool | None = None
    labels: Path | None = None
    coding: str = "own"


@dataclass
class Folder:
    """What was found: the layout in words, pictures, and files that are none."""

    layout: str
    pictures: list[Picture]
    strays: list[str] = field(default_factory=list)


def samples() -> Folder:
    """The bundled samples: their truths, and their JPEG files as images without one."""
    truths = [Picture(sample_path(s.name, "truth"), "samples", True) for s in SAMPLES]
    sent = [Picture(sample_path(s.name), "samples as sent (JPEG)", False) for s in SAMPLES]
    return Folder("bundled samples", truths + sent)


def find_pictures(
    data: Path, splits: tuple[str, ...] = (), most: int | None = None, without: Path | None = None
) -> Folder:
    """Find the images of a folder.

    Parameters
    ----------
    data : Path
    splits : tuple of str
        Empty for those whose name begins with "test", or all where none does.
    most : int, optional
        At most so many of each split, evenly spaced.
    without : Path, optional
        A folder whose files do not count: where results are written may lie within ``data``.

    Raises
    ------
    SettingError
        If there is no such folder, split, or any image.
    """
    if not data.is_dir():
        raise SettingError(f"there is no folder {data}; give one with images")
    found = _manifest(data) or _ai4mars(data) or _mic(data) or _plain(data)
    if without is not None:
        found.pictures = [p for p in found.pictures if without.resolve() not in p.path.resolve().parents]
        found.strays = [s for s in found.strays if without.resolve() not in Path(s).resolve().parents]
    names = list(dict.fromkeys(p.split for p in found.pictures))
    if not names:
        raise SettingError(f"{data} holds no image of a known kind ({', '.join(sorted(ENDINGS))}); give another folder")
    unknown = set(splits) - set(names)
    if unknown:
        raise SettingError(f"{data} has no split {', '.join(sorted(unknown))}; choose of: {', '.join(names)}")
    chosen = splits or tuple(n for n in names if n.startswith("test")) or tuple(names)
    found.pictures = limited(found.pictures, chosen, most)
    return found


def limited(pictures: Iterable[Picture], splits: Iterable[str], most: int | None) -> list[Picture]:
    """Those of the splits, at most ``most`` of each, evenly spaced over the list."""
    kept: list[Picture] = []
    pictures = list(pictures)
    for split in splits:
        of = [p for p in pictures if p.split == split]
        count = len(of) if most is None else min(most, len(of))
        kept += [of[i] for i in np.linspace(0, len(of) - 1, count).round().astype(int)] if of else []
    return kept


def _manifest(data: Path) -> Folder | None:
    listing = data / "manifest.csv"
    if not listing.is_file():
        return None
    with listing.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"split", "file"} <= set(rows[0]):
        raise SettingError(f"{listing} needs the columns split and file, and a row for each image")
    pictures = [Picture(data / r["file"], r["split"], r["split"].rsplit("/")[-1] not in NO_TRUTH) for r in rows]
    return Folder("manifest.csv", pictures)


def _mic(data: Path) -> Folder | None:
    parts = {d.name: _files(d) for d in sorted(data.iterdir()) if d.is_dir() and d.name.lower() in _MIC_SPLITS}
    if not any(files for files, _ in parts.values()):
        return None
    pictures = [Picture(p, name.lower(), True) for name, (files, _) in parts.items() for p in files]
    return Folder("splits of raw images, as MIC", pictures, [s for _, strays in parts.values() for s in strays])


def _ai4mars(data: Path) -> Folder | None:
    folders = sorted(d for d in data.rglob("edr") if d.is_dir() and d.parent.name == "images")
    if not folders:
        return None
    pictures, strays = [], []
    for folder in folders:
        root = folder.parents[1]
        labels = {p.stem: p for p in sorted((root / "labels").rglob("*.png"))} if (root / "labels").is_dir() else {}
        files, other = _files(folder)
        split = root.relative_to(data).as_posix()
        name = "ai4mars" if split == "." else f"ai4mars/{split}"
        pictures += [Picture(p, name, False, labels.get(p.stem), "ai4mars") for p in files]
        strays += other
    return Folder("AI4MARS (images/edr)", pictures, strays)


def _plain(data: Path) -> Folder:
    files, strays = _files(data)
    if files and all(_size(p) == _MARS32K for p in files[:5]):
        return Folder("Mars32K (560x500)", [Picture(p, "mars32k", False) for p in files], strays)
    labels = data / "labels"
    files = [p for p in files if labels not in p.parents]
    pictures = []
    for path in files:
        label = labels / f"{path.stem}.png"
        split = path.parent.relative_to(data).as_posix()
        pictures.append(Picture(path, "all" if split == "." else split, None, label if label.is_file() else None))
    return Folder("folder of images", pictures, strays)


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    every = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    images = [p for p in every if p.suffix.lower() in ENDINGS]
    return images, [str(p) for p in every if p.suffix.lower() not in ENDINGS]


def _size(path: Path) -> tuple[int, int] | None:
    try:
        with Image.open(path) as image:
            return image.size
    except (OSError, ValueError):
        return None


def read_labels(picture: Picture, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
    """Terrain labels 0-4 of a picture (H, W), resized without mixing; None where it has none.

    Raises
    ------
    SettingError
        If the file is no gray image, or has other values than its coding knows.
    """
    if picture.labels is None:
        return None
    try:
        with Image.open(picture.labels) as image:
            values = np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.NEAREST))
    except (OSError, ValueError) as error:
        raise SettingError(f"the labels {picture.labels} cannot be read ({error}); repair or remove them") from error
    if values.ndim == 3:
        values = values[:, :, 0]
    if picture.coding == "ai4mars":
        table = np.zeros(256, np.uint8)
        for value, label in _AI4MARS_LABELS.items():
            table[value] = label
        return table[values.astype(np.uint8)]
    if values.max(initial=0) > 4:
        raise SettingError(f"the labels {picture.labels} must be 0 (none), 1 sky, 2 sand, 3 soil or 4 rock")
    return values.astype(np.uint8)
