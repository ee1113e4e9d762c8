"""Step 4: how good the result is, or, without a truth, what was changed."""

from __future__ import annotations

from collections.abc import Iterator

from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QWidget

from marsqe.progress import Steps
from marsqe.results import Judgement
from napari_marsqe import layers as conventions
from napari_marsqe import work
from napari_marsqe.evidence import CONFIDENCE, LEGEND, ROLES, Evidence, evidence_layers, gather
from napari_marsqe.jobs import Task
from napari_marsqe.labels import Words
from napari_marsqe.sections.base import Section
from napari_marsqe.session import Case, Session
from napari_marsqe.wording import describe_judgement

KEY = "judge"
WITH_TRUTH = "Measures how much closer to the truth the result is, for the image, each terrain and each tile."
WITHOUT_TRUTH = "There is no truth, so a gain cannot be measured; shows what was changed instead."


class JudgeSection(Section):
    """Judge the newest enhancement."""

    def __init__(self, parent: QWidget | None = None) -> None:
        tooltip = "Compare the result with the truth, or with the compressed image where there is no truth."
        super().__init__("4  Judge", "Judge", tooltip, parent)
        self.compare = _look(
            "Compare side by side",
            "Show compressed, enhanced, residual and ΔPSNR beside each other, views linked; press again to go back.",
        )
        self.swipe = _look("Swipe", "Compressed left of the mouse, enhanced right of it; press again to go back.")
        self.blink = _look("Blink", "Show compressed and enhanced in turn, in the same place; press again to stop.")
        looks = QHBoxLayout()
        looks.addWidget(self.swipe)
        looks.addWidget(self.blink)
        self.key = Words()
        self.key.say("Or hold the key <b>H</b> over the image to see it as it came down.", "Hint")
        self.confidence = QCheckBox("Show the confidence")
        self.confidence.setToolTip(
            "Also show how far, nine times in ten, a pixel may be from the truth, and where the JPEG speaks against it."
        )
        self.legend = Words()
        self.legend.say(LEGEND, "Hint")
        self.legend.hide()
        self.column.addWidget(self.confidence)
        self.column.addWidget(self.legend)
        self.column.addWidget(self.compare)
        self.column.addLayout(looks)
        self.column.addWidget(self.key)

    def task(self, session: Session, case: Case) -> Task:
        """Judge a case and show residuals, gains or changes."""

        wanted = self.confidence.isChecked()

        def steps() -> Steps[tuple[Judgement, Evidence | None]]:
            assert case.enhancement is not None
            truth = None if case.truth is None else conventions.image_of(case.truth)
            judgement = yield from work.judge(case.enhancement, truth)
            return judgement, ((yield from gather(case.enhancement)) if wanted else None)

        def apply(found: tuple[Judgement, Evidence | None]) -> Iterator[None]:
            if not session.knows(case):
                return
            judgement, evidence = found
            case.judgement = judgement
            known = {} if evidence is None else evidence_layers(case.stem, evidence, case.frame)
            session.hide(case, *(set(ROLES) - set(known)))
            shown = conventions.judgement_layers(case.stem, judgement, case.frame) | known
            for role, layer in shown.items():
                session.show(case, role, layer)
                yield
                if not session.knows(case):
                    return
            # What another truth, or none, had shown does not belong to this judgement.
            roles = {conventions.RESIDUAL, conventions.RESIDUAL_BEFORE, conventions.GAIN, conventions.CHANGE}
            session.hide(case, *(roles - set(shown)))
            session.changed.emit()

        return Task(KEY, "Judging", steps, apply, owner=case)

    def refresh(self, session: Session, busy: bool) -> None:
        """Say how it went."""
        case = session.case
        enhanced = case is not None and case.enhancement is not None
        self.action.setEnabled(enhanced and not busy)
        comparable = case is not None and case.enhanced is not None
        for look in (self.compare, self.swipe, self.blink):
            look.setEnabled(look.isChecked() or comparable)
        self.key.setVisible(comparable)
        self.legend.setVisible(case is not None and CONFIDENCE in case.layers)
        if case is not None and case.judgement is not None:
            self.say(describe_judgement(case.judgement))
        elif case is not None and enhanced:
            self.say(WITH_TRUTH if case.truth is not None else WITHOUT_TRUTH, "Hint")
        else:
            self.say("Enhance an image first.", "Hint")


def _look(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setCheckable(True)
    button.setToolTip(tooltip)
    return button
