"""Somebody with a camera in front of the workbench: a real napari window, real clicks, pictures of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SIZE = (1366, 768)
SAMPLE = "perseverance-hazcam"


class Photographer:
    """A napari window with the workbench, and what is needed to use it and take its picture."""

    def __init__(self, theme: str = "dark") -> None:
        # The pictures must not depend on, nor change, the settings of whoever makes them.
        os.environ["NAPARI_CONFIG"] = ""
        import napari
        from napari.settings import get_settings

        get_settings().appearance.theme = theme
        self.viewer = napari.Viewer(title="napari")
        self.window = self.viewer.window._qt_window
        self.window.setGeometry(0, 0, *SIZE)
        _, self.bench = self.viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")

    @property
    def case(self) -> Any:
        """The image at work."""
        return self.bench.session.case

    @property
    def canvas(self) -> Any:
        """The widget on which napari draws."""
        return self.viewer.window._qt_viewer.canvas.native

    def wait(self, seconds: float) -> None:
        """Let Qt work for a while."""
        from qtpy.QtTest import QTest

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QTest.qWait(20)

    def click(self, button: Any, done: Callable[[], bool] = lambda: True) -> None:
        """Click a button and wait for what it starts."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        self.until(done)

    def until(self, done: Callable[[], bool] = lambda: True, seconds: float = 300) -> None:
        """Wait until something is done and nothing is at work."""
        end = time.monotonic() + seconds
        while not done() or self.bench.runner.is_busy:
            if time.monotonic() > end:
                raise TimeoutError(self.bench.progress.step.text())
            self.wait(0.02)

    def unfold(self, key: str) -> Any:
        """Open a tool of the workbench and scroll to it; its panel."""
        panel = self.bench.drawers[key].unfold()
        self.wait(0.3)
        self.bench.column.reveal(self.bench.drawers[key])
        return panel

    def fold(self, key: str) -> None:
        """Close a tool again."""
        self.bench.drawers[key].heading.setChecked(False)

    def place(self, row: float, column: float) -> Any:
        """Where a pixel of the image is drawn on the canvas."""
        from qtpy.QtCore import QPoint

        camera, native = self.viewer.scene.camera, self.canvas
        x = (column - camera.center[2]) * camera.zoom + native.width() / 2
        y = (row - camera.center[1]) * camera.zoom + native.height() / 2
        return QPoint(round(x), round(y))

    def hover(self, row: float, column: float) -> None:
        """Move the mouse over a pixel of the image."""
        from qtpy.QtTest import QTest

        QTest.mouseMove(self.canvas, self.place(row, column))
        self.wait(0.05)

    def click_image(self, row: float, column: float) -> None:
        """Click a pixel of the image."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        self.hover(row, column)
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, pos=self.place(row, column))
        self.wait(0.3)

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag the mouse from one pixel of the image to another."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        self.hover(*start)
        QTest.mousePress(self.canvas, Qt.MouseButton.LeftButton, pos=self.place(*start))
        for share in (0.25, 0.5, 0.75, 1.0):
            self.hover(*(a + (b - a) * share for a, b in zip(start, end, strict=True)))
        QTest.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, pos=self.place(*end))
        self.wait(0.3)

    def picture(self) -> Any:
        """The window as an array (H, W, 4) of uint8, without passing notifications."""
        from napari._qt.dialogs.qt_notification import NapariQtNotification

        self.wait(0.6)
        for message in self.window.findChildren(NapariQtNotification):
            message.close()
        self.wait(0.2)
        return self.viewer.screenshot(canvas_only=False, flash=False)
