"""A widget onto which files can be dropped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QWidget


class DropTarget(QWidget):
    """Takes files and tells them one after another."""

    file_dropped = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAcceptDrops(True)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Take files that are dragged over the widget."""
        data = event.mimeData()
        if data is not None and dropped_paths(data.urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Tell the dropped files."""
        data = event.mimeData()
        for path in dropped_paths(data.urls()) if data is not None else []:
            self.file_dropped.emit(path)
        event.acceptProposedAction()


def dropped_paths(urls: Iterable[Any]) -> list[Path]:
    """Local files among dropped URLs."""
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
