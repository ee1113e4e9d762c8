"""From dropped files to an exported one; several files; a truth from a file; keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from driver import PATIENCE, User
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QCoreApplication, QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog

from marsqe.errors import DeviceMemoryError
from marsqe.progress import Progress, Steps
from napari_marsqe import work
from napari_marsqe.shortcuts import HelpPanel


def dropped(*paths: Path, keys: Any = Qt.KeyboardModifier.NoModifier) -> tuple[QDropEvent, QMimeData]:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, keys), data


def test_drop_enhance_export(user: User, jpeg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    event, _data = dropped(jpeg)
    user.bench.dropEvent(event)
    user.wait(lambda: user.case is not None)
    user.does(user.bench.enhance.action)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(jpeg.with_suffix(".tif")), ""))
    user.does(user.bench.export.action)
    assert np.array_equal(tifffile.imread(jpeg.with_suffix(".tif")), user.case.enhanced.data)


def test_several_files_wait_as_next_images(user: User, jpeg: Path, png: Path, tmp_path: Path) -> None:
    stray, second = tmp_path / "notes.txt", tmp_path / "sol_0800.jpg"
    stray.write_text("not an image")
    second.write_bytes(jpeg.read_bytes())
    event, _data = dropped(jpeg, stray, second, png)
    bench = user.bench
    assert not bench.open.following.isVisible()
    bench.dropEvent(event)
    user.wait(lambda: len(bench.session.cases) == 3)
    assert user.case.stem == "sol_0766", "the first is shown, the others wait"
    assert [layer.visible for layer in bench.viewer.layers] == [True, False, False]
    assert "notes.txt" in bench.open.summary.text(), "what was skipped is named to the end"
    assert bench.open.summary.objectName() == "marsqeError"
    assert bench.open.following.text() == "Next (1/3)"
    user.click(bench.open.following)
    assert user.case.stem == "sol_0800"
    assert bench.viewer.layers.selection.active is user.case.source, "its controls are napari's"
    assert [layer.visible for layer in bench.viewer.layers] == [False, True, False]
    for _ in range(2):
        user.click(bench.open.following)
    assert user.case.stem == "sol_0766", "after the last comes the first"
    user.does(bench.understand.action)
    assert "JPEG, quality 30" in bench.open.summary.text(), "the error is old by now"


@pytest.mark.gui
def test_a_file_dropped_on_the_canvas(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot, jpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer()
    canvas, asked = viewer.window._qt_viewer, []
    monkeypatch.setattr(type(canvas), "_qt_open", lambda _self, names, **_: asked.append(names))
    tiff = tmp_path / "stack.tif"
    tifffile.imwrite(tiff, np.zeros((4, 4), np.uint8))

    def drop(*paths: Path, onto: Any = canvas, keys: Any = Qt.KeyboardModifier.NoModifier) -> None:
        event, data = dropped(*paths, keys=keys)
        buttons = Qt.MouseButton.LeftButton
        # Qt drops onto the widget that took the drag.
        enter = QDragEnterEvent(QPointF(5, 5).toPoint(), Qt.DropAction.CopyAction, data, buttons, keys)
        QCoreApplication.sendEvent(onto, enter)
        QCoreApplication.sendEvent(onto, event)

    drop(jpeg)
    assert asked == [[str(jpeg)]], "without the workbench it is napari's"
    _, bench = viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")
    user = User(bench, qtbot)
    drop(jpeg)
    user.wait(lambda: user.case is not None)
    assert user.case.image.compression.quality == 30
    assert len(asked) == 1
    drop(tiff)
    drop(jpeg, tiff)
    drop(jpeg, keys=Qt.KeyboardModifier.ShiftModifier)
    assert len(asked) == 4, "TIFF, mixed drops and stacks stay napari's"
    viewer.layers.clear()
    drop(jpeg, onto=canvas._welcome_widget)
    user.wait(lambda: user.case is not None)
    assert len(asked) == 4


def test_a_truth_from_a_file(user: User, jpeg: Path, png: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = user.bench
    user.opens(jpeg)
    user.does(bench.enhance.action)
    user.does(bench.judge.action)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(png), ""))
    user.does(bench.open.truth_file)
    user.wait(lambda: "dB" in bench.judge.summary.text())
    assert user.case.truth is user.layer("sol_0766 · truth")
    assert user.layers().index("sol_0766 · truth") < user.layers().index("sol_0766 · compressed"), "beneath"
    assert len(bench.session.cases) == 1


def test_a_truth_of_another_size_is_refused(
    user: User, jpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notified: list[str]
) -> None:
    other = tmp_path / "other.png"
    Image.fromarray(np.zeros((10, 12, 3), np.uint8)).save(other)
    user.opens(jpeg)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(other), ""))
    user.does(user.bench.open.truth_file)
    assert user.case.truth is None
    assert "'other' (12 x 10, uint8) cannot be the truth" in notified[0]
    assert user.layers() == ["sol_0766 · compressed"]


def test_keys_press_the_buttons(user: User, jpeg: Path) -> None:
    bench = user.bench
    user.opens(jpeg)
    bench.activateWindow()
    user.qtbot.waitUntil(bench.isActiveWindow, timeout=PATIENCE)
    user.qtbot.keyClick(bench, Qt.Key.Key_3, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    user.wait(lambda: user.case.enhanced is not None)
    on_canvas = {str(key): act for key, act in bench.viewer.keymap.items()}
    on_canvas["Ctrl+Alt+4"](bench.viewer)
    user.wait(lambda: user.case.judgement is not None)
    assert bench.judge.action.toolTip().endswith("4).")
    panel = bench.drawers["help"].unfold()
    assert isinstance(panel, HelpPanel)
    for text in ("Enhance", "Export", "Session"):
        assert text in panel.words.text() + panel.keys.text()


def test_out_of_memory_offers_the_processor(user: User, jpeg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = work.enhance, []

    def on_a_small_gpu(*arguments: Any, **settings: Any) -> Steps[Any]:
        asked.append(settings["device"])
        yield Progress("Enhancing", 0, 1)
        if settings["device"] != "cpu":
            raise DeviceMemoryError("the device ran out of memory; choose the CPU")
        return (yield from real(*arguments, **settings))

    monkeypatch.setattr(work, "enhance", on_a_small_gpu)
    bench = user.bench
    user.opens(jpeg)
    assert not bench.enhance.remedy.isVisible()
    user.does(bench.enhance.action)
    assert "out of memory" in bench.enhance.summary.text()
    assert user.layers() == ["sol_0766 · compressed", "sol_0766 · references", "sol_0766 · terrain"]
    assert bench.enhance.remedy.text() == "Use the processor instead"
    user.does(bench.enhance.remedy)
    assert user.case.enhancement.device == "cpu"
    assert asked == ["auto", "cpu"]
    assert not bench.enhance.remedy.isVisible()
