"""Combo boxes of the sections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget


class Choice(QComboBox):
    """A combo box of named values that shrinks with the dock.

    Parameters
    ----------
    items : sequence of (str, object)
        Text and value.
    """

    chosen = Signal(object)
    """The user chose this value."""

    def __init__(self, items: Sequence[tuple[str, Any]] = (), tooltip: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: list[Any] = []
        self.setToolTip(tooltip)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_items(items)
        self.activated.connect(self._on_activated)

    @property
    def value(self) -> Any:
        """The chosen value, None where there is nothing to choose."""
        index = self.currentIndex()
        return self._values[index] if 0 <= index < len(self._values) else None

    @property
    def values(self) -> list[Any]:
        """All values."""
        return list(self._values)

    def set_items(self, items: Iterable[tuple[str, Any]]) -> None:
        """Offer other items; the chosen value stays chosen if it is among them. Emits nothing."""
        before = self.value
        with QSignalBlocker(self):
            self.clear()
            self._values = []
            for text, value in items:
                self._values.append(value)
                self.addItem(text)
            self.set_value(before)

    def set_value(self, value: Any) -> None:
        """Choose a value by identity or equality; the first item if it is not offered. Emits nothing."""
        index = next((i for i, v in enumerate(self._values) if v is value), None)
        if index is None:
            index = next((i for i, v in enumerate(self._values) if isinstance(v, str) and v == value), 0)
        with QSignalBlocker(self):
            self.setCurrentIndex(index if self._values else -1)

    def _on_activated(self, index: int) -> None:
        self.chosen.emit(self.value)


class LayerChoice(Choice):
    """A combo box of layers. Layers are known by identity, so renaming one changes the text only.

    Parameters
    ----------
    fits : callable
        Which layers are offered.
    nothing : str
        Text of the item that stands for no layer.
    """

    def __init__(
        self, fits: Callable[[Any], bool], nothing: str, tooltip: str = "", parent: QWidget | None = None
    ) -> None:
        self._fits, self._nothing = fits, nothing
        super().__init__([(nothing, None)], tooltip, parent)

    def refresh(self, layers: Iterable[Any]) -> None:
        """Offer the layers of the list that fit, the topmost first."""
        offered = [(layer.name, layer) for layer in reversed(list(layers)) if self._fits(layer)]
        self.set_items([(self._nothing, None), *offered])
