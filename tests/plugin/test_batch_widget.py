"""MarsQE Batch by real clicks: a folder in, a folder out, every file's state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driver import PATIENCE
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

import marsqe
from marsqe.scale.run import BatchProgress
from napari_marsqe.batch import BatchWidget


@pytest.fixture
def folder(tmp_path: Path, jpeg: Path) -> Path:
    folder = tmp_path / "sol_0766"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "deep/c.jpg"):
        (folder / name).write_bytes(jpeg.read_bytes())
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture
def batch(qtbot: QtBot) -> Iterator[BatchWidget]:
    widget = BatchWidget(ViewerModel())
    qtbot.addWidget(widget)
    widget.resize(320, 600)
    widget.show()
    yield widget
    widget.close_work()
    qtbot.waitUntil(lambda: widget.runner.is_at_rest and widget.opener.is_at_rest, timeout=PATIENCE)


def click(qtbot: QtBot, button: Any) -> None:
    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(qtbot: QtBot, batch: BatchWidget, monkeypatch: pytest.MonkeyPatch, folder: Path, out: Path) -> None:
    """Answer both dialogs."""
    for button, answer in ((batch.images.ask, folder), (batch.results.ask, out)):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, answer=answer: str(answer))
        click(qtbot, button)


def wait(qtbot: QtBot, batch: BatchWidget) -> None:
    qtbot.waitUntil(lambda: not batch.runner.is_busy and not batch.opener.is_busy, timeout=PATIENCE)


def states(batch: BatchWidget) -> dict[str, str]:
    return {batch.table.item(r, 0).text(): batch.table.item(r, 1).text() for r in range(batch.table.rowCount())}


def test_it_says_what_to_do_and_waits_for_both_folders(batch: BatchWidget, tmp_path: Path) -> None:
    assert "Choose a folder" in batch.summary.text()
    assert not batch.start.isEnabled()
    batch.images.path.setText(str(tmp_path))
    assert not batch.start.isEnabled()
    batch.results.path.setText(str(tmp_path / "out"))
    assert batch.start.isEnabled()


def test_a_folder_is_enhanced_and_a_result_opened(
    batch: BatchWidget, folder: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    choose(qtbot, batch, monkeypatch, folder, out)
    click(qtbot, batch.start)
    assert not batch.start.isEnabled()
    assert batch.progress.isVisible()
    wait(qtbot, batch)
    assert states(batch) == {"a.jpg": "done", "b.jpg": "done", "notes.txt": "failed"}
    assert "2 images enhanced" in batch.summary.text()
    assert "notes.txt" in batch.summary.text()
    assert batch.summary.objectName() == "marsqeError"
    assert (out / "summary.csv").is_file()
    assert not batch.progress.isVisible()

    failed = batch.table.visualItemRect(batch.table.item(2, 0)).center()
    qtbot.mouseClick(batch.table.viewport(), Qt.MouseButton.LeftButton, pos=failed)
    assert batch.summary.text().startswith("<b>notes.txt</b>: ")

    item = batch.table.item(0, 0)
    place = batch.table.visualItemRect(item).center()
    qtbot.mouseClick(batch.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseDClick(batch.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    qtbot.waitUntil(lambda: len(batch.viewer.layers) == 1, timeout=PATIENCE)
    assert (batch.viewer.layers[0].data == marsqe.open_image(out / "a.tif").pixels).all()

    batch.recursive.click()
    click(qtbot, batch.start)
    wait(qtbot, batch)
    assert states(batch) == {"a.jpg": "done before", "b.jpg": "done before", "c.jpg": "done", "notes.txt": "failed"}


def test_cancel_keeps_what_is_finished(
    batch: BatchWidget, folder: Path, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(qtbot, batch, monkeypatch, folder, tmp_path / "out")
    seen: list[str] = []

    def stop_at_the_first(progress: Any, _left: float | None) -> None:
        if isinstance(progress, BatchProgress) and progress.update is not None and progress.update.stage == "done":
            seen.append(progress.update.name)
            if len(seen) == 1:
                click(qtbot, batch.progress.cancel)

    batch.runner.progressed.connect(stop_at_the_first)
    click(qtbot, batch.start)
    wait(qtbot, batch)
    qtbot.waitUntil(lambda: batch.runner.is_at_rest, timeout=PATIENCE)
    assert seen
    assert "Stopped" in batch.summary.text()
    assert (tmp_path / "out" / seen[0]).is_file()
    assert batch.start.isEnabled()
    batch.runner.progressed.disconnect(stop_at_the_first)
    click(qtbot, batch.start)
    wait(qtbot, batch)
    assert states(batch)[Path(seen[0]).with_suffix(".jpg").name] == "done before"


def test_a_dropped_folder_proposes_one_for_the_results(batch: BatchWidget, folder: Path) -> None:
    batch.files_dropped.emit([folder])
    assert batch.images.folder == folder
    assert batch.results.folder == folder.with_name("sol_0766_enhanced")


def test_what_cannot_begin_is_told(batch: BatchWidget, tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "empty").mkdir()
    batch.images.path.setText(str(tmp_path / "empty"))
    batch.results.path.setText(str(tmp_path / "out"))
    click(qtbot, batch.start)
    wait(qtbot, batch)
    assert "no file" in batch.summary.text()
    assert batch.summary.objectName() == "marsqeError"
