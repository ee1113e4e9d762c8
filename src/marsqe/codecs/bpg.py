"""BPG files: a short header around an HEVC picture without its parameter sets.

Fields, their order and the values that the format leaves out are those of the BPG Specification 0.9.5; the parameter
sets follow ITU-T H.265, 7.3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from marsqe.codecs.bits import START, BitReader, BitWriter, nal_unit, nal_units
from marsqe.errors import ReadError

MAGIC: Final = b"BPG\xfb"
_CHROMA: Final = {0: "gray", 1: "4:2:0", 2: "4:2:2", 3: "4:4:4", 4: "4:2:0", 5: "4:2:2"}
_MATRICES: Final = {0: "BT.601", 1: "RGB", 2: "YCgCo", 3: "BT.709", 4: "BT.2020"}
_EXIF: Final = 1
_ICC: Final = 2
_VPS: Final = 32
_SPS: Final = 33
_PPS: Final = 34
_INSTANT: Final = (19, 20)
"""NAL unit types of pictures that refer to no other, IDR."""


@dataclass(frozen=True)
class Coding:
    """The part of the sequence parameter set that a BPG file keeps."""

    blocks: tuple[int, int, int, int, int]
    """Smallest block and transform, each with the range above it, and the depth of the transform tree."""
    offsets: bool
    pcm: tuple[int, int, int, int, int] | None
    smoothing: bool
    extension: tuple[int, ...] | None
    """The nine flags of the range extension."""


@dataclass(frozen=True)
class BpgPicture:
    """A parsed BPG file.

    ``chroma`` is "gray" or a subsampling, ``matrix`` one of :data:`marsqe.codecs.ycc.MATRICES`; ``limited`` and
    ``cosited`` are as for :func:`marsqe.codecs.ycc.pixels_of`; ``stream`` is what an HEVC decoder takes.
    """

    width: int
    height: int
    depth: int
    chroma: str
    matrix: str
    limited: bool
    cosited: bool
    qp: int
    exif: bytes | None
    icc: bytes | None
    stream: bytes


class _Bytes:
    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def number(self) -> int:
        """Seven bits a byte, the highest first; the last byte has no leading one."""
        value = 0
        for _ in range(5):
            byte = self.take(1)[0]
            value = value << 7 | byte & 0x7F
            if not byte & 0x80:
                return value
        raise ValueError("a number in the header is longer than 32 bits")

    def take(self, count: int) -> bytes:
        found = self.data[self.at : self.at + count]
        if len(found) < count:
            raise EOFError("the header ends too early")
        self.at += count
        return found


def parse_bpg(data: bytes) -> BpgPicture:
    """Take a BPG file apart.

    Raises
    ------
    ReadError
        If it is an animation, has an alpha or white plane, or is of a kind that the specification only reserves.
    EOFError, ValueError
        If it is cut short or damaged.
    """
    if data[:4] != MAGIC:
        raise ValueError("it does not begin as a BPG file")
    first, second = data[4:6]
    chroma, depth = first >> 5, 8 + (first & 15)
    extended, limited, animated = (bool(second >> bit & 1) for bit in (3, 1, 0))
    if animated:
        raise ReadError("it is an animation; save the frame that you want as a PNG")
    if first >> 4 & 1 or second >> 2 & 1:
        raise ReadError("it has an alpha or a fourth colour plane; convert it to a plain PNG or TIFF first")
    if chroma not in _CHROMA or second >> 4 not in _MATRICES or depth > 14:
        raise ReadError("it is of a kind that BPG 0.9.5 only reserves; convert it to PNG or TIFF first")
    rest = _Bytes(data, 6)
    width, height, length = rest.number(), rest.number(), rest.number()
    extensions = _extensions(rest.take(rest.number())) if extended else {}
    if rest.at + length > len(data):
        raise EOFError(f"{rest.at + length - len(data)} bytes are missing")
    coding = _coding(BitReader(rest.take(rest.number())))
    picture = START + data[rest.at :]
    sets = _parameter_sets(coding, width, height, {4: 1, 5: 2}.get(chroma, chroma), depth)
    return BpgPicture(
        width,
        height,
        depth,
        _CHROMA[chroma],
        _MATRICES[second >> 4],
        limited,
        chroma > 3,
        _picture_qp(picture, coding, colour=chroma > 0),
        extensions.get(_EXIF),
        extensions.get(_ICC),
        sets + picture,
    )


def _extensions(block: bytes) -> dict[int, bytes]:
    found = {}
    rest = _Bytes(block, 0)
    while rest.at < len(block):
        tag = rest.number()
        found[tag] = rest.take(rest.number())
    return found


def _coding(bits: BitReader) -> Coding:
    smallest, above, transform, transform_above, tree = (bits.unsigned() for _ in range(5))
    offsets = bits.flag()
    pcm = None
    if bits.flag():
        pcm = (bits.fixed(4), bits.fixed(4), bits.unsigned(), bits.unsigned(), bits.fixed(1))
    smoothing = bits.flag()
    extension = None
    if bits.flag() and bits.fixed(8) >> 7:
        extension = tuple(bits.fixed(1) for _ in range(9))
    return Coding((smallest, above, transform, transform_above, tree), offsets, pcm, smoothing, extension)


def _parameter_sets(coding: Coding, width: int, height: int, chroma: int, depth: int) -> bytes:
    video = BitWriter()
    video.fixed(4, 0)  # its number
    video.fixed(1, 1, 1)  # the base layer is in the stream
    video.fixed(6, 0)
    video.fixed(3, 0)
    video.fixed(1, 1)
    video.fixed(16, 0xFFFF)
    _profile(video)
    video.fixed(1, 1)
    video.unsigned(0, 0, 0)
    video.fixed(6, 0)
    video.unsigned(0)
    video.fixed(1, 0, 0)  # neither timing nor extensions

    side = 8 << coding.blocks[0]
    sequence = BitWriter()
    sequence.fixed(4, 0)
    sequence.fixed(3, 0)
    sequence.fixed(1, 1)
    _profile(sequence)
    sequence.unsigned(0, chroma)
    if chroma == 3:
        sequence.fixed(1, 0)  # planes are not coded apart
    sequence.unsigned(-(-width // side) * side, -(-height // side) * side)
    sequence.fixed(1, 0)  # no cropping window
    sequence.unsigned(depth - 8, depth - 8, 4)
    sequence.fixed(1, 1)
    sequence.unsigned(0, 0, 0)
    sequence.unsigned(*coding.blocks[:4], coding.blocks[4], coding.blocks[4])
    sequence.fixed(1, 0, 1, coding.offsets, coding.pcm is not None)
    if coding.pcm is not None:
        sequence.fixed(4, *coding.pcm[:2])
        sequence.unsigned(*coding.pcm[2:4])
        sequence.fixed(1, coding.pcm[4])
    sequence.unsigned(0)  # no reference picture sets
    sequence.fixed(1, 0, 1, coding.smoothing, 0, coding.extension is not None)
    if coding.extension is not None:
        sequence.fixed(8, 0x80)
        sequence.fixed(1, *coding.extension)
    return nal_unit(_VPS, video.trailed()) + nal_unit(_SPS, sequence.trailed())


def _profile(bits: BitWriter) -> None:
    """Format range extensions, level 8.5, progressive frames."""
    bits.fixed(2, 0)
    bits.fixed(1, 0)
    bits.fixed(5, 4)
    bits.fixed(32, 1 << 27)
    bits.fixed(4, 0b1001)
    bits.fixed(44, 0)
    bits.fixed(8, 255)


def _picture_qp(stream: bytes, coding: Coding, *, colour: bool) -> int:
    """QP of the first slice: the picture parameter set's, and the slice's difference from it."""
    units = [(kind, BitReader(payload[:64])) for kind, layer, payload in nal_units(stream) if layer == 0]
    bits = next((bits for kind, bits in units if kind == _PPS), None)
    intra = next((bits for kind, bits in units if kind in _INSTANT), None)
    if bits is None or intra is None:
        raise ValueError("it holds no picture")
    bits.unsigned()
    bits.unsigned()
    bits.flag()
    output, extra = bits.flag(), bits.fixed(3)
    bits.fixed(2)
    bits.unsigned()
    bits.unsigned()
    initial = 26 + bits.signed()
    intra.fixed(2)
    intra.unsigned()
    intra.fixed(extra)
    intra.unsigned()  # the type of the slice: of such pictures always intra
    if output:
        intra.flag()
    if coding.offsets:
        intra.fixed(2 if colour else 1)
    return initial + intra.signed()
