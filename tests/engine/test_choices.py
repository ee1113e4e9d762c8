"""References that somebody chose in place of the nearest."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import ground, texture

from marsqe.codecs.jpeg import standard_tables
from marsqe.errors import SettingError
from marsqe.image import Compression, MarsImage
from marsqe.matching import (
    chosen_by_hand,
    load_dictionary,
    match,
    tile_similarity,
    with_choices_of,
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
