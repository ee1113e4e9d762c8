"""The scrolling column of a narrow dock."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


class Column(QScrollArea):
    """Widgets below each other, scrolled up and down but never sideways."""

    def __init__(self, widgets: Iterable[QWidget], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._inner = QWidget()
        layout = QVBoxLayout(self._inner)
        layout.setContentsMargins(2, 0, 6, 0)
        layout.setSpacing(0)
        for widget in widgets:
            layout.addWidget(widget)
        layout.addStretch(1)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(self._inner)
        # Qt lays the column out for the width without a scroll bar, and leaves it so when the bar appears.
        bar = self.verticalScrollBar()
        assert bar is not None
        bar.rangeChanged.connect(self._lay_out_again)

    def reveal(self, widget: QWidget) -> None:
        """Scroll to a widget, once what it has just been filled with is laid out."""
        QTimer.singleShot(0, lambda: self.ensureWidgetVisible(widget))

    def _lay_out_again(self) -> None:
        QTimer.singleShot(0, self._inner.updateGeometry)
