"""The tile inspector: a tile, the reference that was matched to it, and how well they agree."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from marsqe.errors import MarsqeError
from marsqe.results import TILE
from marsqe.terrain import CLASSES
from napari_marsqe import layers as conventions
from napari_marsqe.labels import Words
from napari_marsqe.session import Case, Session
from napari_marsqe.views.canvas import steady
from napari_marsqe.views.pictures import SIDE, to_pixmap
from napari_marsqe.views.references import References
from napari_marsqe.wording import chip, describe_settled, escape

HINT = "Find the terrain, then click a tile of the image to see which reference was matched to it."
READY = "Click a tile of the image to see which reference was matched to it."
NOTE = (
    "Below each reference of this class stands its divergence. Click another one to use it for this tile; ★ marks your "
    "own, ✕ forbidden ones. marsqe-swift-ref, marsqe-lite and marsqe use references; marsqe-swift does not."
)
_CAPTIONS = (
    ("This tile", "The tile as it came down, compressed."),
    ("Reference", "The matched reference patch, uncompressed."),
    ("… compressed", "The same reference, compressed as this image was: what the tile was matched with."),
)


class Inspector(QFrame):
    """Shows one tile of the current case; see :class:`TilePicker` for the clicks."""

    reference_chosen = Signal(int, int, int)
    """Row and column of the shown tile, and the reference that is wanted for it."""
    forbidding = Signal(str, bool)
    """Name of a reference, and whether no tile may have it or any may again."""
    undo_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("marsqeSection")
        title = QLabel("<b>Tile inspector</b>")
        self._gallery = self._make_gallery()
        self.words = Words()
        self.references = References()
        self.references.chosen.connect(self._on_chosen)
        self.references.allowed.connect(self._on_allowed)
        self._actions = self._make_actions()
        self.gain = Words()
        self.note = Words()
        self.note.say(NOTE, "Hint")
        self._tile = (0, 0)
        self._shown: Any = None
        self._name = ""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 4, 7)
        layout.setSpacing(4)
        layout.addWidget(title)
        layout.addWidget(self._gallery)
        layout.addWidget(self.words)
        layout.addWidget(self.references)
        layout.addWidget(self._actions)
        layout.addWidget(self.gain)
        layout.addWidget(self.note)
        self.clear(HINT)

    def _make_gallery(self) -> QWidget:
        self.pictures = [QLabel() for _ in _CAPTIONS]
        pictures = QHBoxLayout()
        pictures.setSpacing(6)
        gallery = QWidget()
        gallery.setLayout(pictures)
        pictures.setContentsMargins(0, 0, 0, 0)
        for picture, (caption, tooltip) in zip(self.pictures, _CAPTIONS, strict=True):
            picture.setFixedSize(SIDE, SIDE)
            picture.setToolTip(tooltip)
            column = QVBoxLayout()
            column.setSpacing(1)
            column.addWidget(picture)
            below = QLabel(caption)
            below.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(below)
            pictures.addLayout(column)
        pictures.addStretch(1)
        return gallery

    def _make_actions(self) -> QWidget:
        self.forbid = QPushButton("Forbid this reference")
        self.forbid.setToolTip(
            "No tile of this image may have the reference that this tile has; all take their next best."
        )
        self.forbid.clicked.connect(self._on_forbid)
        self.undo = QPushButton("Undo")
        self.undo.setToolTip("Go back to the references before the last change, and to the result they had led to.")
        self.undo.clicked.connect(self.undo_requested)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.addWidget(self.forbid)
        buttons.addWidget(self.undo)
        buttons.addStretch(1)
        actions = QWidget()
        actions.setLayout(buttons)
        return actions

    def clear(self, hint: str) -> None:
        """Show no tile, but what to do."""
        for widget in (self._gallery, self.references, self._actions, self.gain, self.note):
            widget.hide()
        self._shown = None
        self.words.say(hint, "Hint")

    def follow(self, case: Case) -> None:
        """Show the tile anew where its case has been understood anew, and what the last change led to."""
        self._tell(case)
        if self._shown is not None and case.understanding is not self._shown:
            try:
                self.show_tile(case, *self._tile)
            except MarsqeError as error:
                self.clear(escape(str(error)))

    def show_tile(self, case: Case, row: int, column: int) -> None:
        """Show a tile of an understood case and its reference.

        Raises
        ------
        MarsqeError
            If the reference dictionary cannot be read.
        """
        from marsqe.matching import dictionary_of, ranked

        found = case.understanding
        assert found is not None
        matches, colour = found.matches, case.image.is_colour
        label, index = int(matches.classes[row, column]), int(matches.references[row, column])
        dictionary = dictionary_of(matches)
        region = conventions.tile_region(case.image.shape, row, column)
        tile = case.image.pixels[region.y : region.y + region.height, region.x : region.x + region.width]
        twin = dictionary.compressed(label, found.twins, colour=colour)[index]
        patches = dictionary.raw(label, colour=colour)
        shown = (tile, patches[index], twin)
        for picture, pixels in zip(self.pictures, shown, strict=True):
            picture.setPixmap(to_pixmap(pixels, case.image.full_scale))
        entry, name = dictionary.entry(label, index), CLASSES[label - 1]
        candidates = ranked(matches, row, column)
        by_hand = next(c for c in candidates if not c.forbidden).index != index
        self._name = dictionary.patch_id(label, index)
        self.words.say(
            f"Row {row + 1}, column {column + 1}: {chip(name)} <b>{name}</b>, reference {index + 1} of "
            f"{len(patches)}{', your choice' if by_hand else ''}<br>"
            f"Divergence {matches.divergences[row, column]:.3f} (KL, 0 = same texture)<br>"
            f"Similarity {matches.similarity[row, column]:.2f} (1 = same structure)<br>"
            f"Credit: {escape(entry.credit)}"
        )
        self.references.offer(candidates, dictionary, list(patches))
        self._tile, self._shown = (row, column), found
        for widget in (self._gallery, self.references, self._actions, self.note):
            widget.show()
        self._tell(case)

    def enable(self, on: bool) -> None:
        """Let references be argued with, or not while something is at work."""
        for widget in (self.references, self._actions):
            widget.setEnabled(on)

    def _tell(self, case: Case) -> None:
        self.undo.setEnabled(bool(case.past))
        self.gain.setVisible(case.argued is not None)
        if case.argued is not None:
            self.gain.say(describe_settled(case.argued))

    def _on_chosen(self, index: int) -> None:
        self.reference_chosen.emit(*self._tile, index)

    def _on_forbid(self) -> None:
        self.forbidding.emit(self._name, True)

    def _on_allowed(self, index: int) -> None:
        from marsqe.matching import dictionary_of

        matches = self._shown.matches
        self.forbidding.emit(dictionary_of(matches).patch_id(int(matches.classes[self._tile]), index), False)


class TilePicker(QObject):
    """Turns clicks on the canvas into tiles of the current case and marks the tile."""

    picked = Signal(int, int, bool)
    """Row, column, and whether the selection is to be extended to the tile."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._viewer = session.viewer
        self._viewer.mouse_drag_callbacks.append(self._on_press)

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        if self._on_press in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._on_press)

    def mark(self, case: Case, row: int, column: int, *, extend: bool = False) -> None:
        """Select a tile, or extend the selection to it, and draw a rectangle around.

        Not drawn while layers are side by side, where it would take a box of its own.
        """
        others = case.selected if extend and case.selected is not None else ()
        rows, columns = zip((row, column), *others, strict=True)
        case.selected = (min(rows), min(columns)), (max(rows), max(columns))
        session, viewer = self._session, self._viewer
        active, selected = viewer.layers.selection.active, set(viewer.layers.selection)
        mark = conventions.tile_mark(case.stem, *case.selected, case.frame)
        with steady(viewer):
            layer = session.show(case, conventions.TILE_MARK, mark)
        layer.visible = not viewer.canvas.grid.enabled
        # A mark is no reason to lose the layer that was being worked on.
        viewer.layers.selection = selected
        viewer.layers.selection.active = active

    def _on_press(self, viewer: Any, event: Any) -> Generator[None, None, None]:
        extend = "Shift" in event.modifiers
        yield
        moved = False
        while event.type == "mouse_move":
            moved = True
            yield
        case = self._session.case
        if moved or case is None or case.understanding is None or not _is_looking(viewer):
            return
        tile = tile_at(case, event.position)
        if tile is not None:
            self.picked.emit(*tile, extend)


def tile_at(case: Case, position: Any) -> tuple[int, int] | None:
    """Row and column of the tile at a position in the world; None beside the image."""
    y, x = np.asarray(case.source.world_to_data(position))[-2:] + 0.5
    height, width = case.image.shape
    if not (0 <= y < height and 0 <= x < width):
        return None
    return int(y) // TILE, int(x) // TILE


def _is_looking(viewer: Any) -> bool:
    """Whether the active layer's tool is the plain one, so that a click is not a brush stroke."""
    active = viewer.layers.selection.active
    return active is None or str(getattr(active, "mode", "pan_zoom")) == "pan_zoom"
