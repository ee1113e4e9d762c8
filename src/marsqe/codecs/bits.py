"""Bits of HEVC's headers: fixed fields, Exp-Golomb numbers, NAL units (ITU-T H.265, 7.3 and 9.2)."""

from __future__ import annotations

import re
from typing import Final

START: Final = b"\0\0\0\1"


class BitReader:
    """Reads from the most significant bit on; EOFError at the end."""

    def __init__(self, data: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in data)
        self._at = 0

    def fixed(self, count: int) -> int:
        """An unsigned number of ``count`` bits, u(n)."""
        end = self._at + count
        if end > len(self._bits):
            raise EOFError("a header ends too early")
        found, self._at = self._bits[self._at : end], end
        return int(found or "0", 2)

    def flag(self) -> bool:
        """One bit."""
        return bool(self.fixed(1))

    def unsigned(self) -> int:
        """An Exp-Golomb number, ue(v)."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 32:
                raise ValueError("a number in a header is longer than 32 bits")
        return (1 << zeros) - 1 + self.fixed(zeros)

    def signed(self) -> int:
        """A signed Exp-Golomb number, se(v)."""
        number = self.unsigned()
        return (number + 1) // 2 if number % 2 else -(number // 2)


class BitWriter:
    """Collects bits, most significant first."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def fixed(self, count: int, *values: int) -> None:
        """Unsigned numbers of ``count`` bits each, u(n)."""
        self._parts += [f"{int(value):0{count}b}" for value in values]

    def unsigned(self, *values: int) -> None:
        """Exp-Golomb numbers, ue(v)."""
        for value in values:
            digits = f"{value + 1:b}"
            self._parts.append("0" * (len(digits) - 1) + digits)

    def trailed(self) -> bytes:
        """All bits, a one, and zeros up to a whole byte."""
        bits = "".join(self._parts) + "1"
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")


def nal_unit(kind: int, payload: bytes) -> bytes:
    """A NAL unit of the first layer with its start code; its payload must not look like one."""
    escaped = re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\0\0\3", payload)
    return START + bytes([kind << 1, 1]) + escaped


def nal_units(stream: bytes) -> list[tuple[int, int, bytes]]:
    """Type, layer and unescaped payload of every NAL unit of an Annex B stream."""
    units = [unit for unit in stream.split(b"\0\0\1")[1:] if len(unit) > 2]
    return [
        (unit[0] >> 1 & 63, (unit[0] & 1) << 5 | unit[1] >> 3, unit[2:].replace(b"\0\0\3", b"\0\0")) for unit in units
    ]
