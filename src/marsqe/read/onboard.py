"""What the label of a mission product says of the compression on board.

The numbers are those of the *results*, not of the request that was sent up to the rover.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from marsqe.image import Compression

# Names of the same facts in PDS3 and VICAR (group COMPRESSION_PARMS) and in PDS4 (class img:Onboard_Compression).
_NAMES: Final = {
    "name": ("INST_CMPRS_NAME", "img:onboard_compression_type"),
    "text": ("INST_CMPRS_DESC", "img:onboard_compression_class"),
    "quality": ("INST_CMPRS_QUALITY", "img:onboard_compression_quality"),
    "rate": ("INST_CMPRS_RATE", "img:onboard_compression_rate"),
    "colour": ("INST_CMPRS_COLOR_MODE", "img:color_subsampling_option"),
    "segments": ("INST_CMPRS_SEGMENT_QUALITY",),
}
_SUBSAMPLINGS: Final = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}


@dataclass(frozen=True)
class Onboard:
    """The codec, and the words and the quality for :class:`marsqe.image.Product`; None where the label is silent."""

    compression: Compression
    words: str | None = None
    quality: int | None = None


def describe(block: Mapping[str, Any] | None, kind: str, told: str | None, *, colour: bool, stored: float) -> Onboard:
    """Read the group of a label that holds the results of the compression.

    Parameters
    ----------
    block : mapping or None
        The group or class, None where the label has none.
    kind : str
        "PDS3", "PDS4" or "VICAR".
    told : str or None
        What the product's name says, which decides where the label leaves open whether anything was lost.
    colour : bool
        Whether the image is colour.
    stored : float
        Bits per pixel of the product, which are those that were sent only if nothing was compressed.
    """
    facts = {fact: _first(block or {}, names) for fact, names in _NAMES.items()}
    name = str(facts["name"] or "").upper()
    rate = _number(facts["rate"])
    bits = rate if rate else float("nan")
    if not name or name in ("NONE", "UNCOMPRESSED", "N/A", "UNK", "NULL"):
        words = "uncompressed" if name in ("NONE", "UNCOMPRESSED") else None
        return Onboard(Compression(kind, bits_per_pixel=stored), words)
    lossless = _lossless(f"{name} {facts['text'] or ''}".upper(), facts["segments"], told)
    if "ICER" in name:
        words = "ICER lossless" if lossless else "ICER lossy" + (f", {rate:.2f} bits per pixel" if rate else "")
        return Onboard(Compression("ICER", lossy=not lossless, bits_per_pixel=bits), words)
    if "LOCO" in name:
        return Onboard(Compression("LOCO", bits_per_pixel=bits), "LOCO lossless")
    if "JPEG" in name and not lossless:
        return _jpeg(facts, bits, colour=colour)
    plain = re.sub(r"\s+", " ", str(facts["name"])).strip()
    return Onboard(Compression(plain, lossy=not lossless, bits_per_pixel=bits), plain)


def _jpeg(facts: Mapping[str, Any], bits: float, *, colour: bool) -> Onboard:
    number = _number(facts["quality"])
    quality = int(number) if number is not None and 1 <= number <= 100 else None
    mode = re.search("444|422|420", str(facts["colour"] or ""))
    subsampling = _SUBSAMPLINGS[mode[0]] if mode and colour else None
    compression = Compression(
        "JPEG on board", lossy=True, quality=quality, subsampling=subsampling, bits_per_pixel=bits
    )
    return Onboard(compression, "JPEG" if quality is None else f"JPEG quality {quality}", quality)


def _lossless(words: str, segments: object, told: str | None) -> bool:
    if "LOSSLESS" in words:
        return True
    if "LOSSY" in words:
        return False
    if isinstance(segments, Iterable) and not isinstance(segments, str):
        # ICER's measure of loss per segment, 0 for none.
        return all(_number(value) == 0 for value in segments)
    return told is not None and "lossless" in told


def _first(block: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((block[name] for name in names if name in block), None)


def _number(value: object) -> float | None:
    if isinstance(value, Mapping):
        value = value.get("value")
    try:
        return float(str(value))
    except ValueError:
        return None
