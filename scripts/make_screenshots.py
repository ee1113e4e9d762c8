"""Make the pictures of the workbench in docs/images: ``python scripts/make_screenshots.py [--out FOLDER]``.

Runs the workbench on a bundled sample in a real window, clicking its buttons. Where there is no screen:
``scripts/with-display.sh python scripts/make_screenshots.py``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).parents[1]
SIZE = (1366, 768)
SAMPLE = "perseverance-hazcam"
INSPECTED = (2, 1)  # row and column of the tile


class Photographer:
    """A napari window with the workbench, and what is needed to use it and take its picture."""

    def __init__(self, out: Path, theme: str) -> None:
        import napari
        from napari.settings import get_settings

        out.mkdir(parents=True, exist_ok=True)
        self.out = out
        get_settings().appearance.theme = theme
        self.viewer = napari.Viewer(title="napari")
        self.window = self.viewer.window._qt_window
        self.window.setGeometry(0, 0, *SIZE)
        _, self.bench = self.viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")

    @property
    def case(self) -> Any:
        """The image at work."""
        return self.bench.session.case

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

    def until(self, done: Callable[[], bool], seconds: float = 300) -> None:
        """Wait until something is done and nothing is at work."""
        end = time.monotonic() + seconds
        while not done() or self.bench.runner.is_busy:
            if time.monotonic() > end:
                raise TimeoutError(self.bench.progress.step.text())
            self.wait(0.02)

    def take(self, name: str) -> None:
        """Take a picture of the window, without passing notifications."""
        from napari._qt.dialogs.qt_notification import NapariQtNotification

        self.wait(0.6)
        for message in self.window.findChildren(NapariQtNotification):
            message.close()
        self.wait(0.2)
        self.viewer.screenshot(str(self.out / f"{name}.png"), canvas_only=False, flash=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    chosen = parser.parse_args()
    # The pictures must not depend on, nor change, the settings of whoever makes them.
    os.environ["NAPARI_CONFIG"] = ""
    take_all(Photographer(chosen.out, chosen.theme))


def take_all(photo: Photographer) -> None:
    from qtpy.QtWidgets import QFileDialog

    bench = photo.bench
    photo.take("workbench-0-empty")
    bench.open_sample(SAMPLE)
    photo.until(lambda: photo.case is not None)
    photo.take("workbench-1-open")
    photo.click(bench.understand.action, lambda: photo.case.understanding is not None)
    photo.take("workbench-2-understand")
    photo.click(bench.enhance.action, lambda: photo.case.enhancement is not None)
    photo.take("workbench-3-enhance")
    photo.click(bench.judge.action, lambda: photo.case.judgement is not None)
    photo.take("workbench-4-judge")
    with tempfile.TemporaryDirectory(prefix="sol-0766-") as folder:
        path = Path(folder) / f"{photo.case.stem}_enhanced.tif"
        with patch.object(QFileDialog, "getSaveFileName", lambda *_: (str(path), "")):
            photo.click(bench.export.action, lambda: photo.case.exported is not None)
        photo.take("workbench-5-export")
    photo.click(bench.judge.compare)
    photo.take("workbench-compare")
    photo.click(bench.judge.compare)
    photo.case.layers["gain"].visible = False
    bench.inspect(*INSPECTED)
    photo.take("workbench-inspector")
    photo.viewer.close()


if __name__ == "__main__":
    main()
