"""Step 2: the terrain, and a reference for every tile."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_marsqe import arguing, work
from napari_marsqe import layers as conventions
from napari_marsqe.jobs import Task
from napari_marsqe.sections.base import Section
from napari_marsqe.session import Case, Session
from napari_marsqe.wording import describe_terrain

KEY = "understand"
HINT = "Tells sky, sand, soil and rock apart, then finds a sharp reference of the same terrain for every tile."


class UnderstandSection(Section):
    """Segment the terrain and match the references, anew where somebody drew in the terrain or chose a reference."""

    rematch_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        tooltip = "Find the terrain classes and match a reference patch to every tile."
        super().__init__("2  Understand", "Find terrain", tooltip, parent)
        self.rematch = QPushButton("Re-match what was drawn")
        self.rematch.setToolTip("Find references anew for the tiles whose terrain you changed with napari's brush.")
        self.rematch.clicked.connect(self.rematch_requested)
        self.rematch.hide()
        self.column.addWidget(self.rematch)

    def task(self, session: Session, case: Case, device: str) -> Task:
        """Understand a case and show the terrain and the references."""

        def apply(found: work.Understanding) -> Iterator[None]:
            if not session.knows(case):
                return
            case.understanding = found
            arguing.forget(case)
            mosaic = conventions.references_layer(
                case.stem, found.mosaic, found.matches, case.frame, case.image.full_scale
            )
            session.show(case, conventions.REFERENCES, mosaic)
            yield
            if not session.knows(case):
                return
            terrain = conventions.terrain_layer(case.stem, found.terrain, case.frame)
            session.show(case, conventions.TERRAIN, terrain)
            session.changed.emit()

        return Task(KEY, "Understanding", partial(work.understand, case.image, device), apply, owner=case)

    def needed_tasks(self, session: Session, case: Case, device: str) -> list[Task]:
        """What the enhancement needs first: nothing where the case is understood and its terrain as it was found."""
        if case.understanding is None:
            return [self.task(session, case, device)]
        return [] if case.redrawn is None else [self.rematch_task(session, case)]

    def rematch_task(self, session: Session, case: Case) -> Task:
        """Match the tiles whose class changed where somebody drew in the terrain layer."""
        found, labels = case.understanding, case.redrawn
        assert found is not None and labels is not None
        steps = partial(work.rematch, case.image, found, labels.copy())
        return Task(KEY, "Matching what was drawn", steps, partial(self._update, session, case), owner=case)

    def reference_task(self, session: Session, case: Case, row: int, column: int, index: int) -> Task:
        """Use another reference of its class for a tile."""
        assert case.understanding is not None
        argue = partial(work.choose_reference, case.image, case.understanding, row, column, index)
        return arguing.task(session, case, argue, "Using another reference")

    def forbidding_task(self, session: Session, case: Case, name: str, *, on: bool) -> Task:
        """Forbid a reference for all tiles, or allow it again."""
        found = case.understanding
        assert found is not None
        names = arguing.forbidden_names(found)
        names = names | {name} if on else names - {name}
        title = "Forbidding a reference" if on else "Allowing a reference"
        return arguing.task(session, case, partial(arguing.forbid, case.image, found, names), title)

    @staticmethod
    def _update(session: Session, case: Case, found: work.Understanding) -> None:
        if not session.knows(case):
            return
        arguing.forget(case)
        arguing.show_found(session, case, found)
        session.changed.emit()

    def refresh(self, session: Session, busy: bool) -> None:
        """Say what was found."""
        case = session.case
        self.action.setEnabled(case is not None and not busy)
        self.rematch.setVisible(case is not None and case.redrawn is not None)
        self.rematch.setEnabled(not busy)
        if case is not None and case.understanding is not None:
            found = case.understanding
            self.say(describe_terrain(found.terrain, found.matches))
            if case.redrawn is not None:
                self.say("The terrain was drawn on: re-match it, or enhance, which does so first.", "Hint")
        else:
            self.say(HINT if case is not None else "Open an image first.", "Hint")
