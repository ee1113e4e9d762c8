"""Background work: one job at a time, with progress, time left, cancelling, and errors as values."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import thread_worker
from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal

from marsqe.progress import Progress, Steps
from napari_marsqe.driving import Cancelled, Clock, Failure, Numbered, Outcome, Success, drive

__all__ = ["Cancelled", "Clock", "Failure", "Outcome", "Runner", "Success", "Task", "drive"]

_log = logging.getLogger(__name__)

GRACE = 600
"""Milliseconds that a cancelled job has to reach the end of its part; then it is left to run out, unheard."""


@dataclass(frozen=True)
class Task:
    """One job to be done.

    Attributes
    ----------
    key : str
        The section of the workbench that it belongs to.
    title : str
        What it does, for the progress bar.
    steps : callable
        Makes the engine's generator; called in the worker thread, so that heavy imports happen there.
    apply : callable
        Takes the result in the main thread. Where it is a generator, each part up to a ``yield`` gets a turn of the
        event loop of its own, so that the window stays alive between them.
    owner : object
        What the job is for; :meth:`Runner.cancel_for` cancels by it.
    watch : callable, optional
        Told of every progress, in the main thread.
    abandon : callable, optional
        Called when the job was cancelled or failed, to take back what ``watch`` has shown.
    """

    key: str
    title: str
    steps: Callable[[], Steps[Any]]
    apply: Callable[[Any], Iterator[None] | None]
    owner: object = None
    watch: Callable[[Progress], None] | None = None
    abandon: Callable[[], None] | None = None


class Runner(QObject):
    """Runs tasks one after another in a worker thread.

    A task that fails takes the waiting tasks of the same owner along: they were to build on its result. Cancelling
    takes all.
    """

    started = Signal(object)  # Task
    progressed = Signal(object, object)  # Progress, seconds left or None
    succeeded = Signal(object)  # Task
    failed = Signal(object, object)  # Task, Failure
    cancelled = Signal(object)  # Task
    idle = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: deque[Task] = deque()
        self._task: Task | None = None
        self._event = threading.Event()
        self._workers: list[Any] = []
        self._number = 0
        self._showing: Iterator[None] | None = None
        self._clock = Clock()
        self._closed = False
        # Timers of our own, which end with us: what is put off must not reach a workbench that has gone meanwhile.
        self._turn, self._grace = QTimer(self), QTimer(self)
        for timer, slot in ((self._turn, self._show_more), (self._grace, self._leave_behind)):
            timer.setSingleShot(True)
            timer.timeout.connect(slot)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.close)

    @property
    def current(self) -> Task | None:
        """The task at work, if any."""
        return self._task

    @property
    def is_busy(self) -> bool:
        """Whether a task is at work."""
        return self._task is not None

    @property
    def is_at_rest(self) -> bool:
        """Whether no thread of ours runs any more, which after closing is a moment later than the cancelling."""
        return not any(worker.is_running for worker in self._workers)

    def submit(self, *tasks: Task) -> None:
        """Queue tasks and start the first when nothing is at work."""
        if self._closed:
            return
        self._waiting.extend(tasks)
        if self._task is None:
            self._next()

    def cancel(self) -> None:
        """Ask the running task to stop at its next part, and forget the waiting ones."""
        self._waiting.clear()
        self._stop()

    def cancel_for(self, owner: object) -> None:
        """Cancel if the running task belongs to ``owner``, and forget the waiting tasks that do."""
        self._drop(owner)
        if self._task is not None and self._task.owner is owner:
            self._stop()

    def close(self) -> None:
        """Cancel and take no more tasks; results on their way are dropped."""
        self._closed = True
        self._waiting.clear()
        self._event.set()

    def abandon(self) -> None:
        """Take back what the running task has shown so far; for a workbench that closes while the viewer stays."""
        if self._task is not None and self._task.abandon is not None:
            self._task.abandon()

    def _stop(self) -> None:
        self._event.set()
        if self._task is not None and self._showing is None:
            self._grace.start(GRACE)

    def _next(self) -> None:
        if not self._waiting or self._closed:
            self._task = None
            if not self._closed:
                self.idle.emit()
            return
        self._task = task = self._waiting.popleft()
        self._event = threading.Event()
        self._clock = Clock()
        self._number += 1
        worker = thread_worker(_named(task), start_thread=False)(task.steps, self._event, self._number)
        worker.yielded.connect(self._on_yielded)
        worker.returned.connect(self._on_returned)
        worker.aborted.connect(self._on_aborted)
        self._workers = [w for w in self._workers if w.is_running] + [worker]
        self.started.emit(task)
        worker.start()

    def _drop(self, owner: object) -> None:
        if owner is not None:
            self._waiting = deque(task for task in self._waiting if task.owner is not owner)

    def _on_yielded(self, told: tuple[int, Progress]) -> None:
        number, progress = told
        if self._closed or self._event.is_set() or number != self._number or self._task is None:
            return
        self.progressed.emit(progress, self._clock.left(progress))
        if self._task.watch is not None:
            try:
                self._task.watch(progress)
            except Exception:
                _log.exception("showing the progress of a MarsQE job failed")

    def _on_aborted(self) -> None:
        self._on_returned((self._number, Cancelled()))

    def _leave_behind(self) -> None:
        """Wait no longer for a cancelled job: its thread ends by itself after the part at work, and nobody listens."""
        if self._task is not None and self._event.is_set():
            number, self._number = self._number, self._number + 1
            _log.info("a cancelled MarsQE job (%d) is still at its last part", number)
            self._end(Cancelled())

    def _on_returned(self, told: tuple[int, Outcome]) -> None:
        number, outcome = told
        task = self._task
        if self._closed or task is None or number != self._number:
            return
        if isinstance(outcome, Success) and self._event.is_set():
            outcome = Cancelled()
        if not isinstance(outcome, Success):
            self._end(outcome)
            return
        try:
            self._showing = task.apply(outcome.value)
        except Exception as error:
            self._end(_unshown(error))
            return
        self._show_more()

    def _show_more(self) -> None:
        try:
            if self._showing is not None and not self._closed:
                next(self._showing)
                self._turn.start()
                return
        except StopIteration:
            pass
        except Exception as error:
            self._end(_unshown(error))
            return
        self._end(Success(None))

    def _end(self, outcome: Outcome) -> None:
        task, self._task, self._showing = self._task, None, None
        self._grace.stop()
        if self._closed or task is None:
            return
        if isinstance(outcome, Success):
            self.succeeded.emit(task)
        else:
            self._drop(task.owner)
            if task.abandon is not None:
                task.abandon()
            if isinstance(outcome, Failure):
                self.failed.emit(task, outcome)
            else:
                self.cancelled.emit(task)
        # A slot above may have started something already.
        if self._task is None:
            self._next()


def _unshown(error: Exception) -> Failure:
    _log.exception("showing the result of a MarsQE job failed")
    return Failure(error)


def _named(task: Task) -> Callable[..., Numbered]:
    # napari's "still busy, close anyway?" dialog shows the function's name: let it say what is at work.
    def work(make_steps: Callable[[], Steps[Any]], cancelled: threading.Event, number: int) -> Numbered:
        steps = drive(make_steps, cancelled)
        while True:
            try:
                progress = next(steps)
            except StopIteration as stop:
                return number, stop.value
            yield number, progress

    work.__qualname__ = work.__name__ = f"MarsQE: {task.title}"
    return work
