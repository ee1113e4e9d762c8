"""An enhancement while it is at work: finished parts appear in a layer of their own, which becomes the result's."""

from __future__ import annotations

import time
from typing import Any

from qtpy.QtCore import QObject, QTimer

from marsqe.progress import Progress
from marsqe.results import Enhancement, Part
from napari_marsqe import layers as conventions
from napari_marsqe.session import Case, Session, enhanced_role

PAUSE = 120
"""Milliseconds between two paintings, at the least."""
SHARE = 8
"""How many times longer the main thread is free than it paints: large images are drawn less often."""


class Preview(QObject):
    """Shows the parts of one enhancement.

    Nothing is shown while layers are side by side, where another layer would take a box of its own, nor of work that
    has one part only. A layer that the user removes does not come back.
    """

    def __init__(self, session: Session, case: Case) -> None:
        super().__init__(session)
        self._session, self._case = session, case
        self._parts: list[Part] = []
        self._layer: Any = None
        self._pause = PAUSE
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._paint)

    def watch(self, progress: Progress) -> None:
        """Take the parts of a progress; they appear a moment later."""
        if progress.parts and progress.done < progress.total:
            self._parts += progress.parts
            if not self._timer.isActive():
                self._timer.start(self._pause)

    def finish(self, enhancement: Enhancement) -> Any:
        """Show the whole result, in the layer of the parts unless its model has one already. Returns the layer."""
        self._timer.stop()
        session, case, role = self._session, self._case, enhanced_role(enhancement.model)
        data = conventions.enhanced_layer(enhancement, case.stem, case.frame)
        painted = case.layers.pop(conventions.PREVIEW, None)
        if painted is not None and role in case.layers:
            session.viewer.layers.remove(painted)
        elif painted is not None:
            case.layers[role] = painted
            painted.name = data[1]["name"]
        self.deleteLater()
        return session.show(case, role, data)

    def abandon(self) -> None:
        """Take the parts away: all layers are as they were."""
        self._timer.stop()
        painted = self._case.layers.pop(conventions.PREVIEW, None)
        if painted is not None and painted in self._session.viewer.layers:
            self._session.viewer.layers.remove(painted)
        self.deleteLater()

    def _paint(self) -> None:
        session, case = self._session, self._case
        if session.case is not case or session.viewer.canvas.grid.enabled:
            return
        begun = time.perf_counter()
        if self._layer is None:
            image = case.image
            data = conventions.preview_layer(image.pixels.copy(), case.stem, case.frame, image.full_scale)
            self._layer = session.show(case, conventions.PREVIEW, data)
        elif case.layers.get(conventions.PREVIEW) is not self._layer:
            return
        layer: Any = self._layer
        for part in self._parts:
            r = part.region
            layer.data[r.y : r.y + r.height, r.x : r.x + r.width] = part.pixels
        self._parts.clear()
        layer.refresh(thumbnail=False, highlight=False, extent=False)
        self._pause = max(PAUSE, round(SHARE * 1000 * (time.perf_counter() - begun)))
