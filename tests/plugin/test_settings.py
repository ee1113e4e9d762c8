"""Preferences: what is offered there, and that the workbench starts with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from napari.components import ViewerModel
from napari.settings import get_plugin_settings
from pytestqt.qtbot import QtBot

from marsqe.networks.registry import AUTO, PRESETS
from napari_marsqe.settings import EngineSettings, engine_settings
from napari_marsqe.workbench import Workbench


@pytest.fixture
def preferences() -> Iterator[Any]:
    engine = get_plugin_settings("napari-marsqe").engine
    before = {name: getattr(engine, name) for name in ("model", "device", "quality", "faithful", "batch")}
    yield engine
    for name, value in before.items():
        setattr(engine, name, value)


def test_defaults_are_the_same_in_code_and_manifest(preferences: Any) -> None:
    assert engine_settings() == EngineSettings()


@pytest.mark.parametrize("model", [AUTO, *PRESETS])
def test_every_model_can_be_preferred(preferences: Any, model: str) -> None:
    preferences.model = model
    assert engine_settings().model == model


@pytest.mark.parametrize("quality", [0, 101])
def test_impossible_qualities_are_refused(preferences: Any, quality: int) -> None:
    with pytest.raises(ValueError, match="quality"):
        preferences.quality = quality


def test_the_workbench_starts_with_them(preferences: Any, qtbot: QtBot) -> None:
    preferences.device, preferences.quality, preferences.faithful = "cpu", 55, False
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    assert bench.enhance.device.value == "cpu"
    assert bench.open.quality.value() == 55
    assert not bench.enhance.faithful.isChecked()


def test_the_box_is_remembered(preferences: Any, qtbot: QtBot) -> None:
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    assert bench.enhance.faithful.isChecked()
    assert bench.enhance.faithful.toolTip().count(".") == 1
    bench.enhance.faithful.click()
    assert preferences.faithful is False
    again = Workbench(ViewerModel())
    qtbot.addWidget(again)
    assert not again.enhance.faithful.isChecked()


@pytest.mark.parametrize("batch", [0, 65])
def test_impossible_batches_are_refused(preferences: Any, batch: int) -> None:
    with pytest.raises(ValueError, match="batch"):
        preferences.batch = batch
