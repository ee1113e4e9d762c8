"""HEIC and HEIF files: the primary picture, gray or RGB, 8 to 16 bits. Decoded in a process of its own."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import MissingExtraError, ReadError
from marsqe.image import Compression
from marsqe.read.boundary import Decoded, decoding
from marsqe.read.channels import drop_alpha
from marsqe.read.exif import gather, parse_exif
from marsqe.read.limits import MAX_PIXELS

_SUBSAMPLINGS: Final = {420: (2, 2), 422: (2, 1), 444: (1, 1)}
_SECONDS: Final = 120
"""Far more than the largest picture takes; a damaged one may keep the decoder busy for ever."""
_MEMORY: Final = 4 * 1024**3 + 16 * MAX_PIXELS
"""Of address space: what the largest picture takes, several times over."""


def read_heif(data: bytes) -> Decoded:
    """Decode a HEIC file. Thumbnails, depth maps and further pictures are passed over.

    The container's own rotation and mirroring are applied, which by its standard stand in the place of EXIF's.

    Raises
    ------
    ReadError
        If it is truncated, damaged, partly transparent, too large or of a codec that libheif was built without.
    MissingExtraError
        If the extra ``codecs`` is not installed.
    """
    if find_spec("pi_heif") is None:
        raise MissingExtraError(
            'reading HEIC files needs the library pi_heif; install it with: pip install "napari-marsqe[codecs]"'
        )
    with decoding("HEIC"):
        facts, samples = _decode_apart(data)
        pixels = _pixels(samples, int(facts["bit_depth"]))
        exif = parse_exif(_bytes(facts.get("exif")))
        metadata = gather(_bytes(facts.get("icc_profile")), exif, None)
        chroma = _SUBSAMPLINGS.get(facts.get("chroma", 0)) if pixels.ndim == 3 else None
    return Decoded(pixels, Compression("HEIC", lossy=True, subsampling=chroma), 1, metadata)


def _decode_apart(data: bytes) -> tuple[dict[str, Any], NDArray[Any]]:
    """Facts and samples from another process, so that a file that kills the decoder kills nothing else."""
    # -P: what lies in the current folder is no module of ours.
    command = [sys.executable, "-P", "-m", "marsqe.read.heif_child", str(_MEMORY)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=_SECONDS,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except subprocess.TimeoutExpired as error:
        raise ReadError(
            f"its HEIC data kept the decoder busy for {_SECONDS} s; it is damaged: fetch it again"
        ) from error
    except OSError as error:
        raise ReadError(f"no process can be started to decode HEIC ({error}); close other programs") from error
    head, _, body = done.stdout.partition(b"\n")
    if done.returncode != 0 or not head:
        raise ReadError("its HEIC data made the decoder crash; the file is damaged: fetch it again")
    facts: dict[str, Any] = json.loads(head)
    if facts.get("memory"):
        raise MemoryError
    if "error" in facts:
        raise ValueError(facts["error"])
    return facts, np.lib.format.read_array(io.BytesIO(body), allow_pickle=False)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _pixels(samples: NDArray[Any], depth: int) -> NDArray[Any]:
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[..., 0]
    if samples.dtype == np.uint16 and depth < 16:
        # libheif's samples were shifted up, which leaves white below 65535.
        top = (1 << depth) - 1
        samples = np.rint((samples >> (16 - depth)) * (65535 / top)).astype(np.uint16)
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        return drop_alpha(samples)
    if samples.ndim == 3 and samples.shape[2] != 3:
        raise ReadError(f"it has {samples.shape[2]} channels; save it as one gray or RGB picture")
    return np.ascontiguousarray(samples)
