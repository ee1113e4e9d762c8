"""The folder of a session: one JSON with the facts, one npz with the arrays. Written beside, then renamed."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

import marsqe
from marsqe.errors import ExportError, ReadError, in_one_line
from marsqe.export import leftovers
from marsqe.progress import Progress, Steps

SUFFIX: Final = ".marsqe"
FORMAT: Final = "marsqe-session"
VERSION: Final = 1
FACTS, ARRAYS = "session.json", "arrays.npz"


def is_session(folder: Path) -> bool:
    """Whether a folder looks like a session of ours."""
    return (folder / FACTS).is_file() and (folder / ARRAYS).is_file()


def write_folder(folder: Path, facts: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Steps[Path]:
    """Write a session; an older one of that name is replaced only when the new one is whole.

    Raises
    ------
    ExportError
        If the folder holds anything but a session, or cannot be written.
    """
    if folder.exists() and not is_session(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise ExportError(f"{folder} exists and is no MarsQE session, so it is left alone; choose another name")
    part: Path | None = None
    try:
        # No part of the target's name: with it the temporary one could be longer than the file system allows.
        leftovers.remove_leftovers(folder.parent)
        part = Path(tempfile.mkdtemp(prefix=leftovers.prefix(), suffix=leftovers.SUFFIX, dir=folder.parent))
        yield from _write_arrays(part / ARRAYS, arrays)
        head = {"format": FORMAT, "version": VERSION, "software": f"napari-marsqe {marsqe.__version__}"}
        text = json.dumps(head | facts, allow_nan=False, ensure_ascii=False, indent=1)
        (part / FACTS).write_text(text, encoding="utf-8")
        _take_place(part, folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ExportError(f"cannot write {folder}: there is no folder {folder.parent}; create it first") from error
    except OSError as error:
        raise ExportError(
            f"cannot write {folder}: {error.strerror or error}; free space or choose another folder"
        ) from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    return folder


def read_folder(folder: Path) -> tuple[dict[str, Any], Mapping[str, NDArray[Any]]]:
    """Facts and arrays of a session; each array is read when it is asked for.

    Raises
    ------
    ReadError
        If the folder is no session, is of a newer version, or is damaged.
    """
    if not is_session(folder):
        raise ReadError(f"{folder} is no MarsQE session; choose a folder that “Save session…” has written")
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or facts.get("format") != FORMAT:
            raise ReadError(f"{folder} is no MarsQE session; its {FACTS} says nothing of one")
        if facts.get("version") != VERSION:
            raise ReadError(
                f"{folder} is a session of version {facts.get('version')}, and this MarsQE reads version {VERSION}; "
                "update napari-marsqe"
            )
        return facts, _Arrays(folder)
    except (OSError, ValueError, RecursionError) as error:
        raise ReadError(
            f"cannot read the session {folder}: {in_one_line(error)}; it is damaged, use another copy"
        ) from error


class _Arrays(Mapping[str, NDArray[Any]]):
    """The arrays of a session's npz."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            # Opened here: of a damaged one numpy leaves its own open.
            with (self._folder / ARRAYS).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                array: NDArray[Any] = stored[name]
                return array
        except Exception as error:  # zlib, zipfile and numpy each have their own for what damage leads them to
            raise ReadError(
                f"cannot read the session {self._folder}: {in_one_line(error)}; it is damaged, use another copy"
            ) from error

    def __iter__(self) -> Any:
        with np.load(self._folder / ARRAYS, allow_pickle=False) as stored:
            return iter(stored.files)

    def __len__(self) -> int:
        return len(list(iter(self)))


def _write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Steps[None]:
    # As numpy.savez_compressed, with a step for each array, and fast rather than small.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for done, (name, array) in enumerate(arrays.items()):
            yield Progress("Saving the session", done, len(arrays))
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asarray(array), allow_pickle=False)


def _take_place(part: Path, folder: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    part.chmod(0o777 & ~mask)
    old: Path | None = None
    if folder.exists():
        old = Path(tempfile.mkdtemp(prefix=".marsqe-", suffix=".old", dir=folder.parent))
        os.replace(folder, old / "session")
    try:
        os.replace(part, folder)
    except OSError:
        if old is not None:
            with suppress(OSError):
                os.replace(old / "session", folder)
        raise
    finally:
        if old is not None and folder.exists():
            shutil.rmtree(old, ignore_errors=True)
