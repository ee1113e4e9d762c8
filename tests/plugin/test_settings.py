"""Preferences: what is offered there, and that the workbench starts with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import napari.settings
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from napari.settings import get_plugin_settings
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

import marsqe
from marsqe.networks.registry import AUTO, PRESETS
from marsqe.terrain import PALETTES, Terrain
from napari_marsqe import settings
from napari_marsqe.frame import Frame
from napari_marsqe.layers import terrain_layer
from napari_marsqe.settings import EngineSettings, engine_settings, remember
from napari_marsqe.wording import chip
from napari_marsqe.workbench import Workbench


@pytest.fixture
def preferences() -> Iterator[Any]:
    engine = get_plugin_settings("napari-marsqe").engine
    before = {
        name: getattr(engine, name)
        for name in ("model", "device", "quality", "faithful", "batch", "precision", "palette")
    }
    yield engine
    for name, value in before.items():
        setattr(engine, name, value)


def test_defaults_are_the_same_in_code_and_manifest(preferences: Any) -> None:
    assert engine_settings() == EngineSettings()


@pytest.mark.parametrize("model", [AUTO, *PRESETS])
def test_every_model_can_be_preferred(preferences: Any, model: str) -> None:
    preferences.model = model
    assert engine_settings().model == model


@pytest.mark.parametrize(
    "content", ["- a list", "engine: [", "engine: {quality: 1000, batch: none}", "1: 2", "engine: null"]
)
def test_a_damaged_file_of_settings_is_told_and_passed_over(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "napari-marsqe.yaml").write_text(content)
    monkeypatch.setattr(napari.settings, "_PLUGIN_SETTINGS", {})
    monkeypatch.setattr(napari.settings, "_CFG_PATH", str(tmp_path / "settings.yaml"))
    said: list[str] = []
    monkeypatch.setattr("napari_marsqe.settings.tell", said.append)
    assert engine_settings() == EngineSettings()
    remember("quality", 40)
    if content in ("- a list", "1: 2"):  # of all others napari tells, and sets them aside
        assert "cannot be read" in said[0]
        assert "napari-marsqe.yaml" in said[0]
    else:
        assert not said


@pytest.mark.parametrize("quality", [0, 101])
def test_impossible_qualities_are_refused(preferences: Any, quality: int) -> None:
    with pytest.raises(ValueError, match="quality"):
        preferences.quality = quality


def test_the_workbench_starts_with_them(preferences: Any, qtbot: QtBot) -> None:
    preferences.device, preferences.quality, preferences.faithful = "cpu", 55, False
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    qtbot.waitUntil(lambda: bench.enhance.device.value == "cpu")
    assert bench.open.quality.value() == 55
    assert not bench.enhance.faithful.isChecked()


def test_napari_is_asked_for_them_after_the_dock_is_made(
    preferences: Any, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(settings, "engine_settings", lambda: asked.append(True) or EngineSettings(quality=44))
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    assert not asked
    qtbot.waitUntil(lambda: bench.open.quality.value() == 44)


def test_what_is_chosen_before_they_are_read_stays(preferences: Any, qtbot: QtBot) -> None:
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    bench.enhance.faithful.click()
    qtbot.wait(50)
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
    qtbot.waitUntil(lambda: not again.enhance.faithful.isChecked())


@pytest.mark.parametrize("batch", [0, 65])
def test_impossible_batches_are_refused(preferences: Any, batch: int) -> None:
    with pytest.raises(ValueError, match="batch"):
        preferences.batch = batch


def test_choices_are_remembered(preferences: Any, qtbot: QtBot) -> None:
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    bench.enhance.heading.click()
    bench.show()
    for choice, keys in ((bench.enhance.device, 1), (bench.enhance.precision, 1)):
        for _ in range(keys):
            qtbot.keyClick(choice, Qt.Key.Key_Down)
    assert preferences.device == "cpu"
    assert preferences.precision == "float32"
    again = Workbench(ViewerModel())
    qtbot.addWidget(again)
    qtbot.waitUntil(lambda: again.enhance.device.value == "cpu" and again.enhance.precision.value == "float32")


def test_open_terrain_takes_other_colours_at_once(preferences: Any, qtbot: QtBot) -> None:
    viewer = ViewerModel()
    bench = Workbench(viewer)
    qtbot.addWidget(bench)
    layer = viewer.add_layer(Layer.create(*terrain_layer("a", Terrain(np.ones((4, 4), np.uint8)), Frame())))
    qtbot.waitUntil(lambda: bench.palette.listens)
    preferences.palette = "tol-muted"
    assert layer.get_color(4)[:3] == pytest.approx(np.array(PALETTES["tol-muted"]["rock"]) / 255, abs=1e-3)


def test_a_preferred_model_that_is_not_there_is_named(preferences: Any, qtbot: QtBot) -> None:
    preferences.model = "outcrop"
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    qtbot.waitUntil(lambda: bench.palette.listens)
    bench.session.open(marsqe.simulate_downlink(np.zeros((40, 40), np.uint8), 30))
    assert bench.enhance.model.value == "auto"
    assert "outcrop" in bench.enhance.summary.text()


@pytest.mark.parametrize("palette", PALETTES)
def test_terrain_in_the_preferred_colours(preferences: Any, palette: str) -> None:
    preferences.palette = palette
    layer = Layer.create(*terrain_layer("a", Terrain(np.ones((4, 4), np.uint8)), Frame()))
    assert layer.get_color(4)[:3] == pytest.approx(np.array(PALETTES[palette]["rock"]) / 255, abs=1e-3)
    assert "#{:02x}{:02x}{:02x}".format(*PALETTES[palette]["rock"]) in chip("rock")


def test_palettes_are_told_apart_without_red_and_green() -> None:
    """Seen by somebody without cones for long waves (Viénot, Brettel and Mollon 1999), all classes differ."""
    to_lms = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    blind = np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]])
    for palette in PALETTES.values():
        seen = [np.linalg.inv(to_lms) @ blind @ to_lms @ (np.array(rgb) / 255) ** 2.2 for rgb in palette.values()]
        pairs = [np.abs(a - b).max() for i, a in enumerate(seen) for b in seen[:i]]
        assert min(pairs) > 0.1
