"""Step 1: an image, its truth where there is one, and compression to try the method on."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QSpinBox, QWidget

from marsqe.image import MarsImage, Pixels
from napari_marsqe import layers as conventions
from napari_marsqe import work
from napari_marsqe.jobs import Task
from napari_marsqe.reader import SUFFIXES
from napari_marsqe.sections.base import Fold, Section, form
from napari_marsqe.sections.choices import Choice, LayerChoice
from napari_marsqe.session import Session
from napari_marsqe.wording import describe_image

KEY = "open"
HINT = (
    "Drop an image here, press Open…, or take a sample. JPEG, PNG, TIFF, WebP and VICAR are read; PDS products, HEIC "
    "and BPG with an extra."
)
SUBSAMPLINGS = (("4:2:0", "4:2:0"), ("4:2:2", "4:2:2"), ("4:4:4", "4:4:4"))


class OpenSection(Section):
    """Open a file or a sample, choose a layer, or compress one."""

    path_chosen = Signal(object)
    sample_chosen = Signal(str)
    truth_chosen = Signal(object)
    source_chosen = Signal(object)
    simulate_requested = Signal()

    def __init__(self, quality: int, parent: QWidget | None = None) -> None:
        super().__init__("1  Open", "Open…", "Open an image file and read how it was compressed.", parent)
        self._folder = ""
        self.requested.connect(self._ask)

        self.samples = QPushButton("Open a sample")
        self.samples.setToolTip("Open a bundled rover image together with its uncompressed original.")
        self.samples.setMenu(self._sample_menu())
        self.options.addRow(self.samples)

        self.source = LayerChoice(conventions.is_source, "nothing opened yet", "The image that the steps work on.")
        self.source.chosen.connect(self.source_chosen)
        self.options.addRow("Image", self.source)

        self._case: Any = None
        self.truth = LayerChoice(
            self._fits_truth, "none", "The uncompressed original, against which the result is judged."
        )
        self.truth.chosen.connect(self.truth_chosen)
        self.options.addRow("Truth", self.truth)

        self._add_simulation(quality)
        self.offer_options(shown=True)

    def _add_simulation(self, quality: int) -> None:
        body = QWidget()
        rows = form(body)
        self.original = LayerChoice(_is_picture, "choose a layer", "The image that is to be compressed.")
        self.original.chosen.connect(self._enable_simulate)
        self.quality = QSpinBox()
        self.quality.setRange(1, 100)
        self.quality.setValue(quality)
        self.quality.setToolTip("JPEG quality factor, 1 (smallest file) to 100; rovers often use 30 to 95.")
        self.subsampling = Choice(SUBSAMPLINGS, "How much of the colour's resolution is kept; 4:2:0 keeps a quarter.")
        self.simulate = QPushButton("Compress")
        self.simulate.setToolTip("Compress the layer as a rover would, and keep it as the truth to judge against.")
        self.simulate.clicked.connect(self.simulate_requested)
        row = QHBoxLayout()
        row.addWidget(self.quality)
        row.addWidget(self.subsampling)
        rows.addRow("Layer", self.original)
        rows.addRow("Quality", row)
        rows.addRow(self.simulate)
        tooltip = "Compress an image whose original you have, so that the gain can be measured."
        self.simulation = Fold("Simulate downlink", body, tooltip)
        self.options.addRow(self.simulation)
        self.options.addRow(body)

    def open_task(self, session: Session, path: Path, truth: Path | None = None) -> Task:
        """Read a file and show it."""

        def apply(read: tuple[MarsImage, MarsImage | None]) -> None:
            session.open(*read)
            session.viewer.fit_to_view()

        return Task(KEY, f"Opening {path.name}", partial(work.open_files, path, truth), apply)

    def sample_task(self, session: Session, name: str) -> Task:
        """Read a sample and its truth and show both."""
        from marsqe.samples import sample_path

        return self.open_task(session, sample_path(name, "compressed"), sample_path(name, "truth"))

    def simulate_task(self, session: Session) -> Task:
        """Compress the chosen layer and make it the truth of the result.

        Raises
        ------
        SettingError
            If the layer is no image that the engine takes.
        """
        layer = self.original.value
        original = conventions.image_of(layer)

        def apply(made: tuple[MarsImage, Pixels]) -> None:
            session.add_simulated(*made, layer)

        steps = partial(work.simulate, original, self.quality.value(), self.subsampling.value)
        return Task(KEY, "Simulating the downlink", steps, apply, owner=layer)

    def refresh(self, session: Session, busy: bool) -> None:
        """Show the case's image and the layers to choose from."""
        case = self._case = session.case
        layers = list(session.viewer.layers)
        for choice in (self.source, self.truth, self.original):
            choice.refresh(layers)
        self.source.set_value(case.source if case else None)
        self.truth.set_value(case.truth if case else None)
        if self.original.value is None and case is not None:
            self.original.set_value(case.truth)
        self.truth.setEnabled(case is not None)
        for widget in (self.action, self.samples, self.source):
            widget.setEnabled(not busy)
        self._busy = busy
        self._enable_simulate()
        if case is None:
            self.say(HINT, "Hint")
        else:
            self.say(describe_image(case.image, case.truth.name if case.truth is not None else None))

    def _enable_simulate(self, _layer: Any = None) -> None:
        self.simulate.setEnabled(self.original.value is not None and not self._busy)

    def _fits_truth(self, layer: Any) -> bool:
        case = self._case
        return (
            case is not None
            and layer is not case.source
            and _is_picture(layer)
            and tuple(layer.data.shape) == case.image.pixels.shape
        )

    def _sample_menu(self) -> QMenu:
        from marsqe.samples import SAMPLES

        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for sample in SAMPLES:
            action = menu.addAction(f"{sample.title} — {sample.mission}")
            action.setToolTip(sample.credit)
            action.triggered.connect(partial(self._choose_sample, sample.name))
        return menu

    def _choose_sample(self, name: str, _checked: bool = False) -> None:
        self.sample_chosen.emit(name)

    def _ask(self) -> None:
        # Mission archives write suffixes in capitals, and some systems' dialogs tell the two apart.
        patterns = " ".join(f"*{suffix} *{suffix.upper()}" for suffix in SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a Martian image", self._folder, f"Images ({patterns});;All files (*)"
        )
        if path:
            self._folder = str(Path(path).parent)
            self.path_chosen.emit(Path(path))


def _is_picture(layer: Any) -> bool:
    return conventions.is_source(layer) and not getattr(layer, "multiscale", False)
