"""The magnifier: the ground under the mouse in every image at hand, pixel for pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRect, Qt, QTimer
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from marsqe.colour import as_8bit, as_rgb
from napari_marsqe.labels import Words
from napari_marsqe.session import Session
from napari_marsqe.views.hand import ENHANCED, NAMES, at_hand

if TYPE_CHECKING:
    from napari_marsqe.workbench import Workbench

SCALES: Final = (1, 4)
SIDE: Final = 68
"""Screen pixels; four beside each other fit a narrow dock. Larger docks get larger ones."""
LARGEST: Final = 160
INTERVAL: Final = 16
"""Milliseconds between two looks, however fast the mouse is."""
OPEN = "Open an image, then move the mouse over it."
MOVE = "Move the mouse over the image: the ground beneath it is shown here in every layer."
ENHANCE = "Enhance the image to see both beside each other."


class Loupe(QWidget):
    """A square piece of an image, drawn without smoothing, its middle pixel marked."""

    def __init__(self, scale: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scale = scale
        self.picture: QImage | None = None
        self._bytes = b""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(40)
        self.setFixedHeight(SIDE)

    @property
    def pixels(self) -> int:
        """Image pixels a side; an odd number, so that there is one in the middle."""
        return -(-self.height() // self.scale) | 1

    def look(self, pixels: NDArray[Any], row: int, column: int, full_scale: int) -> None:
        """Show the surroundings of a pixel; what lies beside the image stays transparent."""
        part = cut(pixels, row, column, self.pixels, full_scale)
        self._bytes = part.tobytes()
        side = part.shape[0]
        self.picture = QImage(self._bytes, side, side, 4 * side, QImage.Format.Format_RGBA8888)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Draw the piece around the middle of the widget."""
        if self.picture is None:
            return
        painter = QPainter(self)
        side = self.pixels * self.scale
        target = QRect((self.width() - side) // 2, (self.height() - side) // 2, side, side)
        painter.setClipRect(QRect((self.width() - self.height()) // 2, 0, self.height(), self.height()))
        painter.drawImage(target, self.picture)
        middle = self.pixels // 2 * self.scale
        painter.setPen(QPen(QColor("#ff5fb0")))
        painter.drawRect(target.x() + middle - 1, target.y() + middle - 1, self.scale + 1, self.scale + 1)
        painter.end()


class Magnifier(QWidget):
    """Columns of compressed, enhanced, truth and reference; rows of 1:1 and 4:1."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._viewer = bench, bench.viewer
        self._position: Any = None
        self.captions = {name: QLabel(name) for name in NAMES}
        self.loupes = {name: [Loupe(scale) for scale in SCALES] for name in NAMES}
        self.words = Words()
        self._grid = QWidget()
        grid = QGridLayout(self._grid)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for row, scale in enumerate(SCALES, 1):
            label = QLabel(f"{scale}:1")
            label.setToolTip(f"One pixel of the image as {scale} × {scale} of the screen.")
            grid.addWidget(label, row, 0)
        for column, name in enumerate(NAMES, 1):
            self.captions[name].setAlignment(Qt.AlignmentFlag.AlignHCenter)
            self.captions[name].setMinimumWidth(0)
            self.captions[name].setStyleSheet("font-size: 8pt;")
            grid.addWidget(self.captions[name], 0, column)
            grid.setColumnStretch(column, 1)
            for row, loupe in enumerate(self.loupes[name], 1):
                grid.addWidget(loupe, row, column)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._grid)
        layout.addWidget(self.words)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(INTERVAL)
        self._timer.timeout.connect(self.look)
        self._viewer.mouse_move_callbacks.append(self._on_move)
        self.refresh(bench.session, False)

    def refresh(self, session: Session, busy: bool) -> None:
        """Show the columns that there are; the patch stays where the mouse was last."""
        shown = at_hand(session.case)
        if not shown:
            self._position = None
        self._grid.setVisible(self._position is not None)
        for column, name in enumerate(NAMES, 1):
            for widget in (self.captions[name], *self.loupes[name]):
                widget.setVisible(name in shown)
            layout = self._grid.layout()
            assert isinstance(layout, QGridLayout)
            layout.setColumnStretch(column, int(name in shown))
        self._fit(len(shown))
        if self._position is None:
            hint = MOVE if shown else OPEN
            self.words.say(f"{hint} {ENHANCE}" if shown and ENHANCED not in shown else hint, "Hint")
        else:
            self.look()

    def look(self) -> None:
        """Show what lies under the mouse; where that is no ground the last look stays."""
        case = self._bench.session.case
        if case is None or self._position is None:
            return
        row, column = (round(float(x)) for x in np.asarray(case.source.world_to_data(self._position))[-2:])
        if not (0 <= row < case.image.shape[0] and 0 <= column < case.image.shape[1]):
            return
        values = []
        for name, layer in at_hand(case).items():
            for loupe in self.loupes[name]:
                loupe.look(layer.data, row, column, case.image.full_scale)
            number = np.atleast_1d(layer.data[row, column])[:3]
            values.append(f"{name}&nbsp;{'&nbsp;'.join(map(str, number.tolist()))}")
        self._grid.show()
        self.words.say(f"Row {row}, column {column} in DN: {', '.join(values)}")

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        if self._on_move in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_move)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Use the width that there is."""
        super().resizeEvent(event)
        self._fit(len(at_hand(self._bench.session.case)))

    def _fit(self, columns: int) -> None:
        side = min(LARGEST, max(SIDE, (self.width() - 34) // max(1, columns) - 4))
        for loupes in self.loupes.values():
            for loupe in loupes:
                loupe.setFixedHeight(side)

    def _on_move(self, viewer: Any, event: Any) -> None:
        if self.isVisible():
            self._position = tuple(event.position)
            if not self._timer.isActive():
                self._timer.start()


def cut(pixels: NDArray[Any], row: int, column: int, side: int, full_scale: int) -> NDArray[np.uint8]:
    """A square around a pixel as (side, side, 4) of uint8, transparent beside the image."""
    top, left = row - side // 2, column - side // 2
    inside = pixels[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0), ...]
    found = np.zeros((side, side, 4), np.uint8)
    y, x = max(-top, 0), max(-left, 0)
    place = found[y : y + inside.shape[0], x : x + inside.shape[1]]
    place[..., :3] = as_rgb(as_8bit(inside[..., :3] if inside.ndim == 3 else inside, full_scale))
    place[..., 3] = 255
    return found
