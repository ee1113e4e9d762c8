"""BPG files: gray, YCbCr, YCgCo and RGB, 8 to 14 bits. Above 8 bits pixels are spread over the range of 16."""

from __future__ import annotations

from marsqe.codecs.bpg import parse_bpg
from marsqe.codecs.hevc import decode_planes
from marsqe.codecs.ycc import SHRINK, pixels_of
from marsqe.extras import from_extra
from marsqe.image import Compression
from marsqe.read.boundary import Decoded, decoding
from marsqe.read.exif import gather, parse_exif
from marsqe.read.limits import check_size


def read_bpg(data: bytes) -> Decoded:
    """Decode a BPG file.

    Raises
    ------
    ReadError
        If it is truncated, damaged, animated, with an alpha plane or too large.
    MissingExtraError
        If the extra ``codecs`` is not installed.
    """
    from_extra("av", "codecs", "reading BPG files")
    with decoding("BPG"):
        picture = parse_bpg(data)
        check_size(picture.width, picture.height)
        planes, depth = decode_planes(picture.stream)
        if depth != picture.depth or len(planes) != (1 if picture.chroma == "gray" else 3):
            raise ValueError("the picture is not what the header says")
        if planes[0].shape[0] < picture.height or planes[0].shape[1] < picture.width:
            raise ValueError("the picture is smaller than the header says")
        pixels = pixels_of(
            planes,
            (picture.height, picture.width),
            depth=depth,
            matrix=picture.matrix,
            limited=picture.limited,
            cosited=picture.cosited,
        )
        exif = parse_exif(picture.exif)
        metadata = gather(picture.icc, exif, None)
    compression = Compression("BPG", lossy=True, subsampling=SHRINK.get(picture.chroma), qp=picture.qp)
    return Decoded(pixels, compression, exif.orientation, metadata)
