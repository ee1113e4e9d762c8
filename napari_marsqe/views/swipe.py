"""Two looks at one place: a divider that follows the mouse, and blinking between before and after."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_marsqe.session import Case
from napari_marsqe.views.canvas import HalfCut, Signs
from napari_marsqe.views.hand import COMPRESSED, ENHANCED, at_hand

PERIOD = 600
"""Milliseconds for which blinking shows each of the two."""


class Pair(QObject):
    """Shows the compressed and the enhanced layer of a case and nothing else, until it is stopped."""

    ended = Signal()

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.case: Case | None = None
        self.before: Any = None
        self.after: Any = None
        self._looks: dict[Any, tuple[bool, float]] = {}
        self._signs: Signs | None = None

    @property
    def is_active(self) -> bool:
        """Whether the two are shown."""
        return self.case is not None

    @property
    def is_current(self) -> bool:
        """Whether both layers are still those of the case and in the viewer."""
        shown = at_hand(self.case)
        pair = (shown.get(COMPRESSED), shown.get(ENHANCED))
        return pair == (self.before, self.after) and all(layer in self.viewer.layers for layer in pair)

    @property
    def signs(self) -> Signs:
        """What is written on the canvas."""
        assert self._signs is not None
        return self._signs

    def start(self, case: Case) -> bool:
        """Show the two layers of a case; False where there is no enhanced one."""
        shown = at_hand(case)
        if ENHANCED not in shown:
            return False
        self.case, self.before, self.after = case, shown[COMPRESSED], shown[ENHANCED]
        self._looks = {layer: (layer.visible, layer.opacity) for layer in self.viewer.layers}
        for layer in self.viewer.layers:
            layer.visible = layer in (self.before, self.after)
        self.before.opacity = self.after.opacity = 1.0
        self._signs = Signs(self.viewer)
        self.begin()
        return True

    def stop(self) -> None:
        """Show the layers as they were; those that came meanwhile stay as they are."""
        if not self.is_active:
            return
        self.end()
        self.signs.remove()
        for layer, (visible, opacity) in self._looks.items():
            if layer in self.viewer.layers:
                layer.visible, layer.opacity = visible, opacity
        self.case, self._looks, self._signs = None, {}, None
        self.before = self.after = None
        self.ended.emit()

    def begin(self) -> None:
        """What is particular to a look."""

    def end(self) -> None:
        """Undo :meth:`begin`."""

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        if self.is_active:
            self.end()
            self.signs.remove()
            self.case = None


class Swipe(Pair):
    """Compressed left of the mouse, enhanced right of it."""

    def begin(self) -> None:
        """Divide in the middle of what is visible, then where the mouse goes."""
        layers = self.viewer.layers
        # The upper one is cut, whichever it is: the order of the layers stays the user's.
        self._upper_is_after = layers.index(self.after) > layers.index(self.before)
        self._cut = HalfCut(self.viewer, self.after if self._upper_is_after else self.before)
        camera = self.viewer.scene.camera
        self.at = float(camera.center[-1])
        self.viewer.mouse_move_callbacks.append(self._on_move)
        for event in (camera.events.center, camera.events.zoom):
            event.connect(self._redraw)
        self._redraw()

    def end(self) -> None:
        """Draw both whole again."""
        camera = self.viewer.scene.camera
        for event in (camera.events.center, camera.events.zoom):
            event.disconnect(self._redraw)
        if self._on_move in self.viewer.mouse_move_callbacks:
            self.viewer.mouse_move_callbacks.remove(self._on_move)
        self._cut.undo()

    def _on_move(self, viewer: Any, event: Any) -> None:
        self.at = float(event.position[-1])
        self._redraw()

    def _redraw(self, event: Any = None) -> None:
        column = float(self.before.world_to_data((*self.before.translate[:-1], self.at))[-1])
        self._cut.keep(column, 1 if self._upper_is_after else -1)
        self.signs.divide(self.at, COMPRESSED, ENHANCED)


class Blink(Pair):
    """Compressed and enhanced in turn, as astronomers find what moved."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(viewer, parent)
        self._timer = QTimer(self)
        self._timer.setInterval(PERIOD)
        self._timer.timeout.connect(self.turn)

    def begin(self) -> None:
        """Show the enhanced one first."""
        self.shows_after = False
        self.turn()
        self._timer.start()

    def end(self) -> None:
        """Stop blinking."""
        self._timer.stop()

    def turn(self) -> None:
        """Show the other one."""
        self.shows_after = not self.shows_after
        self.before.visible, self.after.visible = not self.shows_after, self.shows_after
        self.signs.say(ENHANCED if self.shows_after else COMPRESSED)

    def disconnect_viewer(self) -> None:
        """Let go of the viewer; the timer may have gone with Qt's side."""
        if self.is_active:
            self.signs.remove()
            self.case = None
