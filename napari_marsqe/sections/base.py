"""What all sections of the workbench share: a heading with the step's button, a summary in words, and options."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_marsqe.session import Session


class Section(QFrame):
    """One step: its button is always in reach, its options fold away.

    Attributes
    ----------
    action : QPushButton
        Starts the step.
    options : QFormLayout
        What can be chosen; folded with the arrow in the heading.
    """

    requested = Signal()

    def __init__(self, title: str, action: str, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("marsqeSection")
        self.header = QToolButton()
        self.header.setObjectName("marsqeHeader")
        self.header.setText(title)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setCheckable(True)
        self.header.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.header.setToolTip(f"Show or hide the options of “{title.lstrip('1234567890 ')}”.")
        self.header.toggled.connect(self._fold)

        self.action = QPushButton(action)
        self.action.setToolTip(tooltip)
        self.action.setMinimumWidth(96)
        self.action.clicked.connect(self.requested)

        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.summary.setTextFormat(Qt.TextFormat.RichText)
        self.summary.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.summary.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

        self.body = QWidget()
        self.options = QFormLayout(self.body)
        self.options.setContentsMargins(18, 2, 0, 4)
        self.options.setVerticalSpacing(4)
        self.options.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)

        heading = QHBoxLayout()
        heading.addWidget(self.header, 1)
        heading.addWidget(self.action)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 5, 4, 7)
        layout.setSpacing(4)
        layout.addLayout(heading)
        layout.addWidget(self.summary)
        layout.addWidget(self.body)
        self.unfold(False)

    def unfold(self, show: bool = True) -> None:
        """Show or hide the options."""
        self.header.setChecked(show)
        self._fold(show)

    def fix(self) -> None:
        """Without options there is nothing to fold: a heading only."""
        self.unfold(False)
        self.header.setArrowType(Qt.ArrowType.NoArrow)
        self.header.setCheckable(False)
        self.header.setToolTip(self.action.toolTip())
        self.header.setEnabled(False)

    def say(self, text: str, kind: str = "Result") -> None:
        """Write the summary. Kinds: "Result", "Hint" (what to do next), "Error"."""
        self.summary.setObjectName(f"marsqe{kind}")
        self.summary.setText(text)
        _restyle(self.summary)

    def mark_next(self, is_next: bool) -> None:
        """Make the button stand out as the one to press next."""
        self.action.setObjectName("marsqeNext" if is_next else "")
        _restyle(self.action)

    def refresh(self, session: Session, busy: bool) -> None:
        """Show the state of the session's case. Sections override it."""

    def _fold(self, show: bool) -> None:
        self.header.setArrowType(Qt.ArrowType.DownArrow if show else Qt.ArrowType.RightArrow)
        self.body.setVisible(show)


def _restyle(widget: Any) -> None:
    # Qt applies rules for an object name only when the widget is polished again.
    widget.style().unpolish(widget)
    widget.style().polish(widget)
