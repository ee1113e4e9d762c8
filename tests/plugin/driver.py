"""Somebody in front of the workbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

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
