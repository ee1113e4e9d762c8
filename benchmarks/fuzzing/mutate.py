"""Seeded mutations of files: of any bytes, of text labels, and of containers whose checksums would hide the damage."""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Callable, Sequence

NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 10**6, 2**31 - 1, 2**31, 2**32 - 1)
"""What overflows, wraps, or is none where one is expected."""

TOKENS: dict[str, Sequence[bytes]] = {
    "jpeg": [bytes([0xFF, m]) for m in (0xC0, 0xC1, 0xC2, 0xC4, 0xC9, 0xD0, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0, 0xEE)],
    "png": [b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"pHYs"],
    "tiff": [struct.pack("<H", tag) for tag in (254, 256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 320, 330)],
    "webp": [b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"RIFF", b"\x9d\x01\x2a"],
    "heic": [
        b"meta",
        b"iloc",
        b"iinf",
        b"infe",
        b"iprp",
        b"ipco",
        b"ipma",
        b"hvcC",
        b"ispe",
        b"irot",
        b"grid",
        b"auxC",
    ],
    "bpg": [b"BPG\xfb", b"\0\0\1", b"\0\0\0\1", b"\x80\x80\x80", b"\xff\xff\xff\xff\x7f"],
    "pds": [
        b"END\r\n",
        b"OBJECT = IMAGE\r\n",
        b"END_OBJECT\r\n",
        b"GROUP = A\r\n",
        b"/*",
        b'"',
        b"(((",
        b"{",
        b"16#FF#",
        b'^IMAGE = ("../../x", 1)\r\n',
        b"^IMAGE = 99999\r\n",
        b"BANDS = -3\r\n",
        b"SAMPLE_BITS = 12\r\n",
        b"1e999",
        b"<!ENTITY a 'b'>",
        b"]]>",
        b"&lt;",
        b"<Axis_Array>",
        b"</Element_Array>",
        b"<elements>-1</elements>",
        b"\0",
    ],
    "vicar": [
        b"'",
        b"('",
        b"NB=0 ",
        b"NL=-1 ",
        b"NS=99999 ",
        b"FORMAT='REAL' ",
        b"ORG='X' ",
        b"RECSIZE=-5 ",
        b"NLB=-9 ",
    ],
    "json": [
        b"null",
        b"[]",
        b"{}",
        b"-1",
        b"1e999",
        b"NaN",
        b'"\\ud800"',
        b"true",
        b"[" * 3000,
        b'"',
        b"\xff",
        b'{"a":',
    ],
    "safetensors": [
        b"F64",
        b"BF16",
        b"I8",
        b'"shape":[-1]',
        b'"data_offsets":[0,99999999999]',
        b"__metadata__",
        b"{",
        b"}",
    ],
    "settings": [
        b"null",
        b"[]",
        b"- a",
        b"{}",
        b"~",
        b"&a *a",
        b"!!python/name:os.system",
        b"yes",
        b"0x1",
        b"? ",
        b"\t",
    ],
}
"""Words of the formats, put where they do not belong."""

FAMILY = {
    "pds3": "pds",
    "pds3-detached": "pds",
    "pds4": "pds",
    "card": "json",
    **dict.fromkeys(("dictionary", "own", "record", "provenance", "ledger", "session"), "json"),
}
"""Kinds that use the words of another."""

Mutation = Callable[[random.Random, bytearray, Sequence[bytes]], bytes]


def _place(r: random.Random, data: bytearray) -> int:
    """A position; headers are where most fields are."""
    size = max(1, len(data))
    return r.randrange(min(size, 512)) if r.random() < 0.6 else r.randrange(size)


def flip(r: random.Random, data: bytearray, _: Sequence[bytes]) -> bytes:
    for _unused in range(1 << r.randrange(6)):
        if data:
            data[_place(r, data)] ^= 1 << r.randrange(8)
    return bytes(data)


def scramble(r: random.Random, data: bytearray, _: Sequence[bytes]) -> bytes:
    start = _place(r, data)
    part = r.randbytes(min(len(data) - start, 1 << r.randrange(8))) if len(data) > start else b""
    data[start : start + len(part)] = part
    return bytes(data)


def truncate(r: random.Random, data: bytearray, _: Sequence[bytes]) -> bytes:
    return bytes(data[: r.randrange(len(data) + 1)])


