"""The tile inspector: a tile, the reference that was matched to it, and how well they agree."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from marsqe.results import TILE
from marsqe.terrain import CLASSES
from napari_marsqe import layers as conventions
from napari_marsqe.labels import Words
from napari_marsqe.session import Case, Session
from napari_marsqe.views.canvas import steady
from napari_marsqe.views.pictures import SIDE, to_pixmap
from napari_marsqe.views.references import References
from napari_marsqe.wording import chip, escape

HINT = "Find the terrain, then click a tile of the image to see which reference was matched to it."
READY = "Click a tile of the image to see which reference was matched to it."
NOTE = (
    "Below each reference of this class stands its divergence. Click another one to use it for this tile. "
    "marsqe-swift-ref, marsqe-lite and marsqe use references; marsqe-swift does not."
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

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("marsqeSection")
        title = QLabel("<b>Tile inspector</b>")
        self.pictures = [QLabel() for _ in _CAPTIONS]
        pictures = QHBoxLayout()
        pictures.setSpacing(6)
        self._gallery = QWidget()
        self._gallery.setLayout(pictures)
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
        self.words = Words()
        self.references = References()
        self.references.chosen.connect(self._on_chosen)
        self.note = Words()
        self.note.say(NOTE, "Hint")
        self._tile = (0, 0)
        self._shown: Any = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 4, 7)
        layout.setSpacing(4)
        layout.addWidget(title)
        layout.addWidget(self._gallery)
        layout.addWidget(self.words)
        layout.addWidget(self.references)
        layout.addWidget(self.note)
        self.clear(HINT)

    def clear(self, hint: str) -> None:
        """Show no tile, but what to do."""
        for widget in (self._gallery, self.references, self.note):
            widget.hide()
        self._shown = None
        self.words.say(hint, "Hint")

    def follow(self, case: Case) -> None:
        """Show the tile anew where its case has been understood anew."""
        if self._shown is not None and case.understanding is not self._shown:
            self.show_tile(case, *self._tile)

    def show_tile(self, case: Case, row: int, column: int) -> None:
        """Show a tile of an understood case and its reference.

        Raises
        ------
        MarsqeError
            If the reference dictionary cannot be read.
        """
        from marsqe.matching import load_dictionary

        found = case.understanding
        assert found is not None
        matches, colour = found.matches, case.image.is_colour
        label, index = int(matches.classes[row, column]), int(matches.references[row, column])
        dictionary = load_dictionary()
        region = conventions.tile_region(case.image.shape, row, column)
        tile = case.image.pixels[region.y : region.y + region.height, region.x : region.x + region.width]
        twin = dictionary.compressed(label, found.twins, colour=colour)[index]
        patches = dictionary.raw(label, colour=colour)
        shown = (tile, patches[index], twin)
        for picture, pixels in zip(self.pictures, shown, strict=True):
            picture.setPixmap(to_pixmap(pixels, case.image.full_scale))
        entry, name = dictionary.entry(label, index), CLASSES[label - 1]
        chosen = "" if index == matches.candidates[row, column].argmin() else ", your choice"
        self.words.say(
            f"Row {row + 1}, column {column + 1}: {chip(name)} <b>{name}</b>, reference {index + 1} of "
            f"{len(patches)}{chosen}<br>"
            f"Divergence {matches.divergences[row, column]:.3f} (KL, 0 = same texture)<br>"
            f"Similarity {matches.similarity[row, column]:.2f} (1 = same structure)<br>"
            f"Credit: {escape(entry.credit)}"
        )
        self.references.offer(matches, row, column, list(patches))
        self._tile, self._shown = (row, column), found
        for widget in (self._gallery, self.references, self.note):
            widget.show()

    def _on_chosen(self, index: int) -> None:
        self.reference_chosen.emit(*self._tile, index)


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
