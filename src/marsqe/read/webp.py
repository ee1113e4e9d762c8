"""WebP files, lossy and lossless. The chunks are walked here: they alone tell which of the two a file is."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import imagecodecs

from marsqe.errors import ReadError
from marsqe.image import Compression
from marsqe.read.boundary import Decoded, decoding
from marsqe.read.channels import drop_alpha
from marsqe.read.exif import gather, parse_exif
from marsqe.read.limits import check_size


def read_webp(data: bytes) -> Decoded:
    """Decode a WebP file.

    Raises
    ------
    ReadError
        If it is truncated, damaged, animated, partly transparent or too large.
    """
    with decoding("WebP"):
        chunks = dict(_chunks(data))
        if b"ANIM" in chunks or b"ANMF" in chunks:
            raise ReadError("it is an animation; save the frame that you want as a PNG")
        if b"VP8L" not in chunks and b"VP8 " not in chunks:
            raise ValueError("no picture in it")
        check_size(*_size(chunks))
        pixels = imagecodecs.webp_decode(data)
        if pixels.shape[2] == 4:
            pixels = drop_alpha(pixels)
        exif = parse_exif(chunks.get(b"EXIF"))
        metadata = gather(chunks.get(b"ICCP"), exif, None)
    compression = Compression(codec="WebP", lossy=b"VP8 " in chunks, subsampling=(2, 2) if b"VP8 " in chunks else None)
    return Decoded(pixels, compression, exif.orientation, metadata)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the chunks of a RIFF container, each padded to an even length."""
    end = 8 + struct.unpack_from("<I", data, 4)[0]
    if end > len(data):
        raise ValueError(f"{end - len(data)} bytes are missing")
    at = 12
    while at + 8 <= end:
        name, length = struct.unpack_from("<4sI", data, at)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def _size(chunks: dict[bytes, bytes]) -> tuple[int, int]:
    """Width and height from the header of the picture itself."""
    if b"VP8L" in chunks:
        bits = struct.unpack_from("<I", chunks[b"VP8L"], 1)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", chunks[b"VP8 "], 6)
    return width & 0x3FFF, height & 0x3FFF
