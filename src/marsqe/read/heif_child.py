"""The process that decodes a HEIC file: ``python -m marsqe.read.heif_child``, the file on standard input.

libheif can corrupt memory on damaged files, and what shares its process would go down with it. On standard output comes
one line of JSON, facts or an error, and the samples as NPY.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import os
import sys
from typing import Any

import numpy as np

from marsqe.read.limits import check_size


def decode(data: bytes) -> tuple[dict[str, Any], Any]:
    """Facts, JSON-ready, and samples (H, W[, C]) of the primary picture."""
    library: Any = importlib.import_module("pi_heif")
    file = library.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    check_size(*file.size)
    facts: dict[str, Any] = {key: int(file.info[key]) for key in ("bit_depth", "chroma") if file.info.get(key)}
    for key in ("exif", "icc_profile"):
        if file.info.get(key):
            facts[key] = base64.b64encode(file.info[key]).decode("ascii")
    # A copy: the samples live only as long as the library's object.
    return facts, np.array(file)


def limit_memory(most: int) -> None:
    """Let the system refuse more memory than this to the process, where it can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main() -> None:
    """Read, decode and answer."""
    limit_memory(int(sys.argv[1]))
    # What the library prints must not get among the answer.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        facts, samples = decode(sys.stdin.buffer.read())
    except MemoryError:
        out.write(json.dumps({"memory": True}).encode() + b"\n")
    except Exception as error:  # whatever the damaged bytes lead the library to
        out.write(json.dumps({"error": str(error)}).encode() + b"\n")
    else:
        out.write(json.dumps(facts).encode() + b"\n")
        array = np.ascontiguousarray(samples)
        np.lib.format.write_array_header_1_0(out, np.lib.format.header_data_from_array_1_0(array))
        out.write(array.data)  # to a pipe, which write_array would seek in
    out.flush()


if __name__ == "__main__":
    main()
