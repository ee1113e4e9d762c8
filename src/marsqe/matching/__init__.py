"""SMM: match a texture-similar reference patch to every tile (paper, Section IV-A)."""

from marsqe.matching.dictionary import Dictionary, Entry, load_dictionary
from marsqe.matching.smm import (
    chosen_by_hand,
    match,
    match_eq1,
    match_steps,
    reference_mosaic,
    tile_similarity,
    twin_compression,
    with_choices_of,
    with_reference,
)

__all__ = [
    "Dictionary",
    "Entry",
    "chosen_by_hand",
    "load_dictionary",
    "match",
    "match_eq1",
    "match_steps",
    "reference_mosaic",
    "tile_similarity",
    "twin_compression",
    "with_choices_of",
    "with_reference",
]
