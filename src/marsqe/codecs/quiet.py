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


@contextlib.contextmanager
def libjpeg_quiet() -> Iterator[None]:
    """Drop what libjpeg prints about a file while this is open.

    Lines that are none of its warnings reach standard error afterwards, unless an error was raised, which they explain.
    """
    with _ONE_AT_A_TIME, contextlib.redirect_stdout(io.StringIO()):
        try:
            kept = os.dup(_STDERR)
        except OSError:  # a program without standard streams, as on a desktop
            yield
            return
        with tempfile.TemporaryFile("w+b") as spilled:
            os.dup2(spilled.fileno(), _STDERR)
            try:
                yield
            finally:
                os.dup2(kept, _STDERR)
                os.close(kept)
            spilled.seek(0)
            for line in spilled:
                if not line.startswith(_LIBJPEG):
                    os.write(_STDERR, line)
