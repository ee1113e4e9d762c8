"""The strip at the foot of the workbench: what is at work, how far, how long still, and Cancel."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from marsqe.progress import Progress
from napari_marsqe.jobs import Task
from napari_marsqe.wording import time_left


class ProgressStrip(QFrame):
    """Shows a running job; hidden while there is none."""

    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("marsqeProgress")
        self.step = QLabel()
        self.left = QLabel()
        self.left.setObjectName("marsqeHint")
        self.bar = QProgressBar()
        self.bar.setTextVisible(True)
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop at the next tile; all layers stay as they are.")
        self.cancel.clicked.connect(self._on_cancel)
        words = QHBoxLayout()
        words.addWidget(self.step, 1)
        words.addWidget(self.left)
        row = QHBoxLayout()
        row.addWidget(self.bar, 1)
        row.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(2)
        layout.addLayout(words)
        layout.addLayout(row)
        self.hide()

    def start(self, task: Task) -> None:
        """Show a task that begins."""
        self.step.setText(f"{task.title}…")
        self.left.clear()
        self.bar.setRange(0, 0)
        self.cancel.setEnabled(True)
        self.cancel.setText("Cancel")
        self.show()

    def show_progress(self, progress: Progress, left: float | None) -> None:
        """Show how far the task is."""
        self.step.setText(progress.step)
        self.left.setText(time_left(left))
        # One part has no middle: a moving bar tells more than an empty one.
        self.bar.setRange(0, progress.total if progress.total > 1 else 0)
        self.bar.setValue(progress.done)

    def _on_cancel(self) -> None:
        self.cancel.setEnabled(False)
        self.cancel.setText("Stopping…")
        self.cancel_requested.emit()
