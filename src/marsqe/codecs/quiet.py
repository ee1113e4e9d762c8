"""Native libraries that print on the process's own standard error, where no exception or warning can be caught."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import threading
from collections.abc import Iterator
from typing import Final

_ONE_AT_A_TIME: Final = threading.Lock()
_STDERR: Final = 2
_LIBJPEG: Final = (
    b"Corrupt JPEG data",
    b"Premature end of JPEG file",
    b"Inconsistent progression sequence",
    b"Invalid SOS parameters",
    b"Unknown Adobe color transform",
    b"Unsupported marker type",
)


_LIBPNG: Final = (b"PNG warning", b"PNG error", b"libpng ")


@contextlib.contextmanager
def native_quiet(*prefixes: bytes) -> Iterator[list[bytes]]:
    """Keep what a native library prints about a file from the standard streams while this is open.

    Gives a list that holds, afterwards, the lines that begin with one of the prefixes. Other lines reach standard
    error after all, unless an error was raised, which they explain.
    """
    said: list[bytes] = []
    with _ONE_AT_A_TIME, contextlib.redirect_stdout(io.StringIO()):
        try:
            kept = os.dup(_STDERR)
        except OSError:  # a program without standard streams, as on a desktop
            yield said
            return
        with tempfile.TemporaryFile("w+b") as spilled:
            os.dup2(spilled.fileno(), _STDERR)
            try:
                yield said
            finally:
                os.dup2(kept, _STDERR)
                os.close(kept)
            spilled.seek(0)
            for line in spilled:
                if line.startswith(prefixes):
                    said.append(line)
                else:
                    os.write(_STDERR, line)


def libjpeg_quiet() -> contextlib.AbstractContextManager[list[bytes]]:
    """:func:`native_quiet` for the warnings of libjpeg."""
    return native_quiet(*_LIBJPEG)


def libpng_quiet() -> contextlib.AbstractContextManager[list[bytes]]:
    """:func:`native_quiet` for the warnings of libpng."""
    return native_quiet(*_LIBPNG)
