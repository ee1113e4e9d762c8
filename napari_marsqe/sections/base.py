"""What all sections of the workbench share: a heading with the step's button, a summary in words, and options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_marsqe.labels import Words, restyle
from napari_marsqe.session import Session


class Fold(QPushButton):
    """A heading that shows and hides what is below it."""

    def __init__(self, title: str, body: QWidget, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("marsqeFold")
        self.setCheckable(True)
        self.setToolTip(tooltip)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._title, self._body = title, body
        self.toggled.connect(self._show)
        self._show(False)

    def _show(self, on: bool) -> None:
        self.setText(f"{'▾' if on else '▸'}  {self._title}")
        self._body.setVisible(on)


@dataclass(frozen=True)
class Remedy:
    """A button that does what helps after something went wrong."""

    text: str
    tooltip: str
    do: Callable[[], None]


class Section(QFrame):
    """One step: its button is always in reach, its options, if it has any, fold away.

    Attributes
    ----------
    action : QPushButton
        Starts the step.
    summary : Words
        What the step found, or what to do next.
    options : QFormLayout
        What can be chosen; call :meth:`offer_options` when it is filled.
    """

    requested = Signal()

    def __init__(self, title: str, action: str, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("marsqeSection")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._title = title
        self.action = QPushButton(action)
        self.action.setToolTip(tooltip)
        self.action.setMinimumWidth(100)
        self.action.clicked.connect(self.requested)
        self.summary = Words()
        self.remedy = QPushButton()
        self.remedy.hide()
        self.remedy.clicked.connect(self._on_remedy)
        self._do: Callable[[], None] | None = None
        self.body = QWidget()
        self.options = form(self.body)
        self.heading = Fold(title, self.body, f"Show or hide the options of “{title.lstrip('12345 ')}”.")
        self.heading.setEnabled(False)
        self.heading.setText(title)
        self.heading.setToolTip(tooltip)

        row = QHBoxLayout()
        row.addWidget(self.heading, 1)
        row.addWidget(self.action)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(4, 5, 4, 7)
        self.column.setSpacing(4)
        self.column.addLayout(row)
        self.column.addWidget(self.summary)
        self.column.addWidget(self.remedy)
        self.column.addWidget(self.body)

    def offer_options(self, *, shown: bool) -> None:
        """Let the heading fold and unfold the options."""
        self.heading.setEnabled(True)
        self.heading.setToolTip(f"Show or hide the options of “{self._title.lstrip('12345 ')}”.")
        self.heading.toggled.emit(shown)
        self.heading.setChecked(shown)

    def say(self, text: str, kind: str = "Result") -> None:
        """Write the summary; see :meth:`Words.say`."""
        self.summary.say(text, kind)

    def offer(self, remedy: Remedy | None) -> None:
        """Show a button that helps after what the summary says, or none."""
        self._do = remedy.do if remedy is not None else None
        self.remedy.setVisible(remedy is not None)
        if remedy is not None:
            self.remedy.setText(remedy.text)
            self.remedy.setToolTip(remedy.tooltip)

    def _on_remedy(self) -> None:
        if self._do is not None:
            self._do()

    def mark_next(self, is_next: bool) -> None:
        """Make the button stand out as the one to press next."""
        self.action.setObjectName("marsqeNext" if is_next else "")
        restyle(self.action)

    def refresh(self, session: Session, busy: bool) -> None:
        """Show the state of the session's case. Sections override it."""


def form(parent: QWidget) -> QFormLayout:
    """A form layout, indented below a heading."""
    layout = QFormLayout(parent)
    layout.setContentsMargins(14, 2, 0, 4)
    layout.setVerticalSpacing(4)
    layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return layout
