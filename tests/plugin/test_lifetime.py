"""Never lost, never stuck: cancelling, removing layers, closing, while work goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from driver import PATIENCE, User
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from marsqe.progress import Progress, Steps
from napari_marsqe import work
from napari_marsqe.workbench import Workbench


class Slow:
    """A step that goes on until it is left."""

    def __init__(self) -> None:
        self.begun, self.left = threading.Event(), threading.Event()

    def __call__(self, *_: Any, **__: Any) -> Steps[None]:
        self.begun.set()
        try:
            for tile in range(100_000):
                yield Progress("Enhancing", tile, 100_000)
                time.sleep(0.01)
        finally:
            self.left.set()
        raise AssertionError("nobody stopped it")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    step = Slow()
    monkeypatch.setattr(work, "enhance", step)
    yield step


@pytest.fixture
def busy(user: User, slow: Slow, jpeg: Path) -> User:
    """The workbench in the middle of an enhancement."""
    user.opens(jpeg)
    user.does(user.bench.understand.action)
    user.click(user.bench.enhance.action)
    user.qtbot.waitUntil(slow.begun.is_set, timeout=PATIENCE)
    user.qtbot.waitUntil(lambda: user.bench.progress.bar.maximum() == 100_000, timeout=PATIENCE)
    return user


def test_progress_shows_step_time_left_and_cancel(busy: User) -> None:
    strip = busy.bench.progress
    assert strip.isVisible()
    assert strip.step.text() == "Enhancing"
    busy.qtbot.waitUntil(lambda: "left" in strip.left.text(), timeout=5000)
    assert not busy.bench.enhance.action.isEnabled(), "one job at a time"


def test_cancel_button(busy: User, slow: Slow) -> None:
    before = list(busy.bench.viewer.layers)
    start = time.monotonic()
    busy.does(busy.bench.progress.cancel)
    assert time.monotonic() - start < 1
    assert slow.left.is_set()
    assert "Cancelled" in busy.bench.enhance.summary.text()
    assert list(busy.bench.viewer.layers) == before
    assert not busy.bench.progress.isVisible()
    assert busy.bench.enhance.action.isEnabled()


def test_removing_the_image_ends_its_job(busy: User, slow: Slow) -> None:
    busy.bench.viewer.layers.remove("sol_0766 · compressed")
    busy.wait(slow.left.is_set)
    assert busy.case is None
    assert "Drop an image here" in busy.bench.open.summary.text()


def test_removing_every_layer_during_a_job(busy: User, slow: Slow) -> None:
    busy.bench.viewer.layers.clear()
    busy.wait(slow.left.is_set)
    assert busy.layers() == []
    assert not busy.bench.enhance.action.isEnabled()


def test_removing_a_result_during_a_job_does_not_stop_it(busy: User, slow: Slow) -> None:
    busy.bench.viewer.layers.remove("sol_0766 · terrain")
    busy.qtbot.wait(50)
    assert not slow.left.is_set()
    assert busy.case.understanding is not None, "the finding is kept, only its layer is gone"


def test_a_result_whose_layer_was_removed_comes_back(user: User, jpeg: Path) -> None:
    user.opens(jpeg)
    user.does(user.bench.understand.action)
    user.bench.viewer.layers.remove("sol_0766 · terrain")
    user.does(user.bench.understand.action)
    assert "sol_0766 · terrain" in user.layers()


def test_removing_the_truth_is_noticed(user: User, jpeg: Path, png: Path) -> None:
    user.opens(jpeg, png)
    user.does(user.bench.enhance.action)
    user.bench.viewer.layers.remove("sol_0766 · truth")
    assert user.case.truth is None
    assert "Truth: none" in user.bench.open.summary.text()
    user.does(user.bench.judge.action)
    assert "no gain can be known" in user.bench.judge.summary.text()


def test_renaming_layers_changes_nothing(user: User, jpeg: Path, png: Path) -> None:
    user.opens(jpeg, png)
    for layer in user.bench.viewer.layers:
        layer.name = f"my {layer.name}"
    assert "my sol_0766 · truth" in user.bench.open.summary.text()
    assert user.bench.open.source.currentText() == "my sol_0766 · compressed"
    user.does(user.bench.enhance.action)
    user.does(user.bench.judge.action)
    assert "dB" in user.bench.judge.summary.text()


def test_closing_the_dock_during_a_job(qtbot: QtBot, slow: Slow, jpeg: Path) -> None:
    viewer = ViewerModel()
    bench = Workbench(viewer)
    user = User(bench, qtbot)
    bench.show()
    user.opens(jpeg)
    bench.run_enhance()
    qtbot.waitUntil(slow.begun.is_set, timeout=PATIENCE)
    runner = bench.runner
    bench.deleteLater()
    qtbot.waitUntil(slow.left.is_set, timeout=5000)
    qtbot.waitUntil(lambda: runner.is_at_rest, timeout=5000)
    assert len(viewer.mouse_drag_callbacks) == len(ViewerModel().mouse_drag_callbacks)
    viewer.add_image(jpeg_pixels(jpeg), name="after")
    viewer.layers.clear()


@pytest.mark.gui
def test_closing_the_window_during_a_job(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot, slow: Slow, jpeg: Path
) -> None:
    viewer = make_napari_viewer()
    _, bench = viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")
    user = User(bench, qtbot)
    user.opens(jpeg)
    bench.run_enhance()
    qtbot.waitUntil(slow.begun.is_set, timeout=PATIENCE)
    runner = bench.runner
    viewer.close()
    qtbot.waitUntil(slow.left.is_set, timeout=5000)
    qtbot.waitUntil(lambda: runner.is_at_rest, timeout=5000)


@pytest.mark.gui
def test_closing_the_dock_lets_go_of_the_viewer(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot, jpeg: Path
) -> None:
    viewer = make_napari_viewer()
    before = len(viewer.mouse_drag_callbacks)
    _, bench = viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")
    User(bench, qtbot).opens(jpeg)
    assert len(viewer.mouse_drag_callbacks) == before + 1
    dock = next(d for d in viewer.window._qt_window.findChildren(QDockWidget) if d.widget() is bench)
    qtbot.mouseClick(dock.title.close_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(viewer.mouse_drag_callbacks) == before, timeout=5000)
    viewer.theme = "light"
    _, again = viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")
    assert again.session.case is not None, "the image that is still there is taken up"


def jpeg_pixels(path: Path) -> Any:
    import marsqe

    return marsqe.open_image(path).pixels
