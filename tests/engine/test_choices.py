"""References that somebody chose in place of the nearest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import ground, texture

from marsqe.codecs.jpeg import standard_tables
from marsqe.errors import SettingError
from marsqe.image import Compression, MarsImage
from marsqe.matching import (
    Dictionary,
    change_between,
    chosen_by_hand,
    load_dictionary,
    match,
    ranked,
    tile_similarity,
    with_choices_by_name,
    with_choices_of,
    with_forbidden,
    with_reference,
)
from marsqe.results import TILE, Matches
from marsqe.terrain import Terrain

QF30 = Compression("JPEG", True, standard_tables(30), 30, True, (2, 2))
IMAGE = MarsImage.from_array(texture(TILE + 30, 2 * TILE, seed=4), compression=QF30)


@pytest.fixture
def found() -> Matches:
    return match(IMAGE, ground(IMAGE, 4))


def test_another_reference_changes_its_tile_alone(found: Matches) -> None:
    before = found.references.copy()
    index = int(found.candidates[1, 0].argsort()[2])
    other = with_reference(found, 1, 0, index, similarity=0.25)
    np.testing.assert_array_equal(found.references, before)
    assert (other.references[1, 0], other.similarity[1, 0]) == (index, 0.25)
    assert other.divergences[1, 0] == found.candidates[1, 0, index] > found.divergences[1, 0]
    rest = np.ones(found.shape, bool)
    rest[1, 0] = False
    for name in ("references", "divergences", "similarity"):
        np.testing.assert_array_equal(getattr(other, name)[rest], getattr(found, name)[rest])
    assert chosen_by_hand(found) == []
    assert chosen_by_hand(other) == [[1, 0, index]]


@pytest.mark.parametrize(("row", "column", "index"), [(2, 0, 0), (0, -1, 0), (0, 0, 6), (0, 0, -1)])
def test_what_is_not_there_cannot_be_chosen(found: Matches, row: int, column: int, index: int) -> None:
    with pytest.raises(SettingError, match=r"there is no tile|has 6 references, 0 to 5"):
        with_reference(found, row, column, index, similarity=0)


def test_a_class_with_fewer_references_offers_those(found: Matches) -> None:
    candidates = found.candidates.copy()
    candidates[0, 0, 4:] = np.inf
    fewer = Matches(found.classes, found.references, found.divergences, candidates, found.similarity)
    with pytest.raises(SettingError, match="4 references, 0 to 3"):
        with_reference(fewer, 0, 0, 5, similarity=0)


@pytest.mark.parametrize("tile", [(0, 1), (1, 0)])
def test_similarity_of_one_tile_is_that_of_the_matches(found: Matches, tile: tuple[int, int]) -> None:
    twins = load_dictionary().compressed(4, QF30, colour=True)
    assert tile_similarity(IMAGE, *tile, twins[found.references[tile]]) == pytest.approx(found.similarity[tile])


def test_choices_outlive_a_match_where_the_class_is_the_same(found: Matches) -> None:
    index = int(found.candidates[0, 0].argmax())
    chosen = with_reference(found, 0, 0, index, similarity=0.5)
    labels = np.full(IMAGE.shape, 4, np.uint8)
    labels[:, TILE:] = 2
    new = match(IMAGE, Terrain(labels, None, "drawn"))
    kept = with_choices_of(new, chosen)
    np.testing.assert_array_equal(kept.classes, [[4, 2], [4, 2]])
    assert kept.references[0, 0] == index
    assert kept.similarity[0, 0] == 0.5
    np.testing.assert_array_equal(kept.references[:, 1], new.references[:, 1])
    np.testing.assert_array_equal(kept.divergences[:, 1], new.candidates[:, 1].min(axis=-1))


def test_runners_up_are_ranked_and_marked(found: Matches) -> None:
    index = int(found.candidates[0, 1].argsort()[1])
    forbidden = with_forbidden(IMAGE, found, load_dictionary(), QF30, [f"rock-{index + 1}"])
    offered = ranked(forbidden, 0, 1)
    assert [c.divergence for c in offered] == sorted(found.candidates[0, 1])
    assert [c.chosen for c in offered] == [True] + [False] * 5
    assert [c.forbidden for c in offered] == [False, True] + [False] * 4
    assert {c.label for c in offered} == {4}
    with pytest.raises(SettingError, match="no tile in row 9"):
        ranked(found, 9, 0)


def test_a_forbidden_patch_leaves_all_its_tiles_to_the_next_best(found: Matches) -> None:
    best = int(found.references[0, 0])
    name = f"rock-{best + 1}"
    had = found.references == best
    banned = with_forbidden(IMAGE, found, load_dictionary(), QF30, [name])
    again = match(IMAGE, ground(IMAGE, 4), forbidden=[name])
    for one in (banned, again):
        second = np.sort(found.candidates, axis=-1)[..., 1]
        np.testing.assert_array_equal(one.divergences[had], second[had])
        np.testing.assert_array_equal(one.references[~had], found.references[~had])
        assert (one.references != best).all()
        assert one.forbidden == ((4, best),)
        np.testing.assert_array_equal(one.candidates, found.candidates)
    np.testing.assert_allclose(banned.similarity, again.similarity)
    assert chosen_by_hand(banned) == [], "the next best is no choice by hand"
    allowed = with_forbidden(IMAGE, banned, load_dictionary(), QF30, [])
    np.testing.assert_array_equal(allowed.references, found.references)
    np.testing.assert_allclose(allowed.similarity, found.similarity)
    with pytest.raises(SettingError, match="allow it first"):
        with_reference(banned, 0, 0, best, similarity=0)


def test_what_was_chosen_by_hand_survives_what_is_forbidden_elsewhere(found: Matches) -> None:
    order = found.candidates[1, 1].argsort()
    chosen = with_reference(found, 1, 1, int(order[3]), similarity=0.5)
    banned = with_forbidden(IMAGE, chosen, load_dictionary(), QF30, [f"rock-{order[0] + 1}"])
    assert banned.references[1, 1] == order[3]
    both = with_forbidden(IMAGE, chosen, load_dictionary(), QF30, [f"rock-{order[i] + 1}" for i in (0, 3)])
    assert both.references[1, 1] == order[1]


def test_an_unlabelled_tile_does_not_take_the_class_of_a_forbidden_reference() -> None:
    patch = load_dictionary().compressed(2, QF30, colour=True)[4]
    image = MarsImage.from_array(patch, compression=QF30)
    unlabelled = Terrain(np.zeros(image.shape, np.uint8))
    free, banned = match(image, unlabelled), match(image, unlabelled, forbidden=["sand-5"])
    assert (free.classes[0, 0], free.references[0, 0]) == (2, 4)
    assert (banned.classes[0, 0], banned.references[0, 0]) != (2, 4)


@pytest.mark.parametrize(
    ("names", "words"),
    [(["rock-7"], "no reference 'rock-7'"), ([f"sky-{i}" for i in range(1, 7)], "every reference of sky")],
)
def test_what_cannot_be_forbidden(names: list[str], words: str) -> None:
    with pytest.raises(SettingError, match=words):
        match(IMAGE, ground(IMAGE, 4), forbidden=names)


def test_choices_by_hand_follow_into_another_dictionary(found: Matches) -> None:
    d = load_dictionary()
    turned = Dictionary(
        {k: p[::-1].copy() for k, p in d.patches.items()},
        {k: tuple(replace(e, source=str(i)) for i, e in enumerate(es)) for k, es in d.entries.items()},
        "other",
    )
    index = int(found.candidates[1, 0].argmax())
    chosen = with_reference(found, 1, 0, index, similarity=0.5)
    new = match(IMAGE, ground(IMAGE, 4), turned)
    carried = with_choices_by_name(IMAGE, new, turned, QF30, chosen, d)
    assert carried.references[1, 0] == index, "patches are known by name"
    assert carried.divergences[1, 0] == new.candidates[1, 0, index]
    rest = np.ones(new.shape, bool)
    rest[1, 0] = False
    np.testing.assert_array_equal(carried.references[rest], new.references[rest])
    change = change_between(new, turned, carried, turned)
    assert change.tiles.tolist() == [[False, False], [True, False]]
    assert change.now == {f"rock-{index + 1}": 1}
    assert (change.divergence_before, change.divergence_after) == (new.divergences[1, 0], carried.divergences[1, 0])
    nothing = change_between(found, d, found, d)
    assert not nothing.tiles.any()
    assert np.isnan(nothing.divergence_after)
    assert nothing.now == {}
