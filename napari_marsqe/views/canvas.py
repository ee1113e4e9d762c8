"""The viewer's canvas: all that reaches past napari's public interface, in one place.

Where a viewer has no window there is no canvas, and everything here does nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QLabel, QWidget

_CHIP = "background: rgba(0, 0, 0, 170); color: white; border-radius: 3px; padding: 2px 6px;"
_LINE = "background: white; border: none;"


def native(viewer: Any) -> QWidget | None:
    """The widget on which napari draws."""
    window = getattr(viewer, "window", None)
    return None if window is None else window._qt_viewer.canvas.native


def node_of(viewer: Any, layer: Any) -> Any | None:
    """What draws a layer."""
    window = getattr(viewer, "window", None)
    drawn = None if window is None else window._qt_viewer.canvas.layer_to_visual.get(layer)
    return None if drawn is None else drawn.node


@contextmanager
def steady(viewer: Any) -> Iterator[None]:
    """Keep the camera where it is while layers are added: somebody is looking at something."""
    camera = viewer.scene.camera
    centre, zoom = camera.center, camera.zoom
    yield
    camera.center, camera.zoom = centre, zoom


class HalfCut:
    """Draws one side only of an image layer, by a plane in the graphics pipeline: its data are not touched."""

    def __init__(self, viewer: Any, layer: Any) -> None:
        self._node = node_of(viewer, layer)
        if self._node is None:
            return
        from vispy.visuals.filters.clipping_planes import PlanesClipper

        self._clipper = PlanesClipper(coord_system="visual")
        self._node.attach(self._clipper)

    def keep(self, column: float, side: int) -> None:
        """Draw what lies right (side 1) or left (-1) of a column; column 0 is the middle of the first pixel."""
        if self._node is not None:
            self._clipper.clipping_planes = np.array([[[column + 0.5, 0.0, 0.0], [float(side), 0.0, 0.0]]])
            self._node.update()

    def undo(self) -> None:
        """Draw all of the layer again."""
        if self._node is not None:
            self._node.detach(self._clipper)
            self._node.update()


class Signs:
    """Words that lie on the canvas and a vertical line; the mouse goes through them."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._canvas = native(viewer)
        self.line = QFrame(self._canvas)
        self.line.setStyleSheet(_LINE)
        self.left, self.right = QLabel(self._canvas), QLabel(self._canvas)
        for widget in self._all():
            widget.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            widget.hide()
        for label in (self.left, self.right):
            label.setStyleSheet(_CHIP)

    def say(self, text: str) -> None:
        """Show a word in the upper left corner."""
        if self._canvas is not None:
            self._put(self.left, text, 8)

    def divide(self, world_x: float, left: str, right: str) -> None:
        """Draw the line at a place of the world, with a word on either side."""
        if self._canvas is None:
            return
        camera = self._viewer.scene.camera
        x = round((world_x - float(camera.center[-1])) * float(camera.zoom) + self._canvas.width() / 2)
        self.line.setGeometry(x - 1, 0, 2, self._canvas.height())
        self.line.show()
        self._put(self.left, left, None, x - 8)
        self._put(self.right, right, x + 8)

    def remove(self) -> None:
        """Take everything off the canvas, which may have gone already."""
        for widget in self._all():
            try:
                widget.hide()
                widget.deleteLater()
            except RuntimeError:  # destroyed with the canvas
                continue

    def _all(self) -> tuple[QWidget, ...]:
        return self.line, self.left, self.right

    @staticmethod
    def _put(label: QLabel, text: str, left: int | None, right: int = 0) -> None:
        label.setText(text)
        label.adjustSize()
        label.move(right - label.width() if left is None else left, 8)
        label.show()
        label.raise_()
