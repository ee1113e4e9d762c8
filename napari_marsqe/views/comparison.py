"""Compare: layers side by side with linked cameras, and back exactly as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_marsqe import layers
from napari_marsqe.session import Case

NAME_SIZE = 7
"""Points; a long layer name must fit in half a canvas."""


@dataclass(frozen=True)
class _Look:
    """What the comparison changes of a layer."""

    visible: bool
    opacity: float
    name_shown: bool
    name_size: float


@dataclass(frozen=True)
class _View:
    """The viewer as it was."""

    order: tuple[Any, ...]
    looks: dict[Any, _Look]
    grid: dict[str, Any]
    centre: tuple[float, ...]
    zoom: float


class Comparison(QObject):
    """Puts layers side by side in napari's grid and takes them back."""

    ended = Signal()
    """The comparison is over, by :meth:`stop` or because the user left napari's grid."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._before: _View | None = None
        self._changing = False
        viewer.canvas.grid.events.enabled.connect(self._on_grid)

    @property
    def is_active(self) -> bool:
        """Whether layers are side by side."""
        return self._before is not None

    def start(self, shown: Sequence[Any]) -> None:
        """Show layers beside each other, in this order."""
        if self.is_active:
            self.stop()
        viewer = self._viewer
        self._before = self._remember()
        self._changing = True
        try:
            # napari gives each visible layer a box, in the order of the list; hidden ones take no room.
            self._order([*(layer for layer in viewer.layers if layer not in shown), *shown])
            for layer in viewer.layers:
                layer.visible = layer in shown
            for layer in shown:
                layer.opacity = 1.0
                layer.name_overlay.visible, layer.name_overlay.font_size = True, NAME_SIZE
            grid = viewer.canvas.grid
            grid.stride, grid.shape, grid.spacing = 1, _shape(len(shown)), 6
            grid.enabled = True
            viewer.fit_to_view(layers=list(shown[:1]))
        finally:
            self._changing = False

    def stop(self) -> None:
        """Restore order, visibility, overlays, grid and camera. Layers added meanwhile stay, on top."""
        before, self._before = self._before, None
        if before is None:
            return
        viewer = self._viewer
        self._changing = True
        try:
            grid = viewer.canvas.grid
            grid.enabled = before.grid["enabled"]
            grid.stride, grid.shape, grid.spacing = (before.grid[k] for k in ("stride", "shape", "spacing"))
            known = [layer for layer in before.order if layer in viewer.layers]
            self._order([*known, *(layer for layer in viewer.layers if layer not in known)])
            for layer in known:
                look = before.looks[layer]
                layer.visible, layer.opacity = look.visible, look.opacity
                layer.name_overlay.visible, layer.name_overlay.font_size = look.name_shown, look.name_size
            viewer.scene.camera.center = before.centre
            viewer.scene.camera.zoom = before.zoom
        finally:
            self._changing = False
        self.ended.emit()

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        self._viewer.canvas.grid.events.enabled.disconnect(self._on_grid)

    def _remember(self) -> _View:
        viewer = self._viewer
        grid = viewer.canvas.grid
        looks = {
            layer: _Look(layer.visible, layer.opacity, layer.name_overlay.visible, layer.name_overlay.font_size)
            for layer in viewer.layers
        }
        settings = {"enabled": grid.enabled, "stride": grid.stride, "shape": grid.shape, "spacing": grid.spacing}
        camera = viewer.scene.camera
        return _View(tuple(viewer.layers), looks, settings, tuple(camera.center), float(camera.zoom))

    def _order(self, wanted: list[Any]) -> None:
        listed = self._viewer.layers
        for index, layer in enumerate(wanted):
            here = listed.index(layer)
            if here != index:
                listed.move(here, index)

    def _on_grid(self, event: Any = None) -> None:
        if not self._changing and self.is_active and not self._viewer.canvas.grid.enabled:
            self.stop()


def side_by_side(case: Case) -> list[Any]:
    """What is worth comparing of a case: compressed, enhanced, and what the judgement shows."""
    roles = [layers.RESIDUAL, layers.GAIN]
    if case.judgement is not None and not case.judgement.has_truth:
        roles = [layers.CHANGE]
    shown = [case.source, case.enhanced, *(case.layers.get(role) for role in roles)]
    return [layer for layer in shown if layer is not None]


def _shape(number: int) -> tuple[int, int]:
    return (1, number) if number <= 3 else (2, (number + 1) // 2)
