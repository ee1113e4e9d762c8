"""The table of a batch: each file with what has become of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

WORDS: Final = {
    "waiting": "waiting",
    "reading": "reading…",
    "enhancing": "enhancing…",
    "writing": "writing…",
    "done": "done",
    "kept": "done before",
    "judged": "done before",
    "failed": "failed",
}
"""What the table says of a stage."""

FINISHED: Final = ("done", "kept", "judged")


class BatchTable(QTableWidget):
    """Files by the names of their results, and their states."""

    opened = Signal(str)
    """A finished result, by its name, was double-clicked."""
    asked = Signal(str, str)
    """A file that has a problem was selected: its name, and the problem."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, 2, parent)
        self.setHorizontalHeaderLabels(["File", "State"])
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setMinimumHeight(150)
        self.setToolTip("Double-click a finished file to open its result, click a failed one to read why.")
        header: Any = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        side: Any = self.verticalHeader()
        side.hide()
        self._rows: dict[str, int] = {}
        self._stages: dict[str, str] = {}
        self.cellDoubleClicked.connect(self._on_double_clicked)
        self.currentCellChanged.connect(self._on_current)

    def list_files(self, files: Sequence[tuple[str, str]]) -> None:
        """Show files anew: the name of each result, and its source's path."""
        self.setRowCount(len(files))
        self._rows = {name: row for row, (name, _) in enumerate(files)}
        self._stages = {}
        for row, (name, source) in enumerate(files):
            item = QTableWidgetItem(source.replace("\\", "/").rpartition("/")[2])
            item.setToolTip(source)
            self.setItem(row, 0, item)
            self.setItem(row, 1, QTableWidgetItem())
            self.show_stage(name, "waiting")

    def show_stage(self, name: str, stage: str, problem: str | None = None) -> None:
        """Show what has become of a file, and why where it failed."""
        row = self._rows.get(name)
        item = None if row is None else self.item(row, 1)
        if item is None:
            return
        self._stages[name] = stage
        item.setText(WORDS.get(stage, stage))
        item.setToolTip(problem or "")
        if problem:
            self.scrollToItem(item)

    def stage(self, name: str) -> str | None:
        """The stage that is shown for a result."""
        return self._stages.get(name)

    def _on_current(self, row: int, *_: int) -> None:
        name, state = self.item(row, 0), self.item(row, 1)
        if name is not None and state is not None and state.toolTip():
            self.asked.emit(name.text(), state.toolTip())

    def _on_double_clicked(self, row: int, _column: int) -> None:
        name = next((name for name, at in self._rows.items() if at == row), None)
        if name is not None and self._stages.get(name) in FINISHED:
            self.opened.emit(name)
