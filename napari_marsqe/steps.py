"""What the workbench can be asked to do: one method for each step, each of which submits the step's task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from marsqe.errors import DeviceMemoryError, MarsqeError
from napari_marsqe import arguing
from napari_marsqe.column import Column
from napari_marsqe.dropping import DropTarget
from napari_marsqe.jobs import Failure, Runner, Task
from napari_marsqe.saving.folder import is_session
from napari_marsqe.sections.base import Remedy
from napari_marsqe.sections.enhance import EnhanceSection
from napari_marsqe.sections.estimate import EstimateOffer
from napari_marsqe.sections.export import ExportSection
from napari_marsqe.sections.judge import JudgeSection
from napari_marsqe.sections.open import OpenSection
from napari_marsqe.sections.understand import UnderstandSection
from napari_marsqe.session import Case, Session
from napari_marsqe.views.comparison import Comparison, side_by_side
from napari_marsqe.views.inspector import Inspector, TilePicker
from napari_marsqe.wording import escape


@dataclass(frozen=True)
class Notice:
    """What a section or a tool says until the next task begins: a text of a kind of ``Words``, and what helps."""

    text: str
    kind: str
    remedy: Remedy | None = None


class BenchSteps(DropTarget):
    """The steps of the workbench, as buttons, shortcuts, tools and the demonstration ask for them."""

    session: Session
    runner: Runner
    open: OpenSection
    estimate: EstimateOffer
    understand: UnderstandSection
    enhance: EnhanceSection
    judge: JudgeSection
    export: ExportSection
    inspector: Inspector
    comparison: Comparison
    picker: TilePicker
    column: Column
    _notices: dict[str, Notice]
    _skipped: list[str]
    _inspected: Case | None
    _compared: Case | None

    def submit(self, *tasks: Task) -> None:
        """Run tasks one after another, unless something is at work."""
        if not self.runner.is_busy:
            self.runner.submit(*tasks)

    def tell(self, key: str, text: str, kind: str = "Hint", remedy: Remedy | None = None) -> None:
        """Show a text in the section or tool of that key, until the next task begins."""
        self._notices[key] = Notice(text, kind, remedy)
        self.refresh()

    def fail(self, key: str, failure: Failure) -> None:
        """Tell what went wrong, in the section or tool of that key and as napari's notification."""
        from napari.utils.notifications import show_error

        remedy = None
        if isinstance(failure.error, DeviceMemoryError) and key in ("understand", "enhance"):
            words = "Do this step again on the processor, which is slower and has more memory."
            remedy = Remedy("Use the processor instead", words, partial(self._run_on_processor, key))
        text = escape(failure.text)
        if key == "open":
            # One of several files: what went wrong with the others is told as well.
            self._skipped.append(text)
            text = "<br>".join(self._skipped)
        self.tell(key, text, "Error", remedy)
        show_error(failure.text)

    def refresh(self) -> None:
        """Show the state of the session everywhere."""
        raise NotImplementedError

    def open_path(self, path: str | Path, truth: str | Path | None = None) -> None:
        """Open an image file, with its uncompressed original if there is one."""
        self._skipped.clear()
        original = Path(truth) if truth is not None else None
        self.runner.submit(self.open.open_task(self.session, Path(path), original))

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Open several files, one after another; the first is shown, the others wait as next images.

        Sessions among them are reopened. What cannot be opened is named and skipped.
        """
        self._skipped.clear()
        images = [path for path in paths if not is_session(path)]
        tasks = [
            self.open.open_task(self.session, path, left=len(images) - number, aside=number > 1)
            for number, path in enumerate(images, 1)
        ]
        tasks += [self.open.session_task(self, path) for path in paths if is_session(path)]
        self.runner.submit(*tasks)

    def show_next(self) -> None:
        """Show the image after the current one, after the last the first."""
        cases, case = self.session.cases, self.session.case
        if case is not None and len(cases) > 1:
            self.session.turn_to(cases[(cases.index(case) + 1) % len(cases)])

    def open_truth(self, path: Path) -> None:
        """Open the uncompressed original of the current image."""
        if self.session.case is not None:
            self.submit(self.open.truth_task(self.session, self.session.case, path, self.run_judge))

    def save_session(self, folder: Path) -> None:
        """Save all images with their layers and results into a folder."""
        try:
            self.submit(self.open.save_task(self.session, folder))
        except MarsqeError as error:
            self.fail("open", Failure(error))

    def open_session(self, folder: Path) -> None:
        """Reopen what was saved in a folder."""
        self._skipped.clear()
        self.runner.submit(self.open.session_task(self, folder))

    def open_sample(self, name: str) -> None:
        """Open a bundled sample and its truth."""
        self._skipped.clear()
        self.runner.submit(self.open.sample_task(self.session, name))

    def run_understand(self) -> None:
        """Find the terrain of the current image and match references."""
        if self.session.case is not None:
            self.submit(self._understanding(self.session.case))

    def run_enhance(self) -> None:
        """Enhance the current image; what was not understood is understood first, what was judged is judged again."""
        case = self.session.case
        if case is None:
            return
        tasks = self.understand.needed_tasks(self.session, case, self.enhance.device.value)
        try:
            tasks.append(self.enhance.task(self.session, case))
        except MarsqeError as error:
            self.fail("enhance", Failure(error))
            return
        if case.judgement is not None:
            tasks.append(self.judge.task(self.session, case))
        self.submit(*tasks)

    def run_estimate(self) -> None:
        """Estimate the JPEG tables of the current image; what was estimated before is shown again."""
        case = self.session.case
        if case is None:
            return
        self._skipped.clear()
        known = self.session.estimated_from(case)
        if known is not None:
            self.session.turn_to(known)
        else:
            self.submit(self.estimate.task(self.session, case))

    def run_rematch(self) -> None:
        """Match anew where somebody drew in the terrain of the current image."""
        case = self.session.case
        if case is not None and case.redrawn is not None:
            self.submit(self.understand.rematch_task(self.session, case))

    def use_reference(self, row: int, column: int, index: int) -> None:
        """Use another reference for a tile of the current image, and enhance the tile again where that matters."""
        case = self.session.case
        if case is not None and case.understanding is not None:
            self.argue(case, self.understand.reference_task(self.session, case, row, column, index))

    def forbid_reference(self, name: str, on: bool = True) -> None:
        """Let no tile of the current image have a reference, or allow it again."""
        case = self.session.case
        if case is None or case.understanding is None:
            return
        try:
            self.argue(case, self.understand.forbidding_task(self.session, case, name, on=on))
        except MarsqeError as error:
            self.fail("understand", Failure(error))

    def undo_argument(self) -> None:
        """Go back to the references before the last change, and to the result that they had led to."""
        case = self.session.case
        if case is not None and case.past and not self.runner.is_busy:
            again = case.judgement is not None
            arguing.undo(self.session, case)
            if again and case.judgement is None:
                self.run_judge()

    def argue(self, case: Case, task: Task) -> None:
        """Submit an argument about references; what was judged is judged again where the result changes."""
        again = case.judgement is not None and arguing.uses_references(case.enhancement)
        self.submit(task, *([self.judge.task(self.session, case)] if again else []))

    def run_judge(self) -> None:
        """Judge the newest enhancement of the current image."""
        case = self.session.case
        if case is not None and case.enhancement is not None:
            self.submit(self.judge.task(self.session, case))

    def run_export(self, path: Path) -> None:
        """Save the newest enhancement of the current image."""
        case = self.session.case
        if case is not None and case.enhancement is not None:
            self.submit(self.export.task(self.session, case, path))

    def run_all(self) -> None:
        """Understand, enhance and judge the current image."""
        case = self.session.case
        if case is not None:
            steps = (self.enhance.task(self.session, case), self.judge.task(self.session, case))
            self.submit(self._understanding(case), *steps)

    def run_simulate(self) -> None:
        """Compress the chosen layer, as a rover would before it sends it."""
        self._skipped.clear()
        try:
            task = self.open.simulate_task(self.session)
        except MarsqeError as error:
            self.fail("open", Failure(error))
            return
        self.submit(task)

    def inspect(self, row: int, column: int, extend: bool = False, *, reveal: bool = True) -> None:
        """Show a tile of the current image and its reference, and select it or extend the selection to it.

        ``reveal`` scrolls to the inspector. A tile that was not matched is selected all the same.
        """
        case = self.session.case
        if case is None:
            return
        if case.understanding is None:
            self.picker.mark(case, row, column, extend=extend)
            return
        try:
            self.inspector.show_tile(case, row, column)
        except MarsqeError as error:
            self.inspector.clear(escape(str(error)))
            return
        self._inspected = case
        self.picker.mark(case, row, column, extend=extend)
        if reveal:
            self.column.reveal(self.inspector)

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

    # -- what the sections tell ---------------------------------------------------------------------------------

    def _understanding(self, case: Case) -> Task:
        return self.understand.task(self.session, case, self.enhance.device.value)

    def _run_on_processor(self, key: str) -> None:
        self.enhance.device.set_value("cpu")
        {"understand": self.run_understand, "enhance": self.run_enhance}[key]()

    def _on_source(self, layer: Any) -> None:
        self._notices.clear()
        self._skipped.clear()
        if layer is None:
            self.refresh()
            return
        try:
            self.session.choose(layer)
        except MarsqeError as error:
            self.fail("open", Failure(error))

    def _on_truth(self, layer: Any) -> None:
        case = self.session.case
        if case is not None:
            again = case.judgement is not None
            self.session.set_truth(case, layer)
            if again:
                self.run_judge()
