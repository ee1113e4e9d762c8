"""What the workbench works on: all cases of a viewer, and the one that is shown."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

from qtpy.QtCore import QObject, Signal

from marsqe.errors import SettingError
from marsqe.image import MarsImage, Pixels
from napari_marsqe import layers as conventions
from napari_marsqe.case import Case, enhanced_role
from napari_marsqe.frame import Frame
from napari_marsqe.layers import LayerData

__all__ = ["Case", "Session", "enhanced_role", "session_of"]

_LIVE: WeakSet[Session] = WeakSet()


def session_of(known: list[dict[str, Any]]) -> Session | None:
    """The session in whose viewer is a layer of which we know one of these facts; told by identity."""
    wanted = {id(facts) for facts in known}
    shown = ((session, layer) for session in list(_LIVE) for layer in session.viewer.layers)
    return next((session for session, layer in shown if id(conventions.facts(layer)) in wanted), None)


class Session(QObject):
    """All cases of a viewer and the one that is shown.

    Follows the viewer's layer list: takes up images that our reader opened, forgets layers that were removed.
    """

    changed = Signal()
    """Another case, or another state of the case: the workbench shows itself anew."""
    layers_changed = Signal()
    """The layer list changed or a layer was renamed: choices of layers refresh."""
    leaving = Signal()
    """Another case is about to take over: whatever changed the looks of layers gives them back now."""
    forgotten = Signal(object)
    """A case whose image was removed."""

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.cases: list[Case] = []
        self.case: Case | None = None
        self._drawn: tuple[int, bool] = (0, False)
        _LIVE.add(self)
        viewer.layers.events.inserted.connect(self._on_inserted)
        viewer.layers.events.removed.connect(self._on_removed)
        viewer.layers.events.reordered.connect(self._on_layers)
        for layer in list(viewer.layers):
            self._listen(layer)
            self._take_up(layer)

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        _LIVE.discard(self)
        events = self.viewer.layers.events
        for event, slot in (
            (events.inserted, self._on_inserted),
            (events.removed, self._on_removed),
            (events.reordered, self._on_layers),
        ):
            event.disconnect(slot)
        for layer in self.viewer.layers:
            self._listen(layer, on=False)

    def open(self, image: MarsImage, truth: MarsImage | None = None, *, aside: bool = False) -> Case:
        """Show an image that was read, its truth beneath it, and make it the current case.

        With ``aside`` it waits, hidden, and the current case stays.
        """
        before = self.case if aside else None
        if truth is not None:
            conventions.put(self.viewer, None, conventions.truth_layer(truth, image))
        role = conventions.COMPRESSED if truth is not None else None
        case = self.choose(conventions.put(self.viewer, None, conventions.source_layer(image, role)))
        if before is not None:
            self.turn_to(before)
        return case

    def turn_to(self, case: Case) -> None:
        """Make a case the current one, and its image the layer whose controls napari shows."""
        self.choose(case.source)
        self.viewer.layers.selection.active = case.source

    def add_truth(self, case: Case, truth: MarsImage) -> None:
        """Show the original of a case's image beneath it, and make it the case's truth.

        Raises
        ------
        SettingError
            If it differs in size, colour or depth: then it cannot be compared.
        """
        from napari.layers import Layer

        ours, theirs = case.image.pixels, truth.pixels
        if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
            raise SettingError(
                f"'{truth.name}' ({theirs.shape[1]} x {theirs.shape[0]}, {theirs.dtype}) cannot be the truth of "
                f"'{case.image.name}' ({ours.shape[1]} x {ours.shape[0]}, {ours.dtype}): size, colour and depth must "
                "be the same; choose the original of this image"
            )
        data, arguments, kind = conventions.truth_layer(truth, case.image)
        layer = Layer.create(data, arguments | case.frame.pixels(), kind)
        self.viewer.layers.insert(self.viewer.layers.index(case.source), layer)
        self.set_truth(case, layer)

    def add_simulated(self, image: MarsImage, truth: Pixels, original: Any) -> Case:
        """Show an image that was compressed from the layer ``original``, which is its truth.

        ``truth`` holds the original's pixels in the depth of the compressed image. Where that is another depth, they
        become a layer of their own: images of two depths cannot be compared.
        """
        place = Frame.of(original).pixels()
        if original in self.viewer.layers and original.data.dtype == truth.dtype:
            kept = original
        else:
            name = {"name": image.name}
            data, arguments, kind = conventions.truth_layer(MarsImage.from_array(truth, metadata=name), image)
            kept = conventions.put(self.viewer, None, (data, arguments | place, kind))
        data, arguments, kind = conventions.source_layer(image, conventions.COMPRESSED)
        case = self.choose(conventions.put(self.viewer, None, (data, arguments | place, kind)))
        self.set_truth(case, kept)
        return case

    def add_estimated(self, image: MarsImage, original: Case) -> Case:
        """Show an image that was cut out of another one's, at its place over it, with its part of the truth."""
        (y, x), (height, width) = image.metadata["estimated"]["cut"], image.shape
        place = original.frame.shifted(y, x).pixels()
        data, arguments, kind = conventions.source_layer(image)
        arguments |= place | {"name": conventions.name_of(image.name, "whole blocks")}
        case = self.choose(conventions.put(self.viewer, None, (data, arguments, kind)))
        if original.truth is not None:
            part = conventions.pixels_of(original.truth)[y : y + height, x : x + width]
            self.add_truth(case, MarsImage.from_array(part, metadata={"name": original.truth.name}))
            assert case.truth is not None
            case.truth.name = conventions.name_of(image.name, "truth of the whole blocks")
            if original.truth.visible:
                # It would look out behind its own part; it comes back with the original.
                original.truth.visible = False
                original.put_away.append(original.truth)
        self.viewer.layers.selection.active = case.source
        return case

    def estimated_from(self, original: Case) -> Case | None:
        """The case of :meth:`add_estimated` for an image, if there is one."""
        found = (case for case in self.cases if "estimated" in case.image.metadata)
        return next((case for case in found if case.image.sha256 == original.image.sha256), None)

    def choose(self, layer: Any) -> Case:
        """Make the case of a layer the current one; a layer that has none becomes one.

        Raises
        ------
        SettingError
            If the layer is no image that the engine takes.
        """
        case = next((c for c in self.cases if c.source is layer), None)
        if case is None:
            image = conventions.image_of(layer)
            case = Case(image, layer, image.name, self._find_truth(image))
            self.cases.append(case)
        if case is not self.case:
            self.leaving.emit()
            self._put_away(self.case)
            self._bring_back(case)
            self.case = case
        self.changed.emit()
        return case

    def set_truth(self, case: Case, layer: Any | None) -> None:
        """Choose the truth of a case; what was judged against another one no longer counts."""
        if layer is not case.truth:
            case.truth = layer
            case.judgement = None
            self.changed.emit()

    def show(self, case: Case, role: str, data: LayerData) -> Any:
        """Show a result in its layer: the one that shows it already, or a new one."""
        layer = conventions.put(self.viewer, case.layers.get(role), data)
        case.layers[role] = layer
        return layer

    def hide(self, case: Case, *roles: str) -> None:
        """Hide layers of a case, where they exist."""
        for role in roles:
            if role in case.layers:
                case.layers[role].visible = False

    def knows(self, case: Case) -> bool:
        """Whether the case's image is still in the viewer."""
        return case in self.cases

    def _put_away(self, case: Case | None) -> None:
        if case is not None:
            shown = [layer for layer in (case.source, *case.layers.values()) if layer.visible]
            case.put_away = [layer for layer in shown if layer in self.viewer.layers]
            for layer in case.put_away:
                layer.visible = False

    @staticmethod
    def _bring_back(case: Case) -> None:
        for layer in case.put_away:
            layer.visible = True
        case.put_away = []

    def _find_truth(self, image: MarsImage) -> Any | None:
        for layer in self.viewer.layers:
            if conventions.is_truth_of(layer, image):
                return layer
        return None

    def resume(self, case: Case) -> None:
        """Make a case that comes back from a folder the current one, as it was left."""
        if case is not self.case:
            self._put_away(self.case)
            self.case = case
        self.changed.emit()

    def _take_up(self, layer: Any) -> None:
        facts = conventions.facts(layer)
        kept = facts.pop("kept", None)
        if kept is not None:
            conventions.show_scale(layer)
            for case, use in kept:
                case.arrived(self, use, layer)
            return
        role, image = facts.get("role"), facts.get("image")
        if role in (conventions.COMPRESSED, conventions.IMAGE) and isinstance(image, MarsImage):
            self.choose(layer)
        elif role == conventions.TRUTH:
            for case in self.cases:
                if conventions.is_truth_of(layer, case.image) and case.truth is None:
                    self.set_truth(case, layer)

    def _on_inserted(self, event: Any) -> None:
        self._listen(event.value)
        self._take_up(event.value)
        self.layers_changed.emit()

    def _on_removed(self, event: Any) -> None:
        layer = event.value
        self._listen(layer, on=False)
        for case in list(self.cases):
            case.layers = {role: shown for role, shown in case.layers.items() if shown is not layer}
            if case.truth is layer:
                self.set_truth(case, None)
            if case.source is layer:
                self.cases.remove(case)
                if self.case is case:
                    self.case = self.cases[-1] if self.cases else None
                self.forgotten.emit(case)
        self.layers_changed.emit()
        self.changed.emit()

    def _listen(self, layer: Any, *, on: bool = True) -> None:
        heard: list[tuple[Any, Any]] = [(layer.events.name, self._on_layers)]
        if hasattr(layer.events, "labels_update"):
            # Strokes are told by the first; undoing one only by the second.
            heard += [(layer.events.labels_update, self._on_drawn), (layer.events.set_data, self._on_drawn)]
        for event, slot in heard:
            (event.connect if on else event.disconnect)(slot)

    def _on_drawn(self, event: Any) -> None:
        case = self.case
        if case is not None and event.source is case.layers.get(conventions.TERRAIN):
            # A stroke is told many times; only the first changes what can be done.
            state = (id(case.understanding), case.redrawn is not None)
            if state != self._drawn:
                self._drawn = state
                self.layers_changed.emit()

    def _on_layers(self, event: Any = None) -> None:
        self.layers_changed.emit()
