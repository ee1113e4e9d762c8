"""Step 5: the result as a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_marsqe import work
from napari_marsqe.jobs import Task
from napari_marsqe.sections.base import Section
from napari_marsqe.session import Case, Session
from napari_marsqe.wording import escape

KEY = "export"
HINT = "Writes a TIFF with the image's depth and size, and a record of how it was made."


class ExportSection(Section):
    """Save the newest enhancement as TIFF."""

    path_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        tooltip = "Save the enhanced image as a TIFF that also holds its source, model and settings."
        super().__init__("5  Export", "Export…", tooltip, parent)
        self._suggestion = Path("enhanced.tif")
        self.requested.connect(self._ask)

    def task(self, session: Session, case: Case, path: Path) -> Task:
        """Write the case's enhancement."""
        enhancement = case.enhancement
        assert enhancement is not None

        def apply(written: Path) -> None:
            from napari.utils.notifications import show_info

            if case.enhancement is enhancement:
                case.exported = written
            show_info(f"Saved {written.name} in {written.parent}")
            session.changed.emit()

        return Task(KEY, "Exporting", partial(work.export, enhancement, path), apply, owner=case)

    def refresh(self, session: Session, busy: bool) -> None:
        """Say where the file went."""
        case = session.case
        ready = case is not None and case.enhancement is not None
        self.action.setEnabled(ready and not busy)
        if case is None or case.enhancement is None:
            self.say("Enhance an image first.", "Hint")
            return
        source = case.image.path
        self._suggestion = (source.parent if source is not None else Path.home()) / f"{case.stem}_enhanced.tif"
        written = case.exported
        if written is None:
            self.say(HINT, "Hint")
        else:
            self.say(f"Saved as <b>{escape(written.name)}</b> in<br>{escape(str(written.parent))}")

    def _ask(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export the enhanced image", str(self._suggestion), "TIFF (*.tif *.tiff)"
        )
        if path:
            chosen = Path(path)
            self.path_chosen.emit(chosen if chosen.suffix else chosen.with_suffix(".tif"))
