"""The layers of evidence, asked for in Judge, and what Enhance says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from driver import PATIENCE, User, hover_canvas, show_at_once

from marsqe.enhancement import confidence as engine
from marsqe.enhancement.confidence import Calibration, Rule
from marsqe.results import Confidence
from napari_marsqe.evidence import ROLES, Evidence


def rule(predictors: int) -> Rule:
    return Rule(np.array([0.5, *[0.1] * predictors]), np.array([1e9]), np.array([2.0, 2.0]))


def test_confidence_is_told_and_shown_when_asked_for(user: User, jpeg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "calibration_of", lambda model, sha: Calibration(rule(6), rule(5)))
    bench = user.bench
    user.opens(jpeg)
    user.does(bench.enhance.action)
    assert "nine in ten pixels" in bench.enhance.summary.text()
    user.does(bench.judge.action)
    assert "sol_0766 · confidence" not in user.layers()
    bench.judge.confidence.click()
    user.does(bench.judge.action)
    layers = {layer.name: layer for layer in bench.viewer.layers}
    width = layers["sol_0766 · confidence"]
    assert width.visible and width.data.shape == (160, 200) and (width.data > 0).all()
    assert set(np.unique(layers["sol_0766 · beyond the evidence"].data)) <= {0, 1}
    steps = layers["sol_0766 · change in steps"]
    assert not steps.visible and 0 < np.asarray(steps.data).max() < 1
    bench.judge.confidence.click()
    user.does(bench.judge.action)
    assert not width.visible


def test_a_model_without_calibration_says_nothing_of_confidence(
    user: User, jpeg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "calibration_of", lambda model, sha: None)
    user.opens(jpeg)
    user.does(user.bench.enhance.action)
    assert "Confidence" not in user.bench.enhance.summary.text()


@pytest.mark.parametrize("judged", [True], indirect=True)
def test_the_status_bar_tells_the_evidence_under_the_mouse(judged: User) -> None:
    bench, case = judged.bench, judged.case
    half_width = np.full(case.image.shape, 4.0, np.float32)
    half_width[40:, :] = 7.5
    beyond = np.zeros(case.image.shape, bool)
    beyond[60:, :] = True
    steps = np.full(case.image.shape, 0.25, np.float32)
    found = Evidence(Confidence(half_width, beyond), steps)
    assert not bench.judge.legend.isVisible()
    show_at_once(bench.judge.task(bench.session, case), (case.judgement, found))
    assert bench.judge.legend.isVisible() and "Beyond the evidence" in bench.judge.legend.text()
    bench.viewer.layers.selection.active = case.source
    window = bench.viewer.window._qt_window

    def told(row: int) -> str:
        hover_canvas(judged, row, 100)
        judged.qtbot.waitUntil(lambda: round(bench.viewer.cursor.position[-2]) == row, timeout=PATIENCE)
        window.status_thread.calculate_status()  # napari's tests run without the thread that does it
        return str(window.statusBar()._coordinates.text())

    for row, words in ((20, "±4.0 DN, change 0.25 steps"), (50, "±7.5 DN, change 0.25 steps"), (70, "beyond the evid")):
        shown = told(row)
        assert words in shown
        assert str(row) in shown, "napari's own words stay"
    for role in ROLES:
        case.layers[role].visible = False
    assert "DN" not in told(22)
