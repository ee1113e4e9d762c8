"""The scrolling column of a narrow dock."""

from __future__ import annotations

from collections.abc import Callable, Iterable

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
        # Timers of our own, which end with us: what is put off must not reach a widget that has gone meanwhile.
        self._revealed: QWidget | None = None
        self._reveal, self._again = (self._put_off(slot) for slot in (self._show_revealed, self._inner.updateGeometry))
        bar.rangeChanged.connect(self._lay_out_again)

    def reveal(self, widget: QWidget) -> None:
        """Scroll to a widget, once what it has just been filled with is laid out."""
        self._revealed = widget
        self._reveal.start()

    def _lay_out_again(self, _least: int, _most: int) -> None:
        # The numbers are the bar's range, not the milliseconds that a timer's start takes.
        self._again.start()

    def _put_off(self, slot: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(slot)
        return timer

    def _show_revealed(self) -> None:
        if self._revealed is not None:
            self.ensureWidgetVisible(self._revealed)
