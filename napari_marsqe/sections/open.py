"""Step 1: an image, its truth where there is one, and compression to try the method on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QMenu, QPushButton, QSpinBox, QWidget

from marsqe.image import MarsImage, Pixels
from napari_marsqe import layers as conventions
from napari_marsqe import work
from napari_marsqe.jobs import Task
from napari_marsqe.layers import LayerData
from napari_marsqe.reader import SUFFIXES
from napari_marsqe.saving.folder import SUFFIX
from napari_marsqe.saving.sessions import open_steps, save_steps
from napari_marsqe.sections.base import Fold, Section, form
from napari_marsqe.sections.choices import Choice, LayerChoice
from napari_marsqe.session import Case, Session
from napari_marsqe.settings import EngineSettings
from napari_marsqe.wording import describe_image

if TYPE_CHECKING:
    from napari_marsqe.steps import BenchSteps

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
    next_requested = Signal()
    truth_file_chosen = Signal(object)
    session_saved = Signal(object)
    session_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("1  Open", "Open…", "Open an image file and read how it was compressed.", parent)
        self._folder = ""
        self.requested.connect(self._ask)

        self.samples = QPushButton("Open a sample")
        self.samples.setToolTip("Open a bundled rover image together with its uncompressed original.")
        self.samples.setMenu(self._sample_menu())
        self.kept = QPushButton("Session")
        self.kept.setToolTip("Save all images with their layers and results into a folder, or reopen such a folder.")
        self.kept.setMenu(self._session_menu())
        row = QHBoxLayout()
        row.addWidget(self.samples, 1)
        row.addWidget(self.kept)
        self.options.addRow(row)

        self.source = LayerChoice(conventions.is_source, "nothing opened yet", "The image that the steps work on.")
        self.source.chosen.connect(self.source_chosen)
        self.following = QPushButton("Next")
        self.following.setToolTip("Show the next of the images that are open.")
        self.following.clicked.connect(self.next_requested)
        self.options.addRow("Image", _beside(self.source, self.following))

        self._case: Any = None
        self.truth = LayerChoice(
            self._fits_truth, "none", "The uncompressed original, against which the result is judged."
        )
        self.truth.chosen.connect(self.truth_chosen)
        self.truth_file = QPushButton("File…")
        self.truth_file.setToolTip("Open the uncompressed original from a file.")
        self.truth_file.clicked.connect(self._ask_truth)
        self.options.addRow("Truth", _beside(self.truth, self.truth_file))

        self._add_simulation()
        self.offer_options(shown=True)

    def start_with(self, settings: EngineSettings) -> None:
        """Take the choices that Preferences hold."""
        self.quality.setValue(settings.quality)

    def _add_simulation(self) -> None:
        body = QWidget()
        rows = form(body)
        self.original = LayerChoice(_is_picture, "choose a layer", "The image that is to be compressed.")
        self.original.chosen.connect(self._enable_simulate)
        self.quality = QSpinBox()
        self.quality.setRange(1, 100)
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

    def open_task(
        self, session: Session, path: Path, truth: Path | None = None, *, left: int = 0, aside: bool = False
    ) -> Task:
        """Read a file and show it; with ``aside`` it waits behind the image that is shown. ``left`` more follow."""

        def apply(read: tuple[MarsImage, MarsImage | None]) -> None:
            waits = aside and session.case is not None
            session.open(*read, aside=waits)
            if not waits:
                session.viewer.fit_to_view()

        more = f", {left} more to come" if left else ""
        return Task(KEY, f"Opening {path.name}{more}", partial(work.open_files, path, truth), apply)

    def truth_task(self, session: Session, case: Case, path: Path, judge_again: Callable[[], None]) -> Task:
        """Read the original of a case and put it beneath; what was judged is judged again."""

        def apply(read: tuple[MarsImage, MarsImage | None]) -> None:
            if session.knows(case):
                again = case.judgement is not None
                session.add_truth(case, read[0])
                if again and session.case is case:
                    # Once this task has ended: one at a time.
                    QTimer.singleShot(0, judge_again)

        return Task(KEY, f"Opening {path.name}", partial(work.open_files, path), apply, owner=case)

    def save_task(self, session: Session, folder: Path) -> Task:
        """Save the session as it is now.

        Raises
        ------
        ExportError
            If there is nothing to save.
        """

        def apply(written: Path) -> None:
            from napari.utils.notifications import show_info

            show_info(f"Saved the session {written.name} in {written.parent}")

        return Task(KEY, f"Saving {folder.name}", save_steps(session, folder), apply)

    def session_task(self, bench: BenchSteps, folder: Path) -> Task:
        """Reopen a saved session: its layers, one for each turn of the event loop, then the view and the tile."""

        def apply(read: tuple[list[LayerData], dict[str, Any]]) -> Iterator[None]:
            from napari.layers import Layer

            made, view = read
            for data in made:
                bench.session.viewer.add_layer(Layer.create(*data))
                yield
            camera = bench.session.viewer.scene.camera
            camera.center, camera.zoom = view["centre"], view["zoom"]
            case = bench.session.case
            if case is not None and case.selected is not None:
                first, last = case.selected
                bench.inspect(*first)
                bench.inspect(*last, extend=True)

        return Task(KEY, f"Opening {folder.name}", partial(open_steps, folder), apply)

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
        for widget in (self.action, self.samples, self.source, self.kept):
            widget.setEnabled(not busy)
        self.truth_file.setEnabled(case is not None and not busy)
        number, place = len(session.cases), session.cases.index(case) + 1 if case in session.cases else 0
        self.following.setVisible(number > 1)
        self.following.setText(f"Next ({place}/{number})")
        for action in self._needing_case:
            action.setEnabled(case is not None)
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

    def _session_menu(self) -> QMenu:
        menu = QMenu(self)
        save, reopen = menu.addAction("Save session…"), menu.addAction("Open session…")
        save.triggered.connect(self._ask_save)
        reopen.triggered.connect(self._ask_session)
        self._needing_case = [save]
        return menu

    def _ask_save(self) -> None:
        proposed = str(Path(self._folder or Path.home()) / f"mars{SUFFIX}")
        name, _ = QFileDialog.getSaveFileName(self, "Save the session as a folder", proposed)
        if name:
            path = Path(name)
            self.session_saved.emit(path if path.suffix.lower() == SUFFIX else path.with_name(path.name + SUFFIX))

    def _ask_session(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Open a saved session", self._folder)
        if folder:
            self.session_chosen.emit(Path(folder))

    def _ask_truth(self) -> None:
        path = self._ask_image("Open the uncompressed original")
        if path is not None:
            self.truth_file_chosen.emit(path)

    def _choose_sample(self, name: str, _checked: bool = False) -> None:
        self.sample_chosen.emit(name)

    def _ask(self) -> None:
        path = self._ask_image("Open a Martian image")
        if path is not None:
            self.path_chosen.emit(path)

    def _ask_image(self, title: str) -> Path | None:
        # Mission archives write suffixes in capitals, and some systems' dialogs tell the two apart.
        patterns = " ".join(f"*{suffix} *{suffix.upper()}" for suffix in SUFFIXES)
        path, _ = QFileDialog.getOpenFileName(self, title, self._folder, f"Images ({patterns});;All files (*)")
        if not path:
            return None
        self._folder = str(Path(path).parent)
        return Path(path)


def _beside(choice: QWidget, button: QPushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(choice, 1)
    row.addWidget(button)
    return row


def _is_picture(layer: Any) -> bool:
    return conventions.is_source(layer) and not getattr(layer, "multiscale", False)
