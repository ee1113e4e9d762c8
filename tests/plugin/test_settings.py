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
    before = {name: getattr(engine, name) for name in ("model", "device", "quality")}
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
    preferences.device, preferences.quality = "cpu", 55
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    assert bench.enhance.device.value == "cpu"
    assert bench.open.quality.value() == 55
