"""A label for running text in a narrow dock."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QLabel, QSizePolicy, QWidget

KINDS = ("Result", "Hint", "Warning", "Error")


class Words(QLabel):
    """Rich text that wraps, and asks for exactly the height that it needs at its width.

    Qt's own label guesses that height for another width, which leaves gaps in a scrolling column.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    def say(self, text: str, kind: str = "Result") -> None:
        """Show a text as one of ``KINDS``: what was found, what to do next, what to know first, what went wrong."""
        self.setObjectName(f"marsqe{kind}")
        self.setText(text)
        restyle(self)
        self.updateGeometry()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """Narrow, and as high as the text is at the present width."""
        return QSize(40, self.heightForWidth(max(40, self.width())))

    def sizeHint(self) -> QSize:  # noqa: N802
        """As :meth:`minimumSizeHint`."""
        return self.minimumSizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Another width needs another height."""
        super().resizeEvent(event)
        self.updateGeometry()


def restyle(widget: QWidget) -> None:
    """Apply the style rules of a changed object name, which Qt does only when a widget is polished again."""
    style = widget.style()
    if style is not None:
        style.unpolish(widget)
        style.polish(widget)
