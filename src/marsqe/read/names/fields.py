"""What the names of several missions have in common."""

from __future__ import annotations

import re
import string
from typing import Final

_SIGNS: Final = string.digits + string.ascii_uppercase


def whole(pattern: str) -> re.Pattern[str]:
    """Compile a verbose pattern that is no part of a longer word; archives write names in either case."""
    return re.compile(rf"(?<![A-Z0-9])(?:{pattern})(?![A-Z0-9])", re.VERBOSE | re.IGNORECASE | re.ASCII)


def plain(text: str) -> int | None:
    """A counter of digits; None where it has run over into letters or is out of range."""
    return int(text) if text.isdecimal() else None


def two_sign_counter(text: str) -> int | None:
    """Value of a counter of two signs that runs 00-99, A0-A9, AA-AZ, B0 ... ZZ, 0A ... 9Z: 0 to 1295.

    None where the two signs say that it is out of range.
    """
    first, second = text[0], text[1]
    if first not in _SIGNS or second not in _SIGNS:
        return None
    if text.isdecimal():
        return int(text)
    if first.isalpha():
        return 100 + 36 * string.ascii_uppercase.index(first) + _SIGNS.index(second)
    return 1036 + 26 * int(first) + string.ascii_uppercase.index(second)
