"""The references that a tile could have: those of its class, the most alike first, each a button."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QHBoxLayout, QToolButton, QWidget

from marsqe.results import Matches
from napari_marsqe.views.pictures import to_pixmap

SIDE = 38
_INDEX = "marsqeIndex"
MOST = 6
"""Buttons that fit beside each other in a narrow dock."""


class References(QWidget):
    """Buttons with the best references of a tile's class and their divergences."""

    chosen = Signal(int)
    """Index of the reference that was clicked, within the class."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons = [self._button() for _ in range(MOST)]
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for button in self.buttons:
            layout.addWidget(button)
        layout.addStretch(1)

    def offer(self, matches: Matches, row: int, column: int, patches: Sequence[NDArray[Any]]) -> None:
        """Show the references of a tile's class; the one in use is pressed.

        Parameters
        ----------
        matches : Matches
        row, column : int
            The tile.
        patches : sequence of ndarray of uint8, shape (128, 128) or (128, 128, 3)
            All of its class.
        """
        divergences = matches.candidates[row, column][: len(patches)]
        order = [int(index) for index in np.argsort(divergences, kind="stable")]
        for button in self.buttons:
            button.hide()
        for button, index in zip(self.buttons, order, strict=False):
            self._fill(button, index, float(divergences[index]), patches[index])
            button.setChecked(index == int(matches.references[row, column]))

    def _fill(self, button: QToolButton, index: int, divergence: float, patch: NDArray[Any]) -> None:
        button.setIcon(QIcon(to_pixmap(patch, side=SIDE)))
        button.setText(f"{divergence:.2f}")
        button.setToolTip(f"Use reference {index + 1}, whose divergence from this tile is {divergence:.3f}.")
        button.setProperty(_INDEX, index)
        button.show()

    def _button(self) -> QToolButton:
        button = QToolButton()
        button.setObjectName("marsqeReference")
        button.setCheckable(True)
        button.setIconSize(QSize(SIDE, SIDE))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setFixedSize(SIDE + 8, SIDE + 24)
        button.clicked.connect(partial(self._choose, button))
        return button

    def _choose(self, button: QToolButton, _checked: bool = False) -> None:
        # What the button says, for PySide6 calls a partial without the signal's value.
        button.setChecked(not button.isChecked())  # it stays pressed once the reference is in use
        self.chosen.emit(int(button.property(_INDEX)))
