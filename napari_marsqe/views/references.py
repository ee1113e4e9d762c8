"""The references that a tile could have: those of its class, the most alike first, each a button."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QGridLayout, QToolButton, QWidget

from napari_marsqe.labels import restyle
from napari_marsqe.views.pictures import to_pixmap
from napari_marsqe.wording import describe_own

if TYPE_CHECKING:
    from marsqe.matching import Candidate, Dictionary

SIDE = 38
_INDEX, _FORBIDDEN = "marsqeIndex", "marsqeForbidden"
COLUMNS = 6
"""Buttons that fit beside each other in a narrow dock."""
MOST = 3 * COLUMNS


class References(QWidget):
    """Buttons with the best references of a tile's class and their divergences."""

    chosen = Signal(int)
    """Index of the reference that was clicked, within the class."""
    allowed = Signal(int)
    """Index of a forbidden reference that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._all: list[QToolButton] = []
        self.buttons: list[QToolButton] = []
        """Those that are shown, the most alike first."""
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(3)
        self._grid.setColumnStretch(COLUMNS, 1)

    def offer(self, candidates: Sequence[Candidate], dictionary: Dictionary, patches: Sequence[NDArray[Any]]) -> None:
        """Show the references of a tile's class, at most ``MOST`` and the one in use among them, which is pressed.

        Parameters
        ----------
        candidates : sequence of Candidate
            All of its class, the most alike first.
        dictionary : Dictionary
            That they count in.
        patches : sequence of ndarray of uint8, shape (128, 128) or (128, 128, 3)
            All of its class.
        """
        shown = [c for place, c in enumerate(candidates) if place < MOST or c.chosen]
        while len(self._all) < len(shown):
            self._all.append(self._button(len(self._all)))
        self.buttons = self._all[: len(shown)]
        for button in self._all[len(shown) :]:
            button.hide()
        for button, candidate in zip(self.buttons, shown, strict=True):
            self._fill(button, candidate, dictionary, patches[candidate.index])

    def _fill(self, button: QToolButton, c: Candidate, dictionary: Dictionary, patch: NDArray[Any]) -> None:
        from marsqe.matching import OwnEntry

        entry = dictionary.entry(c.label, c.index)
        own = isinstance(entry, OwnEntry)
        button.setIcon(QIcon(to_pixmap(patch, side=SIDE)))
        button.setText(f"{'★' if own else ''}{'✕' if c.forbidden else ''}{c.divergence:.2f}")
        use = "Forbidden for this image; click to allow it again." if c.forbidden else f"Use reference {c.index + 1}"
        text = use if c.forbidden else f"{use}, whose divergence from this tile is {c.divergence:.3f}."
        button.setToolTip(f"{text}<br>{describe_own(entry)}" if isinstance(entry, OwnEntry) else text)
        button.setProperty(_INDEX, c.index)
        button.setProperty(_FORBIDDEN, c.forbidden)
        button.setObjectName("marsqeForbidden" if c.forbidden else "marsqeReference")
        restyle(button)
        button.setChecked(c.chosen)
        button.show()

    def _button(self, place: int) -> QToolButton:
        button = QToolButton()
        button.setCheckable(True)
        button.setIconSize(QSize(SIDE, SIDE))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setFixedSize(SIDE + 8, SIDE + 24)
        button.clicked.connect(partial(self._choose, button))
        self._grid.addWidget(button, place // COLUMNS, place % COLUMNS)
        return button

    def _choose(self, button: QToolButton, _checked: bool = False) -> None:
        # What the button says, for PySide6 calls a partial without the signal's value.
        button.setChecked(not button.isChecked())  # it stays pressed once the reference is in use
        signal = self.allowed if button.property(_FORBIDDEN) else self.chosen
        signal.emit(int(button.property(_INDEX)))
