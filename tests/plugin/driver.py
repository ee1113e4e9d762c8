"""Somebody in front of the workbench."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

import marsqe
from marsqe.image import MarsImage
from marsqe.results import TILE, Enhancement, Matches
from marsqe.terrain import Terrain
from napari_marsqe.jobs import Task
from napari_marsqe.work import Understanding
from napari_marsqe.workbench import Workbench

PATIENCE = 120_000
"""Milliseconds; a busy machine may be slow."""


@dataclass
class User:
    """Clicks, waits, and reads what the workbench says."""

    bench: Workbench
    qtbot: QtBot

    def click(self, button: Any) -> None:
        assert button.isEnabled(), button.text()
        # What has just been unfolded has no size before the next layout; nobody can click it earlier.
        self.qtbot.waitUntil(lambda: not button.isVisible() or not button.size().isEmpty())
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def wait(self, done: Callable[[], bool] = lambda: True) -> None:
        self.qtbot.waitUntil(lambda: done() and not self.bench.runner.is_busy, timeout=PATIENCE)

    def does(self, button: Any) -> None:
        """Click and wait until the work is done."""
        self.click(button)
        self.wait()

    def opens(self, path: Path, truth: Path | None = None) -> None:
        self.bench.open_path(path, truth)
        self.wait(lambda: self.bench.session.case is not None)

    def layers(self) -> list[str]:
        return [layer.name for layer in self.bench.viewer.layers]

    def layer(self, name: str) -> Any:
        return self.bench.viewer.layers[name]

    @property
    def case(self) -> Any:
        return self.bench.session.case


@contextmanager
def in_front_of(bench: Workbench, qtbot: QtBot) -> Iterator[User]:
    """Somebody who leaves nothing running."""
    yield User(bench, qtbot)
    bench.runner.close()
    qtbot.waitUntil(lambda: bench.runner.is_at_rest, timeout=PATIENCE)


def at_a_new_workbench(qtbot: QtBot) -> Iterator[User]:
    """Somebody in front of a workbench without layers, for fixtures."""
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    bench.resize(340, 700)
    bench.show()
    with in_front_of(bench, qtbot) as user:
        yield user


def canvas_of(user: User) -> Any:
    """The widget on which napari draws."""
    return user.bench.viewer.window._qt_viewer.canvas.native


def on_canvas(user: User, row: float, column: float) -> QPoint:
    """Where a pixel of the image is drawn (no grid)."""
    native, camera = canvas_of(user), user.bench.viewer.scene.camera
    y, x = (
        (pixel - centre) * camera.zoom + size / 2
        for pixel, centre, size in (
            (row, camera.center[1], native.height()),
            (column, camera.center[2], native.width()),
        )
    )
    return QPoint(round(x), round(y))


def click_canvas(user: User, row: float, column: float, key: Any = Qt.KeyboardModifier.NoModifier) -> None:
    """Click the canvas where a pixel of the image is drawn."""
    hover_canvas(user, row, column)
    QTest.mouseClick(canvas_of(user), Qt.MouseButton.LeftButton, key, pos=on_canvas(user, row, column))


def hover_canvas(user: User, row: float, column: float) -> None:
    """Move the mouse where a pixel of the image is drawn."""
    QTest.mouseMove(canvas_of(user), on_canvas(user, row, column))


def show_at_once(task: Task, result: Any) -> None:
    """Show a result as its task would, without a pause for the screen between the parts."""
    for _ in task.apply(result) or ():
        pass


def judge_made_up(bench: Workbench, image: MarsImage, truth: MarsImage | None) -> None:
    """Show results of every step that no network made: the image halfway to its truth."""
    session = bench.session
    case = session.open(image, truth)
    rows, columns = (-(-side // TILE) for side in image.shape)
    places = np.arange(rows * columns).reshape(rows, columns)
    labels = (places % 4 + 1).astype(np.uint8)
    terrain = Terrain(np.kron(labels, np.ones((TILE, TILE), np.uint8))[: image.shape[0], : image.shape[1]])
    divergences = 0.1 + 0.05 * places
    matches = Matches(labels, places % 3, divergences, np.stack([divergences] * 6, axis=-1), 0.5 + 0 * divergences)
    found = Understanding(terrain, matches, image.pixels[::-1].copy(), image.compression)
    show_at_once(bench.understand.task(session, case, "cpu"), found)
    other = image.pixels[:, ::-1] if truth is None else truth.pixels
    pixels = ((image.pixels.astype(np.uint16) + other) // 2).astype(np.uint8)
    enhancement = Enhancement(pixels, image, terrain, matches, "marsqe-swift", "cpu", 1.0)
    show_at_once(bench.enhance.task(session, case), enhancement)
    raw = None if truth is None else truth.pixels
    judgement = marsqe.judge(pixels, raw, compressed=image.pixels, terrain=terrain)
    show_at_once(bench.judge.task(session, case), (judgement, None))
