"""In step 1: the tables of an image that was a JPEG on board and came as a PNG or TIFF, estimated from its pixels."""

from __future__ import annotations

from functools import partial

from qtpy.QtWidgets import QPushButton, QWidget

from marsqe.image import MarsImage
from napari_marsqe import work
from napari_marsqe.jobs import Task
from napari_marsqe.sections.open import KEY
from napari_marsqe.session import Case, Session
from napari_marsqe.wording import sent_as

TOOLTIP = (
    "For a PNG or TIFF that was a JPEG before: finds its quality and grid in the pixels and cuts it to whole blocks, "
    "so that the result can be held to it and its confidence told."
)


class EstimateOffer(QPushButton):
    """A button that is there for images of which it makes sense."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Estimate the JPEG’s tables", parent)
        self.setToolTip(TOOLTIP)
        self.hide()

    def task(self, session: Session, case: Case) -> Task:
        """Estimate, and make what was cut to whole blocks the current image; the original waits, hidden."""

        def apply(image: MarsImage) -> None:
            if session.knows(case):
                session.add_estimated(image, case)

        return Task(KEY, f"Estimating the tables of {case.image.name}", partial(work.estimate, case.image), apply, case)

    def refresh(self, session: Session, busy: bool) -> None:
        """Be there for the current image, or not."""
        case = session.case
        self.setVisible(case is not None and is_offered(case.image))
        self.setEnabled(not busy)


def is_offered(image: MarsImage) -> bool:
    """Whether an image may have been a JPEG whose tables are not known."""
    from marsqe.codecs.estimated import is_estimable

    sent = sent_as(image)
    other = image.compression.lossy and sent != "JPEG"
    return is_estimable(image) and not other and sent in ("JPEG", "")
