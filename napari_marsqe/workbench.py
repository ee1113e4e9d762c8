"""MarsQE Workbench: the one dock that walks from an opened file to an exported result."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_marsqe.column import Column
from napari_marsqe.dropping import CanvasDrops
from napari_marsqe.jobs import Failure, Runner, Task
from napari_marsqe.layers import TERRAIN, role_of, terrain_colours
from napari_marsqe.progress_strip import ProgressStrip
from napari_marsqe.sections.base import Section
from napari_marsqe.sections.enhance import EnhanceSection
from napari_marsqe.sections.estimate import EstimateOffer
from napari_marsqe.sections.export import ExportSection
from napari_marsqe.sections.judge import JudgeSection
from napari_marsqe.sections.open import OpenSection
from napari_marsqe.sections.understand import UnderstandSection
from napari_marsqe.session import Case, Session
from napari_marsqe.settings import EngineSettings, PaletteFollower, when_shown
from napari_marsqe.shortcuts import Shortcuts
from napari_marsqe.steps import BenchSteps, Notice
from napari_marsqe.theme import ThemeFollower
from napari_marsqe.tools import TOOLS, Drawer
from napari_marsqe.views.comparison import Comparison
from napari_marsqe.views.evidence_status import EvidenceStatus
from napari_marsqe.views.eyes import Eyes
from napari_marsqe.views.inspector import HINT, READY, Inspector, TilePicker

if TYPE_CHECKING:
    import napari

WIDTH = 320


class Workbench(BenchSteps):
    """Open, Understand, Enhance, Judge, Export.

    Each section makes the task of its step, :class:`BenchSteps` submits it, and this widget lays out sections and tools
    and keeps them fresh.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._docked = parent is not None
        # napari hands plugins a proxy, whose layers are new objects at every look; ours are known by identity.
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self.session = Session(self.viewer, self)
        self.runner = Runner(self)
        self.comparison = Comparison(self.viewer, self)
        self.picker = TilePicker(self.session, self)
        self.drops = CanvasDrops(self.viewer, self)

        self.open = OpenSection()
        self.estimate = EstimateOffer()
        self.open.column.insertWidget(2, self.estimate)
        self.understand = UnderstandSection()
        self.enhance = EnhanceSection()
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
        self.eyes = Eyes(self)
        self.drawers = {tool.key: Drawer(tool, self) for tool in TOOLS}
        theme, keys = ThemeFollower(self.viewer, self), Shortcuts(self)
        shown = (self.comparison, self.picker, self.eyes, theme, keys, self.drops, EvidenceStatus(self.session))
        self.palette = PaletteFollower(self._on_palette)
        self._followers = (self.session, *shown, self.palette, *self.drawers.values())
        self._notices: dict[str, Notice] = {}
        self._skipped: list[str] = []
        self._inspected: Case | None = None
        self._compared: Case | None = None
        self._build()
        self._connect()
        self.refresh()
        when_shown(self, self._start_with)

    def refresh(self) -> None:
        """Show the state of the session in all sections, and which button comes next."""
        busy, case = self.runner.is_busy, self.session.case
        if self.comparison.is_active and self._compared is not case:
            self.comparison.stop()
        self.eyes.refresh()
        for section in self._sections.values():
            section.refresh(self.session, busy)
            section.offer(None)
        self.estimate.refresh(self.session, busy)
        for drawer in self.drawers.values():
            drawer.refresh(self.session, busy)
        for key, notice in self._notices.items():
            section_or_none = self._sections.get(key)
            place = section_or_none or self.drawers.get(key)
            if place is not None:
                place.say(notice.text, notice.kind)
            if section_or_none is not None:
                section_or_none.offer(notice.remedy)
        following = case.next_step if case is not None else "open"
        for key, section in self._sections.items():
            section.mark_next(key == following)
        if self._inspected is not case or case is None or case.understanding is None:
            self._inspected = None
            self.inspector.clear(READY if case is not None and case.understanding is not None else HINT)
        else:
            self.inspector.follow(case)
        self.inspector.enable(not busy)

    # -- Qt ------------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        """Notice that the dock was closed: napari takes the widget out of it and leaves it alive, listening."""
        if event.type() == QEvent.Type.ParentChange:
            was_docked, self._docked = self._docked, self.parent() is not None
            if was_docked and not self._docked:
                self.runner.abandon()
                _let_go(self.runner, self._followers)
                QTimer.singleShot(0, self.deleteLater)
        return super().event(event)

    # -- inside --------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.setMinimumWidth(WIDTH)
        self.column = Column([*self._sections.values(), self.inspector, *self.drawers.values()])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addWidget(self.column, 1)
        layout.addWidget(self.progress)

    def _connect(self) -> None:
        session, runner = self.session, self.runner
        session.changed.connect(self.refresh)
        session.layers_changed.connect(self.refresh)
        session.leaving.connect(self.comparison.stop)
        session.leaving.connect(self.eyes.stop)
        session.forgotten.connect(runner.cancel_for)
        runner.started.connect(self._on_started)
        runner.progressed.connect(self.progress.show_progress)
        runner.failed.connect(self._on_failed)
        runner.cancelled.connect(self._on_cancelled)
        runner.idle.connect(self._on_idle)
        self.progress.cancel_requested.connect(runner.cancel)
        self.open.path_chosen.connect(self.open_path)
        self.open.next_requested.connect(self.show_next)
        self.open.truth_file_chosen.connect(self.open_truth)
        self.open.session_saved.connect(self.save_session)
        self.open.session_chosen.connect(self.open_session)
        self.files_dropped.connect(self.open_paths)
        self.drops.files_dropped.connect(self.open_paths)
        self.open.sample_chosen.connect(self.open_sample)
        self.open.source_chosen.connect(self._on_source)
        self.open.truth_chosen.connect(self._on_truth)
        self.open.simulate_requested.connect(self.run_simulate)
        self.estimate.clicked.connect(self.run_estimate)
        self.understand.requested.connect(self.run_understand)
        self.understand.rematch_requested.connect(self.run_rematch)
        self.inspector.reference_chosen.connect(self.use_reference)
        self.inspector.forbidding.connect(self.forbid_reference)
        self.inspector.undo_requested.connect(self.undo_argument)
        self.enhance.requested.connect(self.run_enhance)
        self.judge.requested.connect(self.run_judge)
        self.judge.compare.toggled.connect(self.set_comparing)
        self.comparison.ended.connect(partial(self.judge.compare.setChecked, False))
        self.export.path_chosen.connect(self.run_export)
        self.picker.picked.connect(self.inspect)
        # A dock is destroyed without being asked; by then only Python's side is left, which is enough to let go.
        self.destroyed.connect(partial(_let_go, runner, self._followers))

    def _start_with(self, settings: EngineSettings) -> None:
        self.open.start_with(settings)
        self.enhance.start_with(settings)
        self.palette.start()

    def _on_palette(self) -> None:
        for layer in self.viewer.layers:
            if role_of(layer) == TERRAIN:
                layer.colormap = terrain_colours()
        self.refresh()

    def _on_started(self, task: Task) -> None:
        self._notices.clear()
        if task.key != "open":
            self._skipped.clear()
        elif self._skipped:
            self._notices["open"] = Notice("<br>".join(self._skipped), "Error")
        self.progress.start(task)
        self.refresh()

    def _on_failed(self, task: Task, failure: Failure) -> None:
        self.fail(task.key, failure)

    def _on_cancelled(self, task: Task) -> None:
        self.tell(task.key, "Cancelled; all layers are as they were. Press the button to start again.")

    def _on_idle(self) -> None:
        self.progress.hide()
        self.refresh()


def _let_go(runner: Runner, followers: Sequence[Any]) -> None:
    runner.close()
    for follower in followers:
        follower.disconnect_viewer()
