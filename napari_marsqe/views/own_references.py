"""References of the user's own: cut out of a lossless picture of the same outcrop, listed, removed, switched off."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, QSize, Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from marsqe.errors import MarsqeError
from marsqe.progress import Steps
from marsqe.results import TILE, Region
from marsqe.terrain import CLASSES
from napari_marsqe import arguing
from napari_marsqe import layers as conventions
from napari_marsqe.collecting import Source, collect, remove, switch
from napari_marsqe.frame import Frame
from napari_marsqe.jobs import Failure, Task
from napari_marsqe.labels import Words
from napari_marsqe.reader import SUFFIXES
from napari_marsqe.sections.base import form
from napari_marsqe.sections.choices import Choice, LayerChoice
from napari_marsqe.session import Session
from napari_marsqe.views.pictures import to_pixmap
from napari_marsqe.wording import count, describe_own, escape

if TYPE_CHECKING:
    from marsqe.matching import OwnReference
    from napari_marsqe.work import Understanding
    from napari_marsqe.workbench import Workbench

KEY = "references"
EMPTY = (
    "You have none yet. Choose a lossless picture of the same outcrop, draw a rectangle on ground that looks like what "
    "you want to enhance, and add it."
)
_ICON = 48


class OwnReferences(QWidget):
    """Add my own reference."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench = bench
        self._rectangle: Any = None
        self._folder = ""
        self.source = LayerChoice(
            conventions.is_source, "a picture…", "The lossless picture that patches are cut from."
        )
        self.file = QPushButton("File…")
        self.file.setToolTip("Open a lossless picture of the outcrop as a layer to cut from.")
        self.draw = QPushButton("Draw a rectangle")
        self.draw.setToolTip("Draw where to cut; without a rectangle the best patches of the whole picture are taken.")
        self.terrain = Choice(
            [("As the terrain says", None), *((name, name) for name in CLASSES)],
            "The class of what is cut; the terrain decides where it was found for this picture, patch by patch.",
        )
        self.note = QLineEdit()
        self.note.setPlaceholderText("a note to yourself")
        self.note.setToolTip("Kept with the reference and written into results that use it.")
        self.note.setMaxLength(200)
        self.lossy = QCheckBox("Even if the picture has lost detail")
        self.lossy.setToolTip("A reference is to bring detail back; one from a JPEG is marked as such in every result.")
        self.add = QPushButton("Add my own reference")
        self.add.setToolTip("Cut patches of 128 × 128 pixels and match the current image with them, too.")
        self.use = QCheckBox("Use my own references")
        self.use.setToolTip("Untick to match with the bundled references alone; yours are kept.")
        self.list = QListWidget()
        self.list.setIconSize(QSize(_ICON, _ICON))
        self.list.setFixedHeight(150)
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Delete the selected reference; results that used it keep its record.")
        self.words = Words()
        self._build()
        self._connect()
        self._fill()

    def refresh(self, session: Session, busy: bool) -> None:
        """Offer the pictures of the viewer."""
        before = self.source.value
        self.source.refresh(session.viewer.layers)
        self.source.set_value(before)
        if self.source.value is None and session.case is not None:
            self.source.set_value(session.case.truth)
        if self._rectangle is not None and self._rectangle not in session.viewer.layers:
            self._rectangle = None
        for widget in (self.file, self.use, self.list):
            widget.setEnabled(not busy)
        self._enable(busy)

    def disconnect_viewer(self) -> None:
        """Nothing is listened to."""

    def open_file(self, path: Path) -> None:
        """Open a picture as a layer to cut from."""
        from napari_marsqe import work

        def apply(opened: Any) -> None:
            layer = conventions.put(self._bench.viewer, None, _picture_layer(opened[0]))
            self.refresh(self._bench.session, False)
            self.source.set_value(layer)
            self._enable(False)

        self._bench.submit(Task(KEY, "Opening a picture", partial(work.open_files, path), apply, owner=self))

    # -- inside ---------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        options = QWidget()
        rows = form(options)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow("From", _beside(self.source, self.file))
        rows.addRow("Where", self.draw)
        rows.addRow("Class", self.terrain)
        rows.addRow("Note", self.note)
        for widget in (options, self.lossy, self.add, self.words, self.list, _beside(self.use, self.remove)):
            layout.addWidget(widget)

    def _connect(self) -> None:
        self.source.chosen.connect(self._on_source)
        self.file.clicked.connect(self._ask)
        self.draw.clicked.connect(self._on_draw)
        self.add.clicked.connect(self._on_add)
        self.remove.clicked.connect(self._on_remove)
        self.use.toggled.connect(self._on_use)
        self.list.itemSelectionChanged.connect(partial(self._enable, False))

    def _enable(self, busy: bool) -> None:
        picture = self.source.value is not None
        self.add.setEnabled(picture and not busy)
        self.draw.setEnabled(picture)
        self.remove.setEnabled(bool(self.list.selectedItems()) and not busy)

    def _fill(self) -> None:
        from marsqe.matching import list_own, own_enabled

        with QSignalBlocker(self.use), QSignalBlocker(self.list):
            own = list_own()
            self.use.setChecked(own_enabled())
            self.list.clear()
            for reference in own:
                self.list.addItem(_item(reference))
        damaged = sum(reference.entry is None for reference in own)
        self.list.setVisible(bool(own))
        self.remove.setVisible(bool(own))
        if not own:
            self.words.say(EMPTY, "Hint")
        elif damaged:
            self.words.say(f"{count(damaged, 'reference')} damaged: remove it before you match again.", "Error")
        else:
            self.words.say(f"{count(len(own), 'reference')} of your own:", "Result")
        self._enable(False)

    def _on_source(self, _layer: Any) -> None:
        self._enable(False)

    def _on_draw(self) -> None:
        viewer, source = self._bench.viewer, self.source.value
        if self._rectangle is None or self._rectangle not in viewer.layers:
            self._rectangle = viewer.add_shapes(
                name="cut a reference", edge_color="#ffd166", face_color="transparent", edge_width=3
            )
        frame = Frame.of(source)
        self._rectangle.scale, self._rectangle.translate = frame.scale, frame.translate
        viewer.layers.selection.active = self._rectangle
        self._rectangle.mode = "add_rectangle"

    def _region(self) -> Region | None:
        """The last rectangle that was drawn, at least a patch large and inside the picture; None without one."""
        if self._rectangle is None or not len(self._rectangle.data):
            return None
        height, width = self.source.value.data.shape[:2]
        corners = np.asarray(self._rectangle.data[-1])[:, -2:]
        (top, left), (bottom, right) = (np.rint(f(corners, axis=0) + 0.5).astype(int) for f in (np.min, np.max))
        y, h = _grown(int(top), int(bottom), height)
        x, w = _grown(int(left), int(right), width)
        return Region(x, y, w, h)

    def _on_add(self) -> None:
        session, layer = self._bench.session, self.source.value
        try:
            image = conventions.image_of(layer)
        except MarsqeError as error:
            self._bench.fail(KEY, Failure(error))
            return
        case = session.case
        labels = None
        if case is not None and case.understanding is not None and (layer is case.source or layer is case.truth):
            labels = case.understanding.terrain
        device = self._bench.enhance.device.value
        source = Source(image, self.terrain.value or labels, self._region(), device)
        action = partial(collect, source, note=self.note.text().strip(), allow_lossy=self.lossy.isChecked())
        self._submit(action, "Adding a reference")

    def _on_remove(self) -> None:
        names = [item.data(Qt.ItemDataRole.UserRole) for item in self.list.selectedItems()]
        self._submit(partial(remove, names), "Removing a reference")

    def _on_use(self, on: bool) -> None:
        self._submit(partial(switch, on), "Matching with your references" if on else "Matching without your references")

    def _submit(self, action: Callable[[], Steps[str]], title: str) -> None:
        """Do something to the references, then match the current image with what there is."""
        case = self._bench.session.case
        found = case.understanding if case is not None else None
        if case is None or found is None:
            self._bench.submit(Task(KEY, title, action, self._on_done, owner=self))
            return
        told: list[str] = []

        def argue() -> Steps[Understanding]:
            told.append((yield from action()))
            return (yield from arguing.match_own(case.image, found))

        task = arguing.task(self._bench.session, case, argue, title, KEY)

        def apply(settled: Any) -> None:
            task.apply(settled)
            self._on_done(told[0])

        # Not the case's: what was added to the folder is told even where the image went meanwhile.
        self._bench.argue(case, Task(KEY, title, task.steps, apply, owner=case))

    def _on_done(self, text: str) -> None:
        from napari_marsqe.wording import describe_settled

        self._fill()
        case = self._bench.session.case
        lines = [escape(text)]
        if case is not None and case.argued is not None:
            lines.append(describe_settled(case.argued))
        self.words.say("<br>".join(lines))

    def _ask(self) -> None:
        patterns = " ".join(f"*{suffix} *{suffix.upper()}" for suffix in SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a lossless picture", self._folder, f"Images ({patterns});;All files (*)"
        )
        if path:
            self._folder = str(Path(path).parent)
            self.open_file(Path(path))


