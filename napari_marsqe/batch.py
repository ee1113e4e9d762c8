"""MarsQE Batch: enhance a folder of images into another, in the background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from marsqe.progress import Progress, Steps
from napari_marsqe.batch_table import BatchTable
from napari_marsqe.dropping import DropTarget
from napari_marsqe.jobs import Failure, Runner, Task
from napari_marsqe.labels import Words
from napari_marsqe.progress_strip import ProgressStrip
from napari_marsqe.sections.base import form
from napari_marsqe.sections.choices import Choice
from napari_marsqe.settings import EngineSettings, when_shown
from napari_marsqe.theme import ThemeFollower
from napari_marsqe.wording import count, escape

if TYPE_CHECKING:
    import napari

WIDTH = 320
HINT = "Choose a folder of images, and one for the results. A batch that was stopped goes on where it was."
_NAMED = 3
"""Failed files that the summary names; the table has all."""


@dataclass(frozen=True)
class Listing(Progress):
    """The files that were found: name of the result, path of the source."""

    files: tuple[tuple[str, str], ...] = ()


def work(folder: Path, out: Path, *, model: str, device: str, faithful: bool, recursive: bool) -> Steps[Any]:
    """Find the images of a folder and enhance them; runs in the worker thread."""
    yield Progress("Looking for images", 0, 0)
    from marsqe.errors import SettingError
    from marsqe.scale import Settings, batch_steps
    from marsqe.scale.sources import collect

    sources = collect([folder], out, recursive=recursive)
    if not sources:
        raise SettingError(f"there is no file in {folder}; choose another folder, or include the folders in it")
    files = tuple((source.output, str(source.path)) for source in sources)
    yield Listing("Looking for images", 0, len(files), files=files)
    return (yield from batch_steps(sources, out, Settings(model, device, faithful=faithful)))


def open_result(path: Path) -> Steps[Any]:
    """Read a result for the viewer."""
    yield Progress("Reading the file", 0, 1)
    from napari_marsqe.reader import read_layers

    return read_layers(str(path))


class FolderChoice(QWidget):
    """A folder's path and the button that asks for it."""

    changed = Signal()

    def __init__(self, title: str, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = title
        self.path = QLineEdit()
        self.path.setPlaceholderText("no folder yet")
        self.path.setToolTip(tooltip)
        self.path.textChanged.connect(self.changed)
        self.ask = QPushButton("Choose…")
        self.ask.setToolTip(tooltip)
        self.ask.clicked.connect(self._on_ask)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.path, 1)
        row.addWidget(self.ask)

    @property
    def folder(self) -> Path | None:
        """The folder, None while there is none."""
        text = self.path.text().strip()
        return Path(text) if text else None

    def _on_ask(self) -> None:
        found = QFileDialog.getExistingDirectory(self, self._title, self.path.text())
        if found:
            self.path.setText(found)


