"""A camera that flies to a place instead of jumping there, so that nobody gets lost."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEasingCurve, QObject, QVariantAnimation

DURATION = 350
"""Milliseconds."""


class Flight(QObject):
    """Moves a viewer's camera smoothly; a new flight begins where the last one is."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._camera = viewer.scene.camera
        self._from: tuple[float, ...] = ()
        self._to: tuple[float, ...] = ()
        self._last: tuple[float, ...] = ()
        self._animation = QVariantAnimation(self)
        self._animation.setDuration(DURATION)
        self._animation.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.valueChanged.connect(self._on_value)

    def to(self, row: float, column: float, zoom: float) -> None:
        """Fly to a place of the world at a zoom."""
        self._animation.stop()
        self._from = (*self._camera.center[-2:], self._camera.zoom)
        self._to = (row, column, zoom)
        self._last = self._from
        self._animation.start()

    def _on_value(self, share: float) -> None:
        if (*self._camera.center[-2:], self._camera.zoom) != self._last:
            self._animation.stop()  # somebody else moved the camera: it is theirs
            return
        row, column = (a + (b - a) * share for a, b in zip(self._from[:2], self._to[:2], strict=True))
        # Zoom is a factor: equal steps for the eye are equal ratios.
        self._camera.zoom = self._from[2] * (self._to[2] / self._from[2]) ** share
        self._camera.center = (*self._camera.center[:-2], row, column)
        self._last = (*self._camera.center[-2:], self._camera.zoom)