def field(r: random.Random, data: bytearray, _: Sequence[bytes]) -> bytes:
    start, number = _place(r, data), r.choice(NUMBERS)
    code = r.choice(("<B", "<H", ">H", "<I", ">I", "<Q", ">Q"))
    part = struct.pack(code, number & ((1 << 8 * struct.calcsize(code)) - 1))
    data[start : start + len(part)] = part
    return bytes(data)


def remove(r: random.Random, data: bytearray, _: Sequence[bytes]) -> bytes:
    start = _place(r, data)
    del data[start : start + (1 << r.randrange(10))]
    return bytes(data)


def repeat(r: random.Random, data: bytearray, _: Sequence[bytes]) -> bytes:
    start = _place(r, data)
    data[start:start] = bytes(data[start : start + (1 << r.randrange(10))]) * r.choice((1, 1, 2, 50))
    return bytes(data)


def token(r: random.Random, data: bytearray, tokens: Sequence[bytes]) -> bytes:
    start, word = _place(r, data), r.choice(tokens)
    data[start : start + (len(word) if r.random() < 0.5 else 0)] = word
    return bytes(data)


def number_in_text(r: random.Random, data: bytearray, _: Sequence[bytes]) -> bytes:
    """Another number where the text has one, which leaves the syntax whole."""
    found = list(re.finditer(rb"-?\d+(?:\.\d+)?", bytes(data[:20000])))
    if not found:
        return bytes(data)
    spot = r.choice(found)
    word = r.choice((*NUMBERS, -1, "1e400", "nan", "0x10", "", "12abc", "9" * 5000, "1.5"))
    return bytes(data[: spot.start()]) + str(word).encode() + bytes(data[spot.end() :])


def line_in_text(r: random.Random, data: bytearray, _: Sequence[bytes]) -> bytes:
    """A line of a label left out, said twice, or moved."""
    lines = bytes(data).split(b"\n")
    line = lines.pop(r.randrange(len(lines)))
    for _unused in range(r.choice((0, 1, 2))):
        lines.insert(r.randrange(len(lines) + 1), line)
    return b"\n".join(lines)


def value_in_text(r: random.Random, data: bytearray, tokens: Sequence[bytes]) -> bytes:
    """Another value behind one equals sign or colon."""
    found = list(re.finditer(rb"(?<==)[^=\r\n]*|(?<=: )[^,}\n]*|(?<=>)[^<]*", bytes(data[:20000])))
    if not found:
        return bytes(data)
    spot = r.choice(found)
    return bytes(data[: spot.start()]) + r.choice(tokens) + bytes(data[spot.end() :])


GENERAL: Sequence[Mutation] = (flip, flip, scramble, truncate, field, field, field, remove, repeat, token, token)
TEXT: Sequence[Mutation] = (number_in_text, number_in_text, line_in_text, value_in_text)


def mutated(r: random.Random, kind: str, seeds: Sequence[bytes]) -> bytes:
    """One damaged file of a kind, made of one or two of its seeds."""
    family = FAMILY.get(kind, kind)
    tokens = TOKENS[family]
    data = r.choice(seeds)
    if r.random() < 0.1:
        other = r.choice(seeds)
        data = data[: r.randrange(len(data) + 1)] + other[r.randrange(len(other) + 1) :]
    pool = (*GENERAL, *TEXT * 2) if family in ("pds", "vicar", "json", "settings") else GENERAL
    if kind == "png" and r.random() < 0.7:
        return _inside_png(r, data)
    for _unused in range(r.choice((1, 1, 1, 2, 4))):
        data = r.choice(pool)(r, bytearray(data), tokens)
    return data


def _inside_png(r: random.Random, data: bytes) -> bytes:
    """Damage within one chunk, its checksum made good, as only a hostile or a buggy writer would leave it."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return data
    which = r.randrange(len(chunks))
    name, content = chunks[which]
    if name == b"IDAT" and r.random() < 0.7:
        try:
            content = zlib.compress(r.choice(GENERAL)(r, bytearray(zlib.decompress(content)), TOKENS["png"]))
        except zlib.error:
            content = r.choice(GENERAL)(r, bytearray(content), TOKENS["png"])
    else:
        content = r.choice(GENERAL)(r, bytearray(content), TOKENS["png"])
    chunks[which] = (r.choice(TOKENS["png"]) if r.random() < 0.1 else name, content)
    packed = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    return data[:8] + b"".join(packed)
