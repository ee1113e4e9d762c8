"""The user's own folder: references and weights that somebody added, beside those that come with the package."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import platformdirs

from marsqe.errors import ExportError, ReadError

VARIABLE: Final = "MARSQE_DATA"
"""Environment variable that names another folder."""

MOST_JSON: Final = 2**20
"""Largest card in bytes: a real one has a few kilobytes."""


def data_folder() -> Path:
    """Where the user's own references and weights are kept; it need not exist yet."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else Path(platformdirs.user_data_dir("napari-marsqe", appauthor=False))


def made(folder: Path) -> Path:
    """The folder, made if need be.

    Raises
    ------
    ExportError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"cannot make the folder {folder} ({error.strerror or error}); name another one in the environment "
            f"variable {VARIABLE}"
        ) from error
    return folder


def read_bytes(path: Path, most: int) -> bytes:
    """Content of a file of at most ``most`` bytes.

    Raises
    ------
    ReadError
        If it cannot be read or is larger.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        raise ReadError(f"{path.name} cannot be read ({error.strerror or error})") from error
    if len(content) > most:
        raise ReadError(f"{path.name} is larger than {most:,} bytes")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of at most ``MOST_JSON`` bytes.

    Raises
    ------
    ReadError
        If it cannot be read, is larger, or holds no JSON object.
    """
    try:
        found = json.loads(read_bytes(path, MOST_JSON))
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path.name} is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise ReadError(f"{path.name} holds no JSON object")
    return found
