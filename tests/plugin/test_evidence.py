"""The layers of evidence, asked for in Judge, and what Enhance says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from driver import User

from marsqe.enhancement import confidence as engine
from marsqe.enhancement.confidence import Calibration, Rule


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
