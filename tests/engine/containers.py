"""HEVC pictures in the containers that no library of ours writes: BPG, and HEIC."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsqe.codecs.bits import BitReader, BitWriter, nal_units

LAYOUTS = {"gray": 0, "gray10le": 0, "yuv420p": 1, "yuv422p": 2, "yuv444p": 3}


def hevc(planes: list[NDArray[Any]], layout: str, qp: int) -> bytes:
    """An Annex B stream of one picture; sides of the first plane must suit the layout."""
    import av

    encoder = av.CodecContext.create("libx265", "w")
    encoder.height, encoder.width = planes[0].shape
    encoder.pix_fmt, encoder.time_base = layout, Fraction(1, 1)
    settings = f"qp={qp}:ipratio=1.0:keyint=1:info=0:pools=none:frame-threads=1:log-level=none"
    encoder.options = {"preset": "fast", "x265-params": settings}
    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], layout)
    for target, plane in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.shape[0], target.line_size // plane.itemsize), plane.dtype)
        rows[:, : plane.shape[1]] = plane
        target.update(rows.tobytes())
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def sequence(stream: bytes) -> dict[str, Any]:
    """What a BPG or HEIC header repeats of x265's sequence parameter set."""
    bits = BitReader(next(payload for kind, _, payload in nal_units(stream) if kind == 33))
    bits.fixed(8)
    profile = bits.fixed(96).to_bytes(12, "big")
    bits.unsigned()
    chroma = bits.unsigned()
    if chroma == 3:
        bits.flag()
    bits.unsigned()
    bits.unsigned()
    if bits.flag():
        for _ in range(4):
            bits.unsigned()
    depth = 8 + bits.unsigned()
    bits.unsigned()
    bits.unsigned()
    bits.flag()
    for _ in range(3):
        bits.unsigned()
    blocks = [bits.unsigned() for _ in range(6)]
    assert not bits.flag()  # no scaling lists, which BPG could not carry
    bits.flag()
    offsets = bits.flag()
    assert not bits.flag()  # no raw samples
    assert bits.unsigned() == 0
    bits.fixed(2)
    return {
        "profile": profile,
        "chroma": chroma,
        "depth": depth,
        "blocks": [*blocks[:4], blocks[5]],
        "offsets": offsets,
        "smoothing": bits.flag(),
    }


def ue7(value: int) -> bytes:
    """A number in groups of seven bits."""
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def bpg(
    stream: bytes,
    size: tuple[int, int],
    *,
    space: int = 0,
    pixel_format: int | None = None,
    flags: int = 0,
    alpha: bool = False,
    extensions: dict[int, bytes] | None = None,
    length: int | None = None,
) -> bytes:
    """A BPG file of (width, height) around a stream; the header's fields can be set to anything."""
    facts = sequence(stream)
    kept = BitWriter()
    kept.unsigned(*facts["blocks"])
    kept.fixed(1, facts["offsets"], 0, facts["smoothing"], 0)
    header = kept.trailed()
    units = [unit for unit in stream.split(b"\0\0\1")[1:] if unit[0] >> 1 not in (32, 33)]
    # The zero before a start code of four bytes belongs to it, not to the unit before.
    picture = b"\0\0\1".join(units)
    body = ue7(len(header)) + header + picture
    extra = b"".join(ue7(tag) + ue7(len(data)) + data for tag, data in (extensions or {}).items())
    first = (facts["chroma"] if pixel_format is None else pixel_format) << 5 | alpha << 4 | facts["depth"] - 8
    second = space << 4 | bool(extra) << 3 | flags
    sizes = b"".join(map(ue7, [*size, len(body) if length is None else length]))
    return b"BPG\xfb" + bytes([first, second]) + sizes + (ue7(len(extra)) + extra if extra else b"") + body


def box(name: bytes, *parts: bytes) -> bytes:
    """A box of an ISO media file."""
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + name + content


def heic(stream: bytes, size: tuple[int, int], *, quarter_turns: int = 0, brand: bytes = b"heic") -> bytes:
    """A HEIC file of one picture of (width, height), which the file has turned anticlockwise when shown."""
    facts = sequence(stream)
    raw = [unit.rstrip(b"\0") for unit in stream.split(b"\0\0\1")[1:]]
    sets = [unit for unit in raw if unit[0] >> 1 in (32, 33, 34)]
    pictures = b"".join(struct.pack(">I", len(unit)) + unit for unit in raw if unit not in sets)
    arrays = b"".join(struct.pack(">BHH", 0x80 | unit[0] >> 1, 1, len(unit)) + unit for unit in sets)
    depth = 0xF8 | facts["depth"] - 8
    configuration = box(
        b"hvcC",
        b"\1",
        facts["profile"],
        struct.pack(">HBBBBHBB", 0xF000, 0xFC, 0xFC | facts["chroma"], depth, depth, 0, 0x0F, len(sets)),
        arrays,
    )
    properties = [configuration, box(b"ispe", struct.pack(">III", 0, *size))]
    if quarter_turns:
        properties.append(box(b"irot", bytes([quarter_turns])))
    links = bytes([len(properties), 0x81, *range(2, len(properties) + 1)])

    def meta(offset: int) -> bytes:
        return box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8), b"pict", bytes(13)),
            box(b"pitm", struct.pack(">IH", 0, 1)),
            box(b"iloc", struct.pack(">IHHHHHII", 0, 0x4400, 1, 1, 0, 1, offset, len(pictures))),
            box(b"iinf", struct.pack(">IH", 0, 1), box(b"infe", struct.pack(">IHH", 2 << 24, 1, 0), b"hvc1\0")),
            box(b"iprp", box(b"ipco", *properties), box(b"ipma", struct.pack(">IIH", 0, 1, 1), links)),
        )

    head = box(b"ftyp", brand, bytes(4), b"mif1heic")
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", pictures)