class BatchWidget(DropTarget):
    """Folders in and out, the model, the files with their states, progress and Cancel."""

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._docked = parent is not None
        self.viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        self._device = "auto"
        self.runner = Runner(self)
        self.opener = Runner(self)  # of its own: a result can be looked at while the batch goes on
        self.images = FolderChoice("Folder of images", "The folder whose images are enhanced; drop one here.")
        self.results = FolderChoice("Folder for the results", "Where the results and their table summary.csv go.")
        self.model = Choice([("Automatic", "auto")], "The network; “Automatic” takes the one that suits this machine.")
        self.recursive = QCheckBox("Include the folders in it")
        self.recursive.setToolTip("Enhances the images of folders inside the folder, too, and keeps their places.")
        self.faithful = QCheckBox("Keep faithful to the JPEG")
        self.faithful.setChecked(True)
        self.faithful.setToolTip("Holds every frequency inside the interval that the JPEG recorded, up to rounding.")
        self.start = QPushButton("Enhance all")
        self.start.setObjectName("marsqeNext")
        self.start.setToolTip("Enhance all images of the folder; what is finished already is kept.")
        self.summary = Words()
        self.table = BatchTable()
        self.progress = ProgressStrip()
        self.progress.cancel.setToolTip("Stop; what is finished stays, and the next start goes on from there.")
        self._theme = ThemeFollower(self.viewer, self)
        self._build()
        self._connect()
        self._refresh()
        when_shown(self, self._start_with)

    def begin(self) -> None:
        """Enhance the chosen folder."""
        folder, out = self.images.folder, self.results.folder
        if folder is None or out is None or self.runner.is_busy:
            return
        steps = partial(
            work,
            folder,
            out,
            model=self.model.value,
            device=self._device,
            faithful=self.faithful.isChecked(),
            recursive=self.recursive.isChecked(),
        )
        self.runner.submit(Task("batch", "Enhancing a folder", steps, self._on_report))

    def event(self, event: QEvent) -> bool:
        """Notice that the dock was closed, as the workbench does: the batch stops, and can be resumed."""
        if event.type() == QEvent.Type.ParentChange:
            was_docked, self._docked = self._docked, self.parent() is not None
            if was_docked and not self._docked:
                self.close_work()
                QTimer.singleShot(0, self.deleteLater)
        return super().event(event)

    def close_work(self) -> None:
        """Stop, and let go of the viewer."""
        _let_go(self.runner, self.opener, self._theme)

    def _build(self) -> None:
        self.setMinimumWidth(WIDTH)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        rows = form(box := QWidget())
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addRow("Images", self.images)
        rows.addRow("Results", self.results)
        rows.addRow("Model", self.model)
        rows.addRow(self.recursive)
        rows.addRow(self.faithful)
        for label in box.findChildren(QLabel):
            label.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        for widget in (box, self.start, self.summary):
            layout.addWidget(widget)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.progress)

    def _connect(self) -> None:
        for choice in (self.images, self.results):
            choice.changed.connect(self._refresh)
        self.files_dropped.connect(self._on_dropped)
        self.start.clicked.connect(self.begin)
        self.table.opened.connect(self._on_opened)
        self.table.asked.connect(self._on_asked)
        runner = self.runner
        runner.started.connect(self._on_started)
        runner.progressed.connect(self._on_progressed)
        runner.failed.connect(self._on_failed)
        runner.cancelled.connect(self._on_cancelled)
        runner.idle.connect(self._on_idle)
        self.opener.failed.connect(self._on_failed)
        self.progress.cancel_requested.connect(runner.cancel)
        self.destroyed.connect(partial(_let_go, runner, self.opener, self._theme))

    def _start_with(self, settings: EngineSettings) -> None:
        self._device = settings.device
        self.faithful.setChecked(settings.faithful)
        self._offer_models(settings.model)

    def _offer_models(self, wanted: str) -> None:
        import marsqe

        models = [(m["name"], m["name"]) for m in marsqe.list_models() if m["available"]]
        self.model.set_items([("Automatic", "auto"), *models])
        self.model.set_value(wanted)

    def _refresh(self) -> None:
        busy, ready = self.runner.is_busy, self.images.folder is not None and self.results.folder is not None
        self.start.setEnabled(ready and not busy)
        for widget in (self.images, self.results, self.model, self.recursive, self.faithful):
            widget.setEnabled(not busy)
        if not self.summary.text():
            self.summary.say(HINT, "Hint")

    def _on_dropped(self, paths: list[Path]) -> None:
        if self.runner.is_busy:
            return
        folder = paths[0] if paths[0].is_dir() else paths[0].parent
        self.images.path.setText(str(folder))
        if self.results.folder is None:
            self.results.path.setText(str(folder.with_name(f"{folder.name}_enhanced")))

    def _on_started(self, task: Task) -> None:
        self.summary.say("Working. The window can be used meanwhile.", "Hint")
        self.progress.start(task)
        self._refresh()

    def _on_progressed(self, progress: Progress, left: float | None) -> None:
        if isinstance(progress, Listing):
            self.table.list_files(progress.files)
        update = getattr(progress, "update", None)
        if update is not None:
            record = update.record
            problem = _reason(record) if record is not None and record.get("problem") else None
            self.table.show_stage(update.name, update.stage, problem)
        self.progress.show_progress(progress, getattr(progress, "left", left))

    def _on_report(self, report: Any) -> None:
        well = sum(record["status"] != "failed" for record in report.records)
        lines = [f"{count(well, 'image')} enhanced into {escape(str(self.results.folder))}, with a table summary.csv."]
        failures = report.failures
        for record in failures[:_NAMED]:
            name = escape(Path(record["source"]).name)
            lines.append(f"<b>{name}</b>: {escape(_reason(record))}")
        if len(failures) > _NAMED:
            lines.append(f"… and {count(len(failures) - _NAMED, 'more file')} with a problem; the table names them.")
        self.summary.say("<br>".join(lines), "Error" if failures else "Result")

    def _on_failed(self, _task: Task, failure: Failure) -> None:
        self.summary.say(escape(failure.text), "Error")

    def _on_cancelled(self, _task: Task) -> None:
        self.summary.say("Stopped. What is finished is kept; press the button to go on.", "Hint")

    def _on_idle(self) -> None:
        self.progress.hide()
        self._refresh()

    def _on_asked(self, name: str, problem: str) -> None:
        if not self.runner.is_busy:
            self.summary.say(f"<b>{escape(name)}</b>: {escape(problem)}", "Error")

    def _on_opened(self, name: str) -> None:
        out = self.results.folder
        if out is not None:
            self.opener.submit(Task("open", "Opening", partial(open_result, out / name), self._show_layers))

    def _show_layers(self, layers: list[Any]) -> None:
        from napari.layers import Layer

        for data in layers:
            self.viewer.add_layer(Layer.create(*data))


def _reason(record: dict[str, Any]) -> str:
    """What was wrong with a file, without its path, which is shown already."""
    problem, source = str(record["problem"]), str(record["source"])
    return problem.replace(f"cannot open {source}: ", "")


def _let_go(runner: Runner, opener: Runner, theme: ThemeFollower) -> None:
    runner.close()
    opener.close()
    theme.disconnect_viewer()
