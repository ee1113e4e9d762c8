"""Correcting what was understood: another reference for a tile, and terrain drawn with napari's brush."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver import User
from PIL import Image

from marsqe.matching import load_dictionary, reference_mosaic
from napari_marsqe.views.pictures import to_pixmap
from napari_marsqe.views.references import SIDE


@pytest.fixture
def inspecting(user: User, jpeg: Path) -> User:
    """Somebody who looks at the tile in the second row and first column."""
    user.opens(jpeg)
    user.does(user.bench.understand.action)
    user.bench.inspect(1, 0)
    return user


def draw(user: User, rows: slice, columns: slice, label: int) -> None:
    """A stroke of the brush, as napari records it."""
    layer = user.case.layers["terrain"]
    layer.data_setitem(tuple(index.ravel() for index in np.mgrid[rows, columns]), label)


def other_class(user: User) -> int:
    """A terrain that no tile has yet."""
    return int(next(label for label in (2, 4, 3, 1) if label not in user.case.understanding.matches.classes))


def test_runners_up_are_shown_with_their_divergences(inspecting: User) -> None:
    matches, inspector = inspecting.case.understanding.matches, inspecting.bench.inspector
    label, order = int(matches.classes[1, 0]), matches.candidates[1, 0].argsort()
    buttons = inspector.references.buttons
    assert [button.text() for button in buttons] == [f"{matches.candidates[1, 0, i]:.2f}" for i in order]
    assert [button.isChecked() for button in buttons] == [True] + [False] * 5
    for button, index in zip(buttons, order, strict=True):
        patch = load_dictionary().reference(label, int(index))
        assert button.icon().pixmap(SIDE, SIDE).toImage() == to_pixmap(patch, side=SIDE).toImage()
        assert f"{matches.candidates[1, 0, index]:.3f}" in button.toolTip()
    assert "marsqe-swift does not" in inspector.note.text()


def test_choosing_another_reference(inspecting: User) -> None:
    bench, case = inspecting.bench, inspecting.case
    before = case.understanding
    layer, mosaic = case.layers["references"], case.layers["references"].data.copy()
    third = int(before.matches.candidates[1, 0].argsort()[2])
    inspecting.does(bench.inspector.references.buttons[2])
    matches = case.understanding.matches
    assert matches.references[1, 0] == third != before.matches.references[1, 0]
    assert case.layers["references"] is layer
    changed = (layer.data != mosaic).any(axis=2)
    assert changed[128:, :128].any()
    changed[128:, :128] = False
    assert not changed.any()
    assert np.array_equal(layer.data, reference_mosaic(case.image, matches))
    assert [button.isChecked() for button in bench.inspector.references.buttons] == [False, False, True] + [False] * 3
    text = bench.inspector.words.text()
    assert f"reference {third + 1} of 6, your choice" in text
    assert f"{before.matches.candidates[1, 0, third]:.3f}" in text
    assert f"Similarity {matches.similarity[1, 0]:.2f}" in text

    inspecting.does(bench.inspector.references.buttons[0])
    for name in ("references", "divergences"):
        assert np.array_equal(getattr(case.understanding.matches, name), getattr(before.matches, name))
    assert case.understanding.matches.similarity == pytest.approx(before.matches.similarity)
    assert "your choice" not in bench.inspector.words.text()


def test_the_choice_reaches_the_enhancement(inspecting: User) -> None:
    inspecting.does(inspecting.bench.inspector.references.buttons[1])
    inspecting.does(inspecting.bench.enhance.action)
    enhancement = inspecting.case.enhancement
    assert enhancement.matches is inspecting.case.understanding.matches
    assert enhancement.provenance["references_by_hand"] == [[1, 0, int(enhancement.matches.references[1, 0])]]


def test_an_enhancement_with_older_references_is_called_so(inspecting: User) -> None:
    bench, case = inspecting.bench, inspecting.case
    inspecting.does(bench.enhance.action)
    inspecting.does(bench.inspector.references.buttons[1])
    assert "references have changed" not in bench.enhance.summary.text(), "marsqe-swift does not look at them"
    case.enhancement = replace(case.enhancement, model="marsqe")
    bench.refresh()
    assert "references have changed since; enhance again" in bench.enhance.summary.text()


def test_a_turned_file_offers_no_choice(user: User, jpeg: Path, notified: list[str]) -> None:
    with Image.open(jpeg) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(jpeg, exif=exif, quality=40)
    user.opens(jpeg)
    user.does(user.bench.understand.action)
    user.bench.inspect(0, 0)
    user.does(user.bench.inspector.references.buttons[1])
    assert "stores this image turned" in notified[0]
    assert user.bench.inspector.references.buttons[0].isChecked()


def test_drawn_terrain_is_matched_again(inspecting: User) -> None:
    bench, case = inspecting.bench, inspecting.case
    assert not bench.understand.rematch.isVisible()
    inspecting.does(bench.inspector.references.buttons[3])
    before, label = case.understanding, other_class(inspecting)
    draw(inspecting, slice(0, 128), slice(128, 200), label)
    assert bench.understand.rematch.isVisible()
    assert "drawn on" in bench.understand.summary.text()
    assert not (before.terrain.labels == label).all(), "what was matched is not painted over"
    inspecting.does(bench.understand.rematch)
    found = case.understanding
    assert found.matches.classes[0, 1] == label
    others = np.array([[True, False], [True, True]])
    for name in ("classes", "references", "divergences", "similarity"):
        assert np.array_equal(getattr(found.matches, name)[others], getattr(before.matches, name)[others])
    assert found.terrain.source == "drawn"
    assert found.terrain.probabilities is None
    assert (found.terrain.labels[:128, 128:] == label).all()
    assert np.array_equal(case.layers["references"].data, reference_mosaic(case.image, found.matches))
    assert not bench.understand.rematch.isVisible()
    assert "The terrain was drawn by hand." in bench.understand.summary.text()
    case.layers["terrain"].undo()
    assert bench.understand.rematch.isVisible(), "the brush's history is kept, and undoing is drawing"


def test_undoing_a_stroke_leaves_nothing_to_match(inspecting: User) -> None:
    draw(inspecting, slice(0, 5), slice(0, 5), other_class(inspecting))
    assert inspecting.bench.understand.rematch.isVisible()
    inspecting.case.layers["terrain"].undo()
    assert not inspecting.bench.understand.rematch.isVisible()


def test_enhance_matches_what_was_drawn_first(inspecting: User) -> None:
    label = other_class(inspecting)
    draw(inspecting, slice(128, 160), slice(0, 128), label)
    inspecting.does(inspecting.bench.enhance.action)
    enhancement = inspecting.case.enhancement
    assert enhancement.matches.classes[1, 0] == label
    assert enhancement.provenance["terrain"]["source"] == "drawn"
    assert "column 1: " in inspecting.bench.inspector.words.text()
    assert (enhancement.terrain.labels[128:, :128] == label).all()


def test_the_inspector_shows_the_class_that_was_drawn(inspecting: User) -> None:
    label = other_class(inspecting)
    draw(inspecting, slice(128, 160), slice(0, 128), label)
    inspecting.does(inspecting.bench.understand.rematch)
    name = ("sky", "sand", "soil", "rock")[label - 1]
    assert f"<b>{name}</b>" in inspecting.bench.inspector.words.text()


def test_labels_that_are_no_terrain_are_told(inspecting: User, notified: list[str]) -> None:
    before = inspecting.case.understanding
    draw(inspecting, slice(0, 5), slice(0, 5), 7)
    inspecting.does(inspecting.bench.understand.rematch)
    assert "1 sky, 2 sand, 3 soil, 4 rock" in notified[0]
    assert inspecting.case.understanding is before


def test_a_closed_dock_does_not_listen_to_the_brush(inspecting: User) -> None:
    layer: Any = inspecting.case.layers["terrain"]
    inspecting.bench.session.disconnect_viewer()
    draw(inspecting, slice(0, 5), slice(0, 5), other_class(inspecting))
    assert not inspecting.bench.understand.rematch.isVisible()
    assert layer.data[0, 0] == other_class(inspecting)