def _picture_layer(image: Any) -> conventions.LayerData:
    data, arguments, kind = conventions.source_layer(image, conventions.TRUTH)
    # Of no compressed image: it must not be taken for the truth of one.
    arguments["metadata"][conventions.KEY]["of"] = ""
    return data, arguments | {"name": f"{image.name} · for references"}, kind


def _grown(start: int, stop: int, most: int) -> tuple[int, int]:
    """Start and length of a span that is at least a patch long and inside the picture."""
    start, stop = max(0, min(start, most)), max(0, min(stop, most))
    length = max(TILE, stop - start)
    return max(0, min((start + stop - length) // 2, most - length)), min(length, most)


def _item(reference: OwnReference) -> QListWidgetItem:
    entry = reference.entry
    if entry is None or reference.pixels is None:
        item = QListWidgetItem(f"{reference.patch_id}\ndamaged")
        item.setToolTip(escape(reference.problem))
    else:
        item = QListWidgetItem(
            f"{entry.terrain}{' (lossy)' if entry.lossy else ''}, {entry.added[:10]}\n{entry.source}"
        )
        item.setIcon(QIcon(to_pixmap(reference.pixels, side=_ICON)))
        item.setToolTip(describe_own(entry))
    item.setData(Qt.ItemDataRole.UserRole, reference.patch_id)
    return item


def _beside(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(widgets[0], 1)
    for widget in widgets[1:]:
        layout.addWidget(widget)
    return row
