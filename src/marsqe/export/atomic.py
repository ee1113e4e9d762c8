"""Write files under temporary names and rename them: a reader sees the old files or the whole new ones."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from marsqe.errors import ExportError
from marsqe.export.leftovers import SUFFIX, prefix, remove_leftovers


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it takes its name, on failure it is removed.

    Raises
    ------
    ExportError
        If the folder is missing or not writable, the disk is full, or the name is taken by a folder.
    """
    with atomic_set([path]) as parts:
        yield parts[0]


@contextmanager
def atomic_set(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """The same for several files that belong together: all take their names, or none does.

    What the names held before comes back where a later one of the set cannot be written. What killed processes have
    left in the folders is removed.

    Raises
    ------
    ExportError
        As :func:`atomic`.
    """
    for folder in {path.parent for path in paths}:
        remove_leftovers(folder)
    with ExitStack() as made:
        parts = [made.enter_context(_temporary(path)) for path in paths]
        yield parts
        for path, part in zip(paths, parts, strict=True):
            with _told(path):
                _settle(part)
        _rename(paths, parts, made)


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    with _told(path):
        if path.is_dir():
            raise ExportError(f"cannot write {path}: there is a folder of that name; choose another name")
        part = _unused(path.parent)
        try:
            yield part
        finally:
            with suppress(FileNotFoundError):
                part.unlink()


def _unused(folder: Path) -> Path:
    # No part of the target's name: with it the temporary one could be longer than the file system allows.
    handle, name = tempfile.mkstemp(prefix=prefix(), suffix=SUFFIX, dir=folder)
    os.close(handle)
    return Path(name)


def _settle(part: Path) -> None:
    with part.open("rb+") as written:  # Windows syncs only what is open for writing
        os.fsync(written.fileno())
    # mkstemp is private to the user; a result gets the permissions that any new file would.
    mask = os.umask(0)
    os.umask(mask)
    part.chmod(0o666 & ~mask)


def _rename(paths: Sequence[Path], parts: Sequence[Path], made: ExitStack) -> None:
    done: list[tuple[Path, Path | None]] = []
    try:
        for path, part in zip(paths, parts, strict=True):
            with _told(path):
                kept = _copy(path, made) if len(paths) > 1 and path.exists() else None
                os.replace(part, path)
                done.append((path, kept))
    except BaseException:
        for path, kept in reversed(done):
            with suppress(OSError):
                path.unlink(missing_ok=True) if kept is None else os.replace(kept, path)
        raise


def _copy(path: Path, made: ExitStack) -> Path:
    """A second name for what is there, which goes when the set is written: the first one is never missing."""
    kept = made.enter_context(_temporary(path))
    kept.unlink()
    try:
        kept.hardlink_to(path)
    except OSError:  # not every file system has links
        shutil.copy2(path, kept)
    return kept


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the system's errors into ours."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ExportError(f"cannot write {path}: there is no folder {path.parent}; create it first") from error
    except PermissionError as error:
        raise ExportError(f"cannot write {path}: no permission; choose a folder that you may write to") from error
    except OSError as error:
        raise ExportError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another disk"
        ) from error


def write_whole(path: Path, content: bytes) -> None:
    """Write bytes to a file, whole or not at all; raises as :func:`atomic`."""
    with atomic(path) as part:
        part.write_bytes(content)
