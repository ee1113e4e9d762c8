"""SMM: match a texture-similar reference patch to every tile (paper, Section IV-A)."""

from marsqe.matching.dictionary import Dictionary, Entry, load_dictionary
from marsqe.matching.smm import match, match_eq1, match_steps, reference_mosaic, twin_compression

__all__ = [
    "Dictionary",
    "Entry",
    "load_dictionary",
    "match",
    "match_eq1",
    "match_steps",
    "reference_mosaic",
    "twin_compression",
]
