"""Step 2: the terrain, and a reference for every tile."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QWidget

from napari_marsqe import layers as conventions
from napari_marsqe import work
from napari_marsqe.jobs import Task
from napari_marsqe.sections.base import Section
from napari_marsqe.session import Case, Session
from napari_marsqe.wording import describe_terrain

KEY = "understand"
HINT = "Tells sky, sand, soil and rock apart, then finds a sharp reference of the same terrain for every tile."


class UnderstandSection(Section):
    """Segment the terrain and match the references."""

    def __init__(self, parent: QWidget | None = None) -> None:
        tooltip = "Find the terrain classes and match a reference patch to every tile."
        super().__init__("2  Understand", "Find terrain", tooltip, parent)

    def task(self, session: Session, case: Case, device: str) -> Task:
        """Understand a case and show the terrain and the references."""

        def apply(found: work.Understanding) -> None:
            if not session.knows(case):
                return
            case.understanding = found
            mosaic = conventions.references_layer(case.stem, found.mosaic, found.matches, case.frame)
            session.show(case, conventions.REFERENCES, mosaic)
            terrain = conventions.terrain_layer(case.stem, found.terrain, case.frame)
            session.show(case, conventions.TERRAIN, terrain)
            session.changed.emit()

        return Task(KEY, "Understanding", partial(work.understand, case.image, device), apply, owner=case)

    def refresh(self, session: Session, busy: bool) -> None:
        """Say what was found."""
        case = session.case
        self.action.setEnabled(case is not None and not busy)
        if case is not None and case.understanding is not None:
            found = case.understanding
            self.say(describe_terrain(found.terrain, found.matches))
        else:
            self.say(HINT if case is not None else "Open an image first.", "Hint")
