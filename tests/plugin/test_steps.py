"""The five steps, clicked on the real widgets, done by the real engine, on a small picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from driver import User
from numpy.typing import NDArray
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog

from marsqe.errors import DeviceError
from marsqe.progress import Progress, Steps
from napari_marsqe import layers as conventions
from napari_marsqe import work


def next_buttons(user: User) -> list[str]:
    bench = user.bench
    sections = (bench.open, bench.understand, bench.enhance, bench.judge, bench.export)
    return [s.action.text() for s in sections if s.action.objectName() == "marsqeNext"]


def test_an_empty_workbench_says_what_to_do(user: User) -> None:
    bench = user.bench
    assert "Drop an image here" in bench.open.summary.text()
    assert bench.understand.summary.text() == "Open an image first."
    assert bench.export.summary.text() == "Enhance an image first."
    assert next_buttons(user) == ["Open…"]
    for section in (bench.understand, bench.enhance, bench.judge, bench.export):
        assert not section.action.isEnabled()
        assert section.action.toolTip().endswith(".")


def test_open_button(user: User, jpeg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(jpeg), ""))
    user.does(user.bench.open.action)
    assert user.layers() == ["sol_0766 · compressed"]
    assert "JPEG, quality 30, 4:2:0" in user.bench.open.summary.text()
    assert next_buttons(user) == ["Find terrain"]


def test_a_cancelled_dialog_changes_nothing(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    user.does(user.bench.open.action)
    assert user.layers() == []


def test_dropped_files_open_and_a_bad_one_does_not_lose_the_others(
    user: User, jpeg: Path, png: Path, tmp_path: Path, notified: list[str]
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"not an image")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in (jpeg, bad, png)])
    action, button, keys = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPointF(5, 5).toPoint(), action, data, button, keys)
    user.bench.dragEnterEvent(enter)
    assert enter.isAccepted()
    user.bench.dropEvent(QDropEvent(QPointF(5, 5), action, data, button, keys))
    user.wait(lambda: len(user.layers()) == 2)
    assert user.layers() == ["sol_0766 · compressed", "sol_0766_truth"]
    assert len(notified) == 1
    assert "bad.jpg" in notified[0]


def test_sample_menu(user: User) -> None:
    menu = user.bench.open.samples.menu()
    assert menu is not None
    menu.actions()[-1].trigger()
    user.wait(lambda: len(user.layers()) == 2)
    assert user.layers() == ["curiosity-navcam · truth", "curiosity-navcam · compressed"]
    assert user.case.truth is user.layer("curiosity-navcam · truth")
    assert "Truth: curiosity-navcam · truth" in user.bench.open.summary.text()


def test_the_whole_way(user: User, jpeg: Path, png: Path, truth: NDArray[np.uint8], monkeypatch: Any) -> None:
    bench = user.bench
    user.opens(jpeg, png)
    user.does(bench.understand.action)
    assert user.case.understanding.matches.shape == (2, 2)
    assert "4 tiles matched" in bench.understand.summary.text()
    assert user.layer("sol_0766 · references").data.shape == truth.shape
    assert user.layer("sol_0766 · terrain").visible
    assert not user.layer("sol_0766 · references").visible

    user.does(bench.enhance.action)
    enhanced = user.layer("sol_0766 · enhanced (marsqe-swift)")
    assert enhanced.data.dtype == np.uint8
    assert enhanced.visible
    assert "marsqe-swift</b> on the processor" in bench.enhance.summary.text()

    user.does(bench.judge.action)
    assert "dB" in bench.judge.summary.text()
    assert user.layer("sol_0766 · residual").data == pytest.approx(
        np.abs(enhanced.data.astype(float) - truth).mean(axis=2), abs=1e-3
    )
    assert user.layer("sol_0766 · ΔPSNR").data.shape == (2, 2)
    assert user.layer("sol_0766 · residual (compressed)").data.shape == truth.shape[:2]

    out = jpeg.with_name("out.tif")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out.with_suffix("")), ""))
    user.does(bench.export.action)
    assert np.array_equal(tifffile.imread(out), enhanced.data)
    assert "out.tif" in bench.export.summary.text()
    assert next_buttons(user) == []


def test_enhance_alone_understands_first(user: User, jpeg: Path) -> None:
    user.opens(jpeg)
    user.does(user.bench.enhance.action)
    assert user.case.understanding is not None
    assert user.case.enhanced is not None


def test_without_a_truth_the_change_is_told(user: User, jpeg: Path) -> None:
    user.opens(jpeg)
    user.does(user.bench.enhance.action)
    user.does(user.bench.judge.action)
    assert "no gain can be known" in user.bench.judge.summary.text()
    assert "sol_0766 · change" in user.layers()
    assert "sol_0766 · ΔPSNR" not in user.layers()


def test_choosing_a_truth_judges_again(user: User, jpeg: Path, png: Path) -> None:
    bench = user.bench
    user.opens(png)
    user.opens(jpeg)
    assert [choice.name for choice in bench.open.truth.values if choice] == ["sol_0766_truth"]
    user.does(bench.enhance.action)
    user.does(bench.judge.action)
    bench.open.truth.setFocus()
    user.qtbot.keyClick(bench.open.truth, Qt.Key.Key_Down)
    user.wait(lambda: "dB" in bench.judge.summary.text())
    assert user.case.truth is user.layer("sol_0766_truth")
    assert not user.layer("sol_0766 · change").visible
    assert user.layer("sol_0766 · ΔPSNR").visible


def test_running_again_updates_the_same_layers(user: User, jpeg: Path, png: Path) -> None:
    bench = user.bench
    user.opens(jpeg, png)
    for button in (bench.understand.action, bench.enhance.action, bench.judge.action):
        user.does(button)
    before = list(bench.viewer.layers)
    user.layer("sol_0766 · ΔPSNR").name = "where it got better"
    bench.enhance.faithful.click()
    first = user.case.enhanced.data
    for button in (bench.understand.action, bench.enhance.action):
        user.does(button)
    assert list(bench.viewer.layers) == before
    assert "where it got better" in user.layers()
    assert not np.array_equal(user.case.enhanced.data, first), "not held to the file any more"
    assert user.case.judgement is not None, "what had been judged is judged again"


def test_simulate_downlink_keeps_the_truth(user: User, png: Path) -> None:
    bench = user.bench
    user.opens(png)
    user.click(bench.open.simulation)
    bench.open.original.setFocus()
    user.qtbot.keyClick(bench.open.original, Qt.Key.Key_Down)
    bench.open.quality.setValue(20)
    user.does(bench.open.simulate)
    assert user.case.image.compression.quality == 20
    assert user.case.truth is user.layer("sol_0766_truth")
    assert user.layers() == ["sol_0766_truth", "sol_0766_truth_q20 · compressed"]
    assert next_buttons(user) == ["Find terrain"]


def test_simulating_16_bits_makes_a_truth_of_8(user: User) -> None:
    bench = user.bench
    deep = np.linspace(0, 65535, 160 * 200).reshape(160, 200).astype(np.uint16)
    layer = bench.viewer.add_image(deep, name="deep", scale=(2, 2))
    user.click(bench.open.simulation)
    bench.open.original.set_value(layer)
    bench.refresh()
    user.does(bench.open.simulate)
    assert user.case.truth is not layer
    assert user.case.truth.data.dtype == user.case.image.pixels.dtype == np.uint8
    assert np.allclose(user.case.truth.data, deep / 257, atol=1)
    assert list(user.case.source.scale) == [2, 2]


def test_any_image_layer_can_be_chosen(user: User, truth: NDArray[np.uint8]) -> None:
    bench = user.bench
    bench.viewer.add_image(truth, name="from elsewhere")
    bench.viewer.add_image(truth / 255.0, name="floating")
    bench.open.source.setFocus()
    user.qtbot.keyClick(bench.open.source, Qt.Key.Key_Down)
    assert "floating" in bench.open.summary.text(), "the error names the layer"
    assert bench.open.summary.objectName() == "marsqeError"
    bench.viewer.layers.remove("floating")
    user.qtbot.keyClick(bench.open.source, Qt.Key.Key_Down)
    assert user.case.source.name == "from elsewhere"
    assert "unknown" in bench.open.summary.text()


def test_a_failed_step_loses_nothing_and_says_what_to_do(
    user: User, jpeg: Path, monkeypatch: pytest.MonkeyPatch, notified: list[str]
) -> None:
    def failing(*_: Any, **__: Any) -> Steps[None]:
        yield Progress("Enhancing", 0, 1)
        raise DeviceError("the GPU ran out of memory; choose Processor")

    user.opens(jpeg)
    user.does(user.bench.understand.action)
    before = list(user.bench.viewer.layers)
    monkeypatch.setattr(work, "enhance", failing)
    user.does(user.bench.enhance.action)
    assert list(user.bench.viewer.layers) == before
    assert user.bench.enhance.summary.text() == "The GPU ran out of memory; choose Processor."
    assert notified == ["The GPU ran out of memory; choose Processor."]
    assert user.bench.enhance.action.isEnabled()
    monkeypatch.undo()
    user.does(user.bench.enhance.action)
    assert user.case.enhanced is not None


def test_export_errors_are_told(user: User, jpeg: Path, monkeypatch: Any, notified: list[str]) -> None:
    user.opens(jpeg)
    user.does(user.bench.enhance.action)
    missing = jpeg.parent / "no such folder" / "out.tif"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(missing), ""))
    user.does(user.bench.export.action)
    assert len(notified) == 1
    assert user.bench.export.summary.objectName() == "marsqeError"
    assert user.case.exported is None


def test_two_images_each_keep_their_results(user: User, jpeg: Path, tmp_path: Path) -> None:
    bench = user.bench
    second = tmp_path / "sol_0800.jpg"
    second.write_bytes(jpeg.read_bytes())
    user.opens(jpeg)
    user.does(bench.understand.action)
    bench.open_path(second)
    user.wait(lambda: len(bench.session.cases) == 2)
    assert user.case.understanding is None
    assert not user.layer("sol_0766 · terrain").visible, "another image's layers do not cover this one"
    bench.session.choose(user.layer("sol_0766 · compressed"))
    assert user.case.understanding is not None
    assert user.layer("sol_0766 · terrain").visible
    assert not user.layer("sol_0800 · compressed").visible
    assert conventions.role_of(user.case.source) == conventions.COMPRESSED
