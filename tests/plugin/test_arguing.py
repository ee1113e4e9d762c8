"""References that can be argued with: another one, a forbidden one, what it changed, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver import User
from models_of_ones_own import rocky, tiny_weights

import marsqe
from marsqe.enhancement import networks
from marsqe.judgement import delta_psnr_where
from marsqe.local_models import import_model
from napari_marsqe.layers import pixels_of

MODEL = "outcrop-lite"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marsqe, "segment_steps", rocky, raising=False)


@pytest.fixture
def enhanced(user: User, jpeg: Path, png: Path, own_data: Path, tmp_path: Path) -> Iterator[User]:
    """Somebody who enhanced with a model of their own, judged, and looks at the first tile."""
    import_model(tiny_weights(tmp_path, MODEL))
    user.opens(jpeg, png)
    choice = user.bench.enhance.model
    assert MODEL in choice.values
    choice.set_value(MODEL)
    user.does(user.bench.understand.action)
    user.does(user.bench.enhance.action)
    user.does(user.bench.judge.action)
    user.bench.inspect(0, 0)
    yield user
    networks.loaded.cache_clear()


def layer_of(user: User) -> Any:
    return user.case.layers[f"enhanced {MODEL}"]


def test_another_reference_enhances_its_tile_again_at_once(enhanced: User) -> None:
    bench, case = enhanced.bench, enhanced.case
    layer, before = layer_of(enhanced), layer_of(enhanced).data.copy()
    first, judged = case.enhancement, case.judgement
    enhanced.does(bench.inspector.references.buttons[3])
    assert layer_of(enhanced) is layer
    changed = (layer.data != before).any(axis=2)
    assert changed[:128, :128].any()
    changed[:128, :128] = False
    assert not changed.any(), "the other tiles stay"
    assert case.enhancement.matches is case.understanding.matches
    assert case.enhancement.provenance["enhanced_again"] == [[[0, 0]]]
    assert case.judgement is not None
    assert case.judgement is not judged, "what was judged is judged again"
    where = np.zeros((160, 200), bool)
    where[:128, :128] = True
    truth = pixels_of(case.truth)
    one, two = (
        delta_psnr_where(e.pixels, truth, compressed=case.image.pixels, where=where) for e in (first, case.enhancement)
    )
    assert case.argued.gains == pytest.approx((one, two))
    text = bench.inspector.gain.text()
    assert "1 tile changed: mean divergence" in text
    assert f"{abs(two):.3f} dB" in text
    assert "references have changed" not in bench.enhance.summary.text()

    enhanced.does(bench.inspector.undo)
    np.testing.assert_array_equal(layer.data, before)
    assert case.enhancement is first
    assert case.argued is None
    assert not bench.inspector.gain.isVisible()
    assert not bench.inspector.undo.isEnabled()
    assert case.judgement is not None


def test_forbidding_and_allowing(enhanced: User) -> None:
    bench, case = enhanced.bench, enhanced.case
    before = case.understanding.matches
    label, index = int(before.classes[0, 0]), int(before.references[0, 0])
    had = (before.classes == label) & (before.references == index)
    enhanced.does(bench.inspector.forbid)
    after = case.understanding.matches
    assert after.forbidden == ((label, index),)
    assert (after.references != before.references).tolist() == had.tolist()
    assert case.enhancement.provenance["references_forbidden"] == [
        f"{('sky', 'sand', 'soil', 'rock')[label - 1]}-{index + 1}"
    ]
    buttons = bench.inspector.references.buttons
    assert buttons[0].text().startswith("✕")
    assert "click to allow it again" in buttons[0].toolTip()
    assert [b.isChecked() for b in buttons][:2] == [False, True]
    assert "your choice" not in bench.inspector.words.text()
    assert f"{had.sum()} tile" in bench.inspector.gain.text()
    enhanced.does(buttons[0])
    assert case.understanding.matches.forbidden == ()
    np.testing.assert_array_equal(case.understanding.matches.references, before.references)
    enhanced.does(bench.inspector.undo)
    assert case.understanding.matches.forbidden == ((label, index),)
    enhanced.does(bench.inspector.undo)
    assert case.understanding.matches is before


def test_the_last_of_a_class_cannot_be_forbidden(enhanced: User, notified: list[str]) -> None:
    for _ in range(5):
        enhanced.does(enhanced.bench.inspector.forbid)
    assert not notified
    enhanced.does(enhanced.bench.inspector.forbid)
    assert "leave at least one" in notified[0]
    assert len(enhanced.case.understanding.matches.forbidden) == 5


def test_a_model_without_references_says_so(user: User, jpeg: Path) -> None:
    user.opens(jpeg)
    user.does(user.bench.understand.action)
    user.bench.inspect(0, 0)
    assert not user.bench.inspector.undo.isEnabled()
    user.does(user.bench.inspector.references.buttons[1])
    assert "The next enhancement uses it, if its model takes references" in user.bench.inspector.gain.text()
    user.does(user.bench.enhance.action)
    enhancement = user.case.enhancement
    user.does(user.bench.inspector.references.buttons[2])
    assert "Not enhanced again: marsqe-swift uses no references" in user.bench.inspector.gain.text()
    assert user.case.enhancement is enhancement


def test_undo_keeps_a_result_that_was_made_since(enhanced: User) -> None:
    bench, case = enhanced.bench, enhanced.case
    enhanced.does(bench.inspector.references.buttons[2])
    enhanced.does(bench.enhance.action)
    newest = case.enhancement
    enhanced.does(bench.inspector.undo)
    assert case.enhancement is newest
    assert "references have changed since" in bench.enhance.summary.text()
    enhanced.does(bench.inspector.references.buttons[1])
    assert case.enhancement is newest, "a mix of older and newer references would be nobody's result"
    assert "enhance again to use them all" in bench.inspector.gain.text()


def test_drawing_keeps_what_was_forbidden_and_chosen(enhanced: User) -> None:
    bench, case = enhanced.bench, enhanced.case
    enhanced.does(bench.inspector.forbid)
    enhanced.does(bench.inspector.references.buttons[4])
    matches = case.understanding.matches
    label = next(k for k in (2, 4, 3, 1) if k not in matches.classes)
    layer = case.layers["terrain"]
    layer.data_setitem(tuple(i.ravel() for i in np.mgrid[:128, 128:200]), label)
    enhanced.does(bench.understand.rematch)
    after = case.understanding.matches
    assert after.classes[0, 1] == label
    assert after.forbidden == matches.forbidden
    assert after.references[0, 0] == matches.references[0, 0]
    assert not bench.inspector.undo.isEnabled()
