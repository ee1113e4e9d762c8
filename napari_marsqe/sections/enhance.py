"""Step 3: the enhancement."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QWidget

from marsqe.progress import Steps
from marsqe.results import Enhancement
from napari_marsqe import arguing, regions, work
from napari_marsqe import layers as conventions
from napari_marsqe.jobs import Task
from napari_marsqe.labels import Words
from napari_marsqe.preview import Preview
from napari_marsqe.sections.base import Section
from napari_marsqe.sections.choices import Choice
from napari_marsqe.session import Case, Session
from napari_marsqe.settings import EngineSettings, engine_settings, remembering
from napari_marsqe.wording import describe_enhancement, escape, not_held_in_words

KEY = "enhance"
HINT = "Removes the blocks and blur of compression; finds the terrain first where needed."
PRECISIONS = (("Automatic", "auto"), ("32 bits", "float32"))
_GPU = ("Apple GPU", "mps") if sys.platform == "darwin" else ("NVIDIA GPU", "cuda")


class EnhanceSection(Section):
    """Choose a model and a device, and enhance."""

    def __init__(self, parent: QWidget | None = None) -> None:
        tooltip = "Enhance the image with the chosen model; the result is a new layer."
        super().__init__("3  Enhance", "Enhance", tooltip, parent)
        self.model = Choice(
            [("Automatic", "auto")], "The network; “Automatic” takes the one that suits this machine best."
        )
        self.device = Choice([("Automatic", "auto"), ("Processor", "cpu"), _GPU], "Where the network runs.")
        self.region = Choice(
            regions.CHOICES, "What is enhanced; the rest stays as it is. Click a tile to select it, more with Shift."
        )
        self.precision = Choice(
            PRECISIONS, "How numbers are kept: “Automatic” takes 16 bits where the device is faster with them."
        )
        self.faithful = QCheckBox("Keep faithful to the JPEG")
        self.faithful.setChecked(True)
        self.faithful.setToolTip("Holds every frequency inside the interval that the JPEG recorded, up to rounding.")
        self.faithful.toggled.connect(remembering("faithful"))
        self.options.addRow("Model", self.model)
        self.options.addRow("Device", self.device)
        self.options.addRow("Precision", self.precision)
        self.options.addRow("Region", self.region)
        self.options.addRow(self.faithful)
        self._wanted_model = "auto"
        for name, choice in (("model", self.model), ("device", self.device), ("precision", self.precision)):
            choice.chosen.connect(remembering(name))
        self.warning = Words()
        self.warning.hide()
        self.column.insertWidget(2, self.warning)
        self.offer_options(shown=False)

    def start_with(self, settings: EngineSettings) -> None:
        """Take the choices that Preferences hold."""
        self._wanted_model = settings.model
        self.model.set_value(settings.model)
        self.device.set_value(settings.device)
        self.precision.set_value(settings.precision)
        with QSignalBlocker(self.faithful):
            self.faithful.setChecked(settings.faithful)

    def task(self, session: Session, case: Case) -> Task:
        """Enhance a case with the settings of this moment and show the result.

        Raises
        ------
        SettingError
            If the chosen region is empty.
        """
        settings = {
            "model": self.model.value,
            "device": self.device.value,
            "precision": self.precision.value,
            "faithful": self.faithful.isChecked(),
            "batch": engine_settings().batch,
            "first": regions.looked_at(session.viewer, case),
        }
        region = regions.region_of(self.region.value, session.viewer, case)
        preview = Preview(session, case)

        def steps() -> Steps[Enhancement]:
            # Asked for when the task begins: the task before it may have understood the image just now.
            return work.enhance(case.image, case.understanding, region, **settings)

        def apply(enhancement: Enhancement) -> Iterator[None]:
            if not session.knows(case):
                return
            case.enhancement, case.judgement, case.exported = enhancement, None, None
            preview.finish(enhancement).visible = True
            yield
            session.hide(case, conventions.TERRAIN, conventions.REFERENCES)
            if not_held_in_words(enhancement):
                from napari.utils.notifications import show_warning

                show_warning(f"{case.stem}: the result is not held to the JPEG; step 3 of the workbench says why")
            session.changed.emit()

        return Task(KEY, "Enhancing", steps, apply, case, preview.watch, preview.abandon)

    def refresh(self, session: Session, busy: bool) -> None:
        """Offer the models and say what was done."""
        case = session.case
        self.action.setEnabled(case is not None and not busy)
        if case is not None and len(self.model.values) == 1:
            self.offer_models()
        warning = "" if case is None or case.enhancement is None else not_held_in_words(case.enhancement)
        self.warning.say(warning, "Warning")
        self.warning.setVisible(bool(warning))
        if case is not None and case.enhancement is not None:
            self.say(describe_enhancement(case.enhancement) + _outdated(case))
        else:
            self.say(self._missing() + HINT if case is not None else "Open an image first.", "Hint")

    def _missing(self) -> str:
        """That the model which Preferences name is not there, if so."""
        if self._wanted_model in self.model.values:
            return ""
        name = escape(self._wanted_model)
        return f"Preferences name the model {name}, which has no weights here; “Automatic” is chosen instead. "

    def offer_models(self) -> None:
        """Offer the models whose weights are at hand; the chosen one stays chosen if it is among them."""
        import marsqe

        chosen = self.model.value if len(self.model.values) > 1 else None
        models = [m for m in marsqe.list_models() if m["available"]]
        self.model.set_items([("Automatic", "auto"), *((m["name"], m["name"]) for m in models)])
        for index, model in enumerate(models, 1):
            self.model.setItemData(index, model["description"], Qt.ItemDataRole.ToolTipRole)
        self.model.set_value(self._wanted_model if chosen is None else chosen)


def _outdated(case: Case) -> str:
    """Whether references were chosen, or terrain drawn, after the enhancement that is shown."""
    enhancement, found = case.enhancement, case.understanding
    if enhancement is None or found is None or enhancement.matches is found.matches:
        return ""
    if not arguing.uses_references(enhancement):
        return ""
    return "<br>Its references have changed since; enhance again to use them."
