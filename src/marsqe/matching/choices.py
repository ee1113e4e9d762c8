"""Arguing with the matches: runners-up, another reference for a tile, patches that no tile may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import SettingError
from marsqe.image import Compression, MarsImage
from marsqe.matching.dictionary import Dictionary
from marsqe.matching.smm import tile_similarity, without
from marsqe.results import Matches


@dataclass(frozen=True)
class Candidate:
    """A reference that a tile could have.

    Attributes
    ----------
    label, index : int
        Class and place within it.
    divergence : float
        Eq. 1 in nats.
    chosen : bool
        Whether it is the one that the tile has.
    forbidden : bool
    """

    label: int
    index: int
    divergence: float
    chosen: bool
    forbidden: bool


@dataclass(frozen=True)
class Change:
    """What other matches changed.

    Attributes
    ----------
    tiles : ndarray of bool, shape (rows, columns)
        Tiles that have another reference now.
    divergence_before, divergence_after : float
        Mean over these tiles of Eq. 1, in nats; NaN where there are none.
    now : dict
        How many of these tiles have which patch now.
    """

    tiles: NDArray[np.bool_]
    divergence_before: float
    divergence_after: float
    now: dict[str, int]


def ranked(matches: Matches, row: int, column: int) -> list[Candidate]:
    """All references of a tile's class, the least divergent first, forbidden ones among them.

    Raises
    ------
    SettingError
        If there is no such tile.
    """
    divergences = _offered(matches, row, column)
    label, used = int(matches.classes[row, column]), int(matches.references[row, column])
    return [
        Candidate(label, int(i), float(divergences[i]), int(i) == used, (label, int(i)) in matches.forbidden)
        for i in np.argsort(divergences, kind="stable")
    ]


def _offered(matches: Matches, row: int, column: int) -> NDArray[np.float64]:
    """Divergences of the references that a tile's class has."""
    rows, columns = matches.shape
    if not (0 <= row < rows and 0 <= column < columns):
        raise SettingError(f"there is no tile in row {row}, column {column}: the image has {rows} x {columns} tiles")
    divergences = matches.candidates[row, column]
    return divergences[np.isfinite(divergences)]


def nearest(matches: Matches) -> NDArray[np.int64]:
    """Index of the reference that every tile would have by Eq. 1, shape (rows, columns); forbidden ones left out."""
    offered = matches.candidates
    for label in sorted({label for label, _ in matches.forbidden}):
        here = (matches.classes == label)[..., None]
        offered = np.where(here, without(offered, label, matches.forbidden), offered)
    return offered.argmin(axis=-1)


def with_reference(matches: Matches, row: int, column: int, index: int, *, similarity: float) -> Matches:
    """The matches with another reference of the same class for one tile; ``matches`` stay as they are.

    Parameters
    ----------
    matches : Matches
    row, column : int
        The tile.
    index : int
        The reference, within the tile's class.
    similarity : float
        Of the tile and that reference, see :func:`tile_similarity`.

    Raises
    ------
    SettingError
        If there is no such tile, the class has no such reference, or it is forbidden.
    """
    count = len(_offered(matches, row, column))
    if not 0 <= index < count:
        raise SettingError(f"the tile's class has {count} references, 0 to {count - 1}")
    if (int(matches.classes[row, column]), index) in matches.forbidden:
        raise SettingError("this reference is forbidden; allow it first")
    references, divergences = matches.references.copy(), matches.divergences.copy()
    similarities = matches.similarity.copy()
    references[row, column], similarities[row, column] = index, similarity
    divergences[row, column] = matches.candidates[row, column, index]
    return replace(matches, references=references, divergences=divergences, similarity=similarities)


def with_choices_of(matches: Matches, before: Matches) -> Matches:
    """New matches of an image with the same dictionary, with what was chosen for the tiles whose class is the same."""
    same = matches.classes == before.classes
    return replace(
        matches,
        references=np.where(same, before.references, matches.references),
        divergences=np.where(same, before.divergences, matches.divergences),
        similarity=np.where(same, before.similarity, matches.similarity),
    )


