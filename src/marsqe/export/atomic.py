"""Write a file under a temporary name and rename it: a reader sees the old file or the whole new one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from marsqe.errors import ExportError


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; on success it takes its name, on failure it is removed.

    Raises
    ------
    ExportError
        If the folder is missing or not writable, the disk is full, or the name is taken by a folder.
    """
    temporary: Path | None = None
    try:
        if path.is_dir():
            raise ExportError(f"cannot write {path}: there is a folder of that name; choose another name")
        # No part of the target's name: with it the temporary one could be longer than the file system allows.
        handle, name = tempfile.mkstemp(prefix=".marsqe-", suffix=".part", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as written:  # Windows syncs only what is open for writing
            os.fsync(written.fileno())
        # mkstemp is private to the user; a result gets the permissions that any new file would.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ExportError(f"cannot write {path}: there is no folder {path.parent}; create it first") from error
    except PermissionError as error:
        raise ExportError(f"cannot write {path}: no permission; choose a folder that you may write to") from error
    except OSError as error:
        raise ExportError(
            f"cannot write {path}: {error.strerror or error}; free space or choose another disk"
        ) from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):
                temporary.unlink()


def write_whole(path: Path, content: bytes) -> None:
    """Write bytes to a file, whole or not at all; raises as :func:`atomic`."""
    with atomic(path) as part:
        part.write_bytes(content)
