"""What a batch asks of a file before it opens it, or instead."""

from __future__ import annotations

import hashlib
from pathlib import Path

import marsqe
from marsqe.errors import ReadError, SettingError
from marsqe.image import MarsImage
from marsqe.read.source import kind_of


def earlier_result(path: Path, image: MarsImage) -> MarsImage | None:
    """A finished result, to be compared with a truth; None where its numbers are others than the image's."""
    try:
        found = marsqe.open_image(path)
    except ReadError:  # of real numbers no image is opened
        return None
    same = found.pixels.shape == image.pixels.shape and found.pixels.dtype == image.pixels.dtype
    return found if same else None


def digest_of(path: Path) -> str:
    """SHA-256 of a file; raises ``ReadError`` where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        marsqe.open_image(path)  # which says what is wrong with it
        raise ReadError(f"cannot open {path}: the system cannot read it; check the disk") from None


def check_brings_tables(path: Path) -> None:
    """Raise a ``SettingError`` for a file that is no JPEG, and too large for its tables to be estimated."""
    with path.open("rb") as file:
        if kind_of(file.read(64)) != "JPEG":
            raise SettingError(
                f"{path} is to be enhanced in windows, and there no tables are estimated; raise --windows-above if "
                "there is memory for the whole image, or leave out --estimate-tables"
            )


def size_in_bytes(path: Path) -> int | None:
    """Size of a file; None where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def pixels_of(path: Path) -> int:
    """Number of pixels that a file's header tells of; 0 where it tells none."""
    from marsqe.read.large import size_of

    height, width = size_of(path) or (0, 0)
    return height * width
