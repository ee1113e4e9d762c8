"""How large a file may be. Checked from the header, before any pixel is decoded."""

from __future__ import annotations

from typing import Final

from marsqe.errors import ReadError

MAX_SIDE: Final = 65_535
"""Largest width or height in pixels: what a JPEG can hold."""

MAX_PIXELS: Final = 400_000_000
"""Largest number of pixels; 400 megapixels of 16-bit RGB are 2.4 GB, several times a rover's largest mosaics."""

MAX_BYTES: Final = 4 * 1024**3
"""Largest file in bytes; no image within the other two limits needs more."""

LARGE: Final = 24_000_000
"""Pixels above which an image is enhanced in windows; the largest single frames of rovers have 20 million."""

DEFLATE: Final = 1032
"""Most bytes that one byte of deflated data can stand for."""

MOST_CHECKED: Final = 24_000_000
"""Pixels of a JPEG up to which its coefficients are looked at for damage; larger ones are never held as a whole."""


def check_size(width: int, height: int) -> None:
    """Refuse an image that is too large to be sensible.

    Raises
    ------
    ReadError
        If a side is zero or above ``MAX_SIDE``, or there are more than ``MAX_PIXELS`` pixels.
    """
    if width < 1 or height < 1:
        raise ReadError(f"its header gives the size {width} x {height}, so it has no pixels; save the image again")
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise ReadError(
            f"its header gives the size {width} x {height}, above the limit of {MAX_SIDE} pixels a side and "
            f"{MAX_PIXELS // 1_000_000} megapixels; cut it into smaller images first"
        )


def check_coded(needed: float, given: int) -> None:
    """Refuse a file that is far too short for the pixels that its header promises, before memory is taken for them.

    Parameters
    ----------
    needed : float
        Bytes that the coding needs at the very least.
    given : int
        Bytes that there are.

    Raises
    ------
    ValueError
        If there are fewer; :func:`marsqe.read.boundary.decoding` says what to do.
    """
    if given < needed:
        raise ValueError(f"its {given} bytes cannot hold as many pixels as its header says")
