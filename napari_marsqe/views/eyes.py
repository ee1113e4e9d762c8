"""Which look at compressed and enhanced is on: side by side, swiped, blinking, or a key that is held."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_marsqe.views.hand import COMPRESSED, ENHANCED, REFERENCE, TRUTH, at_hand
from napari_marsqe.views.swipe import Blink, Pair, Swipe

if TYPE_CHECKING:
    from napari_marsqe.workbench import Workbench

KEY = "H"
"""Held, it shows the compressed image."""


class Eyes(QObject):
    """One look at a time, each with its button in the workbench, and the key."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._bench = bench
        self._viewer = bench.viewer
        self.swipe, self.blink = Swipe(bench.viewer, self), Blink(bench.viewer, self)
        self._pairs = ((self.swipe, bench.judge.swipe), (self.blink, bench.judge.blink))
        for pair, button in self._pairs:
            button.toggled.connect(partial(self._set, pair, button))
            pair.ended.connect(partial(button.setChecked, False))
        bench.judge.compare.toggled.connect(self._on_compare)
        self._viewer.bind_key(KEY, self._hold, overwrite=True)

    def refresh(self) -> None:
        """End a look whose layers went or whose image is no longer the current one."""
        for pair, _ in self._pairs:
            if pair.is_active and (pair.case is not self._bench.session.case or not pair.is_current):
                pair.stop()

    def stop(self) -> None:
        """End whichever look is on."""
        for pair, _ in self._pairs:
            pair.stop()

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        self._viewer.bind_key(KEY, None, overwrite=True)
        for pair, _ in self._pairs:
            pair.disconnect_viewer()

    def _set(self, pair: Pair, button: Any, on: bool) -> None:
        if not on:
            pair.stop()
            return
        self._bench.comparison.stop()
        self.stop()
        case = self._bench.session.case
        if case is None or not pair.start(case):
            button.setChecked(False)

    def _on_compare(self, on: bool) -> None:
        if on:
            self.stop()

    def _hold(self, viewer: Any) -> Generator[None, None, None]:
        """Show the compressed image while the key is down, all overlays as they are."""
        shown = at_hand(self._bench.session.case)
        # Boxes side by side would jump, and without a result there is nothing to go back to.
        if ENHANCED not in shown or self._bench.comparison.is_active:
            yield
            return
        layers = {
            shown[name]: shown[name].visible for name in (COMPRESSED, ENHANCED, TRUTH, REFERENCE) if name in shown
        }
        for layer in layers:
            layer.visible = layer is shown[COMPRESSED]
        yield
        for layer, visible in layers.items():
            if layer in viewer.layers:
                layer.visible = visible
