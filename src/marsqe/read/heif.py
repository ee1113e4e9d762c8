"""HEIC and HEIF files: the primary picture, gray or RGB, 8 to 16 bits."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import ReadError
from marsqe.extras import from_extra
from marsqe.image import Compression
from marsqe.read.boundary import Decoded, decoding
from marsqe.read.channels import drop_alpha
from marsqe.read.exif import gather, parse_exif
from marsqe.read.limits import check_size

_SUBSAMPLINGS: Final = {420: (2, 2), 422: (2, 1), 444: (1, 1)}


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
    library = from_extra("pi_heif", "codecs", "reading HEIC files")
    with decoding("HEIC"):
        file = library.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
        check_size(*file.size)
        # A copy: the samples live only as long as the library's object.
        pixels = _pixels(np.array(file), int(file.info["bit_depth"]))
        exif = parse_exif(file.info.get("exif"))
        metadata = gather(file.info.get("icc_profile"), exif, None)
        chroma = _SUBSAMPLINGS.get(file.info.get("chroma", 0)) if pixels.ndim == 3 else None
    return Decoded(pixels, Compression("HEIC", lossy=True, subsampling=chroma), 1, metadata)


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
