"""MarsQE Workbench: the one dock that walks from an opened file to an exported result."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from marsqe.errors import MarsqeError
from napari_marsqe.column import Column
from napari_marsqe.dropping import DropTarget
from napari_marsqe.jobs import Failure, Runner, Task
from napari_marsqe.progress_strip import ProgressStrip
from napari_marsqe.sections.base import Section
from napari_marsqe.sections.enhance import EnhanceSection
from napari_marsqe.sections.export import ExportSection
from napari_marsqe.sections.judge import JudgeSection
from napari_marsqe.sections.open import OpenSection
from napari_marsqe.sections.understand import UnderstandSection
from napari_marsqe.session import Case, Session
from napari_marsqe.settings import engine_settings
from napari_marsqe.theme import ThemeFollower
from napari_marsqe.views.comparison import Comparison, side_by_side
from napari_marsqe.views.inspector import HINT, READY, Inspector, TilePicker
from napari_marsqe.wording import escape

if TYPE_CHECKING:
    import napari

WIDTH = 340


class Workbench(DropTarget):
    """Open, Understand, Enhance, Judge, Export.

    Each section makes the task of its step; this widget only says which follows which.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._docked = parent is not None
        # napari hands plugins a proxy, whose layers are new objects at every look; ours are known by identity.
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        settings = engine_settings()
        self.session = Session(self.viewer, self)
        self.runner = Runner(self)
        self.comparison = Comparison(self.viewer, self)
        self.picker = TilePicker(self.session, self)

        self.open = OpenSection(settings.quality)
        self.understand = UnderstandSection()
        self.enhance = EnhanceSection(settings)
        self.judge = JudgeSection()
        self.export = ExportSection()
        self.inspector = Inspector()
        self.progress = ProgressStrip()
        self._sections: dict[str, Section] = {
            "open": self.open,
            "understand": self.understand,
            "enhance": self.enhance,
            "judge": self.judge,
            "export": self.export,
        }
        self._followers = (self.session, self.comparison, self.picker, ThemeFollower(self.viewer, self))
        self._notices: dict[str, tuple[str, str]] = {}
        self._inspected: Case | None = None
        self._compared: Case | None = None
        self._build()
        self._connect()
        self.refresh()

    # -- what a user, or the demonstration, may ask for ---------------------------------------------------------

    def open_path(self, path: str | Path, truth: str | Path | None = None) -> None:
        """Open an image file, with its uncompressed original if there is one."""
        original = Path(truth) if truth is not None else None
        self.runner.submit(self.open.open_task(self.session, Path(path), original))

    def open_sample(self, name: str) -> None:
        """Open a bundled sample and its truth."""
        self.runner.submit(self.open.sample_task(self.session, name))

    def run_understand(self) -> None:
        """Find the terrain of the current image and match references."""
        if self.session.case is not None:
            self._submit(self._understanding(self.session.case))

    def run_enhance(self) -> None:
        """Enhance the current image; what was not understood is understood first, what was judged is judged again."""
        case = self.session.case
        if case is None:
            return
        tasks = self.understand.needed_tasks(self.session, case, self.enhance.device.value)
        try:
            tasks.append(self.enhance.task(self.session, case))
        except MarsqeError as error:
            self._on_failed(None, Failure(error), "enhance")
            return
        if case.judgement is not None:
            tasks.append(self.judge.task(self.session, case))
        self._submit(*tasks)

    def run_rematch(self) -> None:
        """Match anew where somebody drew in the terrain of the current image."""
        case = self.session.case
        if case is not None and case.redrawn is not None:
            self._submit(self.understand.rematch_task(self.session, case))

    def use_reference(self, row: int, column: int, index: int) -> None:
        """Use another reference for a tile of the current image."""
        case = self.session.case
        if case is not None and case.understanding is not None:
            self._submit(self.understand.reference_task(self.session, case, row, column, index))

    def run_judge(self) -> None:
        """Judge the newest enhancement of the current image."""
        case = self.session.case
        if case is not None and case.enhancement is not None:
            self._submit(self.judge.task(self.session, case))

    def run_export(self, path: Path) -> None:
        """Save the newest enhancement of the current image."""
        case = self.session.case
        if case is not None and case.enhancement is not None:
            self._submit(self.export.task(self.session, case, path))

    def run_all(self) -> None:
        """Understand, enhance and judge the current image."""
        case = self.session.case
        if case is not None:
            steps = (self.enhance.task(self.session, case), self.judge.task(self.session, case))
            self._submit(self._understanding(case), *steps)

    def run_simulate(self) -> None:
        """Compress the chosen layer, as a rover would before it sends it."""
        try:
            task = self.open.simulate_task(self.session)
        except MarsqeError as error:
            self._on_failed(None, Failure(error))
            return
        self._submit(task)

    def inspect(self, row: int, column: int, extend: bool = False) -> None:
        """Show a tile of the current image and its reference, and select it or extend the selection to it."""
        case = self.session.case
        if case is None or case.understanding is None:
            return
        try:
            self.inspector.show_tile(case, row, column)
        except MarsqeError as error:
            self.inspector.clear(escape(str(error)))
            return
        self._inspected = case
        self.picker.mark(case, row, column, extend=extend)
        self._column.reveal(self.inspector)

    def set_comparing(self, on: bool) -> None:
        """Put compressed, enhanced and what was judged side by side, or go back."""
        case = self.session.case
        if not on:
            self.comparison.stop()
            return
        if case is None or case.enhanced is None:
            self.judge.compare.setChecked(False)
            return
        self._compared = case
        self.comparison.start(side_by_side(case))

    def refresh(self) -> None:
        """Show the state of the session in all sections, and which button comes next."""
        busy, case = self.runner.is_busy, self.session.case
        if self.comparison.is_active and self._compared is not case:
            self.comparison.stop()
        for key, section in self._sections.items():
            section.refresh(self.session, busy)
            if key in self._notices:
                section.say(*self._notices[key])
        following = case.next_step if case is not None else "open"
        for key, section in self._sections.items():
            section.mark_next(key == following)
        if self._inspected is not case or case is None or case.understanding is None:
            self._inspected = None
            self.inspector.clear(READY if case is not None and case.understanding is not None else HINT)
        else:
            self.inspector.follow(case)
        self.inspector.references.setEnabled(not busy)

    # -- Qt ------------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Notice that the dock was closed: napari takes the widget out of it and leaves it alive, listening."""
        if event.type() == QEvent.Type.ParentChange:
            was_docked, self._docked = self._docked, self.parent() is not None
            if was_docked and not self._docked:
                _let_go(self.runner, self._followers)
                QTimer.singleShot(0, self.deleteLater)
        return super().event(event)

    # -- inside --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setMinimumWidth(WIDTH)
        self._column = Column([*self._sections.values(), self.inspector])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addWidget(self._column, 1)
        layout.addWidget(self.progress)

    def _connect(self) -> None:
        session, runner = self.session, self.runner
        session.changed.connect(self.refresh)
        session.layers_changed.connect(self.refresh)
        session.forgotten.connect(runner.cancel_for)
        runner.started.connect(self._on_started)
        runner.progressed.connect(self.progress.show_progress)
        runner.failed.connect(self._on_failed)
        runner.cancelled.connect(self._on_cancelled)
        runner.idle.connect(self._on_idle)
        self.progress.cancel_requested.connect(runner.cancel)
        self.open.path_chosen.connect(self.open_path)
        self.file_dropped.connect(self.open_path)
        self.open.sample_chosen.connect(self.open_sample)
        self.open.source_chosen.connect(self._on_source)
        self.open.truth_chosen.connect(self._on_truth)
        self.open.simulate_requested.connect(self.run_simulate)
        self.understand.requested.connect(self.run_understand)
        self.understand.rematch_requested.connect(self.run_rematch)
        self.inspector.reference_chosen.connect(self.use_reference)
        self.enhance.requested.connect(self.run_enhance)
        self.judge.requested.connect(self.run_judge)
        self.judge.compare.toggled.connect(self.set_comparing)
        self.comparison.ended.connect(partial(self.judge.compare.setChecked, False))
        self.export.path_chosen.connect(self.run_export)
        self.picker.picked.connect(self.inspect)
        # A dock is destroyed without being asked; by then only Python's side is left, which is enough to let go.
        self.destroyed.connect(partial(_let_go, runner, self._followers))

    def _submit(self, *tasks: Task) -> None:
        if not self.runner.is_busy:
            self.runner.submit(*tasks)

    def _understanding(self, case: Case) -> Task:
        return self.understand.task(self.session, case, self.enhance.device.value)

    def _on_source(self, layer: Any) -> None:
        self._notices.clear()
        if layer is None:
            self.refresh()
            return
        try:
            self.session.choose(layer)
        except MarsqeError as error:
            self._on_failed(None, Failure(error))

    def _on_truth(self, layer: Any) -> None:
        case = self.session.case
        if case is not None:
            again = case.judgement is not None
            self.session.set_truth(case, layer)
            if again:
                self.run_judge()

    def _on_started(self, task: Task) -> None:
        self._notices.clear()
        self.progress.start(task)
        self.refresh()

    def _on_failed(self, task: Task | None, failure: Failure, key: str = "open") -> None:
        from napari.utils.notifications import show_error

        self._notices[task.key if task is not None else key] = (escape(failure.text), "Error")
        self.refresh()
        show_error(failure.text)

    def _on_cancelled(self, task: Task) -> None:
        words = "Cancelled; all layers are as they were. Press the button to start again."
        self._notices[task.key] = (words, "Hint")
        self.refresh()

    def _on_idle(self) -> None:
        self.progress.hide()
        self.refresh()


def _let_go(runner: Runner, followers: Sequence[Any]) -> None:
    runner.close()
    for follower in followers:
        follower.disconnect_viewer()
