"""Temporary files that a killed process has left behind: told from those of living ones by their names, and removed.

A name says where and by which process it was made. On Linux the place is the running kernel and its space of process
numbers, which no other machine and no other container shares; on macOS the machine's name and network address. Where
neither is known, and on Windows, nothing is removed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

SUFFIX: Final = ".part"
_NAME: Final = re.compile(r"\.marsqe-([0-9a-f]{12})-([0-9]{1,10})-[0-9a-z_]{8}\.part")


def prefix() -> str:
    """How the names of this process's temporary files begin; :mod:`tempfile` adds eight characters and the suffix."""
    return f".marsqe-{_place() or 'unknown'}-{os.getpid()}-"


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders of this place's dead processes from a folder.

    What a living process, another machine or another program has made stays. A process number that is in use again
    counts as living: its file goes another time. Nothing is raised: what cannot be removed stays, too.
    """
    with suppress(OSError):
        for entry in _leftovers(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with suppress(OSError):
                    Path(entry).unlink()


def _leftovers(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            named = _NAME.fullmatch(entry.name)
            if named and named[1] == _place() and not _is_alive(int(named[2])):
                yield entry


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user, or no number of a process
        return True
    return True


@cache
def _place() -> str | None:
    """Where the numbers of processes are those of this one; None where that cannot be told."""
    if sys.platform == "linux":
        try:
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
            place = f"{boot} {Path('/proc/self/ns/pid').readlink()}"
        except OSError:
            return None
    elif sys.platform == "darwin":
        import uuid

        place = f"{platform.node()} {uuid.getnode()}"
    else:
        return None  # on Windows os.kill would end the process that is asked for
    return hashlib.sha256(place.encode()).hexdigest()[:12]
