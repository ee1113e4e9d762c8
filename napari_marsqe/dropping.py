"""Files that are dropped: on the workbench, and, while it is open, on napari's canvas."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from qtpy.QtWidgets import QWidget

from napari_marsqe.reader import SUFFIXES
from napari_marsqe.saving.folder import SUFFIX

TAKEN = (*(suffix for suffix in SUFFIXES if suffix not in (".tif", ".tiff")), SUFFIX)
"""What is taken from the canvas. napari opens a JPEG without the facts of its compression; a TIFF may be its stack."""


class DropTarget(QWidget):
    """Takes files and tells them together."""

    files_dropped = Signal(object)
    """Paths, in the order in which they were dropped."""

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
        paths = dropped_paths(data.urls()) if data is not None else []
        if paths:
            self.files_dropped.emit(paths)
        event.acceptProposedAction()


class CanvasDrops(QObject):
    """Takes rover files that are dropped on napari's canvas, and leaves everything else to napari.

    A drop with a modifier key is napari's, too: with Shift it opens a stack, with Alt it asks for a reader.
    """

    files_dropped = Signal(object)

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # A bare model in a test has no canvas. Before the first layer the welcome screen lies over it.
        canvas = getattr(getattr(viewer, "window", None), "_qt_viewer", None)
        for widget in (canvas, getattr(canvas, "_welcome_widget", None)):
            if widget is not None:
                widget.installEventFilter(self)

    def disconnect_viewer(self) -> None:
        """Nothing to do: Qt forgets a filter that has gone."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Take a drop if all of it is ours."""
        if event.type() != QEvent.Type.Drop or not isinstance(event, QDropEvent):
            return False
        data = event.mimeData()
        urls = data.urls() if data is not None else []
        paths = dropped_paths(urls)
        ours = bool(paths) and len(paths) == len(urls) and all(path.suffix.lower() in TAKEN for path in paths)
        if not ours or event.modifiers() != Qt.KeyboardModifier.NoModifier:
            return False
        event.acceptProposedAction()
        leave = getattr(watched, "dragLeaveEvent", None)
        if leave is not None:
            leave(QDragLeaveEvent())  # ends the highlight that the drag began
        self.files_dropped.emit(paths)
        return True


def dropped_paths(urls: Iterable[Any]) -> list[Path]:
    """Local files among dropped URLs."""
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