def chosen_by_hand(matches: Matches) -> list[list[int]]:
    """Row, column and reference of every tile that has another reference than the nearest that is allowed."""
    rows, columns = np.nonzero(matches.references != nearest(matches))
    return [[int(r), int(c), int(matches.references[r, c])] for r, c in zip(rows, columns, strict=True)]


def with_forbidden(
    image: MarsImage, matches: Matches, dictionary: Dictionary, twins: Compression, forbidden: Iterable[str]
) -> Matches:
    """The matches where no tile has one of the forbidden patches: its tiles take the next best.

    What was chosen by hand stays, unless it is forbidden now; tiles whose best is allowed again take it.

    Parameters
    ----------
    image, matches
        What was matched.
    dictionary : Dictionary
        That the matches count in.
    twins : Compression
        That of its twins, see :func:`twin_compression`.
    forbidden : iterable of str
        All patches that are to be forbidden (:meth:`Dictionary.patch_id`), not only new ones.

    Raises
    ------
    SettingError
        If there is no such patch, or a class would have none left.
    """
    banned = dictionary.checked_ban(forbidden)
    result = replace(matches, forbidden=banned)
    by_hand = matches.references != nearest(matches)
    allowed = ~_held(matches, banned)
    references = np.where(by_hand & allowed, matches.references, nearest(result))
    return _with_references(image, result, references, dictionary, twins)


def with_choices_by_name(
    image: MarsImage, matches: Matches, dictionary: Dictionary, twins: Compression, before: Matches, old: Dictionary
) -> Matches:
    """New matches in another dictionary, with what was chosen by hand in the old one where it is still to be had."""
    references = matches.references.copy()
    for row, column, index in chosen_by_hand(before):
        label = int(before.classes[row, column])
        names = [dictionary.patch_id(label, i) for i in range(len(dictionary.entries[label]))]
        wanted = old.patch_id(label, index)
        if label == int(matches.classes[row, column]) and wanted in names:
            references[row, column] = names.index(wanted)
    return _with_references(image, matches, references, dictionary, twins)


def change_between(before: Matches, old: Dictionary, after: Matches, new: Dictionary) -> Change:
    """Which tiles have another reference after, and how much nearer it is. The dictionaries may differ."""
    now_named = _names(after, new)
    tiles = np.asarray(_names(before, old) != now_named)
    if not tiles.any():
        return Change(tiles, float("nan"), float("nan"), {})
    now = Counter(now_named[tiles].tolist())
    return Change(
        tiles, float(before.divergences[tiles].mean()), float(after.divergences[tiles].mean()), dict(now.most_common())
    )


def _names(matches: Matches, dictionary: Dictionary) -> NDArray[np.str_]:
    flat = zip(matches.classes.ravel().tolist(), matches.references.ravel().tolist(), strict=True)
    return np.array([dictionary.patch_id(label, index) for label, index in flat]).reshape(matches.shape)


def _held(matches: Matches, patches: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which tiles have one of the patches (class, index)."""
    held = np.zeros(matches.shape, bool)
    for label, index in patches:
        held |= (matches.classes == label) & (matches.references == index)
    return held


def _with_references(
    image: MarsImage, matches: Matches, references: NDArray[np.int64], dictionary: Dictionary, twins: Compression
) -> Matches:
    """The matches with these references, and the divergence and similarity that follow from them."""
    similarity = matches.similarity.copy()
    for row, column in np.argwhere(references != matches.references):
        compressed = dictionary.compressed(int(matches.classes[row, column]), twins, colour=image.is_colour)
        similarity[row, column] = tile_similarity(image, row, column, compressed[references[row, column]])
    divergences = np.take_along_axis(matches.candidates, references[..., None], axis=-1)[..., 0]
    return replace(matches, references=references, divergences=divergences, similarity=similarity)
