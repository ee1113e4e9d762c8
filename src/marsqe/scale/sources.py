"""From folders, patterns, lists and files to the sources of a batch, each with the name of its result."""

from __future__ import annotations

import csv
import glob
import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from marsqe.errors import ReadError, SettingError

LISTS: Final = (".csv", ".txt")
"""Endings of files that list images."""

_COLUMNS: Final = ("file", "path", "image", "source")
_LABELS: Final = (".lbl", ".xml")
_TRUTHS: Final = (".png", ".tif", ".tiff", ".img", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class Source:
    """One file to be enhanced.

    Attributes
    ----------
    path : Path
        Absolute.
    output : str
        Name of the result below the output folder, with forward slashes; no two sources of a batch share one.
    truth : Path or None
        The uncompressed original.
    """

    path: Path
    output: str
    truth: Path | None = None


def collect(
    inputs: Sequence[str | Path],
    out: Path,
    *,
    ending: str = ".tif",
    recursive: bool = False,
    truth: Path | None = None,
) -> list[Source]:
    """Find the sources of a batch.

    The result depends on the set of files alone, neither on their order nor on how they were named. A folder's files
    keep their place below it (``recursive`` looks into its folders, too); others are named by their stem. Sources
    that would get the same name, on any file system, all get the hash of their path added.

    Parameters
    ----------
    inputs : sequence of str or Path
        Files, folders, patterns such as ``sol_*/*.jpg``, and lists: ``.txt`` with a path a line, or ``.csv`` with a
        column "file" (or path, image, source; else the first). Paths in a list are relative to it.
    out : Path
        The output folder; what lies in it is no input.
    ending : str
        Of the results.
    truth : Path, optional
        Folder of uncompressed originals, found by the source's place below its folder, or its stem.

    Raises
    ------
    SettingError
        If the output folder is an input or above one, or the folder of truths is none.
    ReadError
        If a list cannot be read.
    """
    if truth is not None and not truth.is_dir():
        raise SettingError(f"there is no folder {truth} of truths; check the name")
    places: dict[Path, PurePosixPath] = {}
    for path, place in _found(inputs, _absolute(out), recursive):
        places[path] = min(place, places.get(path, place), key=lambda p: (-len(p.parts), str(p)))
    wanted = {path: place.with_suffix(ending) for path, place in places.items()}
    counts = Counter(str(place).casefold() for place in wanted.values())

    def output(path: Path) -> str:
        place = wanted[path]
        if counts[str(place).casefold()] == 1:
            return str(place)
        return str(place.with_name(f"{place.stem}-{hashlib.sha256(str(path).encode()).hexdigest()[:8]}{ending}"))

    sources = [Source(path, output(path), _truth_of(places[path], truth)) for path in places]
    return sorted(sources, key=lambda source: source.output)


def _found(inputs: Sequence[str | Path], out: Path, recursive: bool) -> Iterator[tuple[Path, PurePosixPath]]:
    """Files with their places: what their folder or their own name says."""
    for text in inputs:
        path = _absolute(text)
        if path.is_dir():
            yield from _in_folder(path, out, recursive)
        elif path.suffix.lower() in LISTS and path.is_file():
            yield from ((file, PurePosixPath(file.name)) for file in _listed(path))
        elif not path.exists() and glob.has_magic(str(text)):
            matches = [_absolute(match) for match in glob.glob(str(text), recursive=True)]  # noqa: PTH207
            files = [match for match in matches if not match.is_dir() and not match.is_relative_to(out)]
            # A pattern without a match stays as it is, and is told as a file that does not exist.
            yield from ((file, PurePosixPath(file.name)) for file in files or [path])
        else:
            yield path, PurePosixPath(path.name)


def _in_folder(folder: Path, out: Path, recursive: bool) -> Iterator[tuple[Path, PurePosixPath]]:
    if folder.is_relative_to(out):
        raise SettingError(f"{folder} is the output folder or in it; choose another folder for the results")
    for path in folder.rglob("*") if recursive else folder.iterdir():
        place = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in place.parts)
        if not hidden and not path.is_dir() and not path.is_relative_to(out) and not _is_label(path):
            yield path, PurePosixPath(place.as_posix())


def _absolute(path: str | Path) -> Path:
    # Links are not followed: who names a file by a link means the link's name.
    return Path(os.path.abspath(path))  # noqa: PTH100


def _is_label(path: Path) -> bool:
    """Whether a file is the label of a product beside it, which is the one to open."""
    return path.suffix.lower() in _LABELS and any(path.with_suffix(end).is_file() for end in (".IMG", ".img"))


def _listed(path: Path) -> list[Path]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ReadError(f"cannot read the list {path}: {error}; save it as UTF-8 text") from error
    if path.suffix.lower() == ".csv":
        rows = list(csv.DictReader(text.splitlines()))
        names = list(rows[0]) if rows else []
        column = next((name for name in names if name and name.strip().lower() in _COLUMNS), names[0] if names else "")
        entries = [row[column] or "" for row in rows]
    else:
        entries = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [_absolute(path.parent / entry.strip()) for entry in entries if entry.strip()]


def _truth_of(place: PurePosixPath, folder: Path | None) -> Path | None:
    if folder is None:
        return None
    for stem in (folder / place.with_suffix(""), folder / place.stem):
        for suffix in _TRUTHS:
            for name in (f"{stem}{suffix}", f"{stem}{suffix.upper()}"):
                if Path(name).is_file():
                    return Path(name)
    return None
