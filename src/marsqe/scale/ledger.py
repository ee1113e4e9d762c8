"""The ledger of a batch: which results are finished. It survives a killed process at any moment."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from marsqe.errors import ExportError

FOLDER: Final = ".marsqe-batch"
"""Below the output folder: the ledger, its lock, and files that are being written."""

Record = dict[str, Any]

_NO_LOCKS: Final = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL}


class Ledger:
    """Finished results, one JSON object a line, appended and flushed to the disk one by one.

    A line that was cut short by a crash is passed over: its result is made again. While a ledger is open no other
    process may open it.

    Attributes
    ----------
    latest : dict of str to dict
        The newest record of each output.
    parts : Path
        Where results are written before they get their names; emptied when the ledger is opened.
    is_locked : bool
        False on file systems that know no locks: there nothing keeps two batches apart.

    Raises
    ------
    ExportError
        If the folder cannot be written, or another batch is at work in it.
    """

    def __init__(self, out: Path) -> None:
        self.folder = out / FOLDER
        self.parts = self.folder / "parts"
        self.is_locked = False
        self._guard = threading.Lock()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "lock").open("ab")
            try:
                self.is_locked = _lock(self._lock)
                shutil.rmtree(self.parts, ignore_errors=True)
                self.parts.mkdir(exist_ok=True)
                self._file = (self.folder / "ledger.jsonl").open("ab+")
                self.latest = self._read()
            except BaseException:
                self._lock.close()
                raise
        except OSError as error:
            raise ExportError(
                f"cannot write to {out}: {error.strerror or error}; choose a folder that you may write to"
            ) from error

    def append(self, record: Record) -> None:
        """Add a finished result; it is on the disk when this returns."""
        line = json.dumps(record, sort_keys=True) + "\n"
        with self._guard:
            try:
                self._file.write(line.encode())
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                raise ExportError(
                    f"cannot write the ledger in {self.folder}: {error.strerror or error}; free space, then run again"
                ) from error
            self.latest[record["output"]] = record

    def close(self) -> None:
        """Close the ledger and let others open it."""
        shutil.rmtree(self.parts, ignore_errors=True)
        self._file.close()
        self._lock.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> dict[str, Record]:
        self._file.seek(0)
        content = self._file.read()
        if content and not content.endswith(b"\n"):
            # A new record must not be glued to one that was cut short.
            self._file.write(b"\n")
        latest = {}
        for line in content.splitlines():
            try:
                record = json.loads(line)
                # What no file's name can hold would stop the tables.
                json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogateescape")
                latest[str(record["output"])] = record
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
        return latest


def _lock(file: IO[bytes]) -> bool:
    """Lock a file for this process until it is closed or the process ends; False where there are no locks."""
    busy = "another batch is at work in this folder; wait for its end, or choose another folder"
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise ExportError(busy) from error
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ExportError(busy) from error
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True
