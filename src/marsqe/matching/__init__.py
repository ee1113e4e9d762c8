"""SMM: match a texture-similar reference patch to every tile (paper, Section IV-A)."""

from marsqe.matching.choices import (
    Candidate,
    Change,
    change_between,
    chosen_by_hand,
    ranked,
    with_choices_by_name,
    with_choices_of,
    with_forbidden,
    with_reference,
)
from marsqe.matching.dictionary import Dictionary, Entry, load_dictionary
from marsqe.matching.own import OwnEntry, OwnReference, dictionary_of, list_own, own_enabled, working_dictionary
from marsqe.matching.smm import (
    match,
    match_eq1,
    match_steps,
    reference_mosaic,
    tile_similarity,
    twin_compression,
)

__all__ = [
    "Candidate",
    "Change",
    "Dictionary",
    "Entry",
    "OwnEntry",
    "OwnReference",
    "change_between",
    "chosen_by_hand",
    "dictionary_of",
    "list_own",
    "load_dictionary",
    "match",
    "match_eq1",
    "match_steps",
    "own_enabled",
    "ranked",
    "reference_mosaic",
    "tile_similarity",
    "twin_compression",
    "with_choices_by_name",
    "with_choices_of",
    "with_forbidden",
    "with_reference",
    "working_dictionary",
]
