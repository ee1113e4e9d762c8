"""Background work: one job at a time, with progress, time left, cancelling, and errors as values."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import thread_worker
from qtpy.QtCore import QCoreApplication, QObject, Signal

from marsqe.errors import MarsqeError
from marsqe.progress import Progress, Steps

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Success:
    """The result of a job."""

    value: Any


@dataclass(frozen=True)
class Failure:
    """The error that ended a job; its text is ready for people."""

    error: Exception

    @property
    def text(self) -> str:
        """What happened and, where the engine knows it, what to do next."""
        if isinstance(self.error, MarsqeError):
            return _sentence(str(self.error))
        if isinstance(self.error, MemoryError):
            return "There was not enough memory. Close other programs or images, then try again."
        return f"Something unexpected went wrong ({type(self.error).__name__}: {self.error}). The layers are untouched."


@dataclass(frozen=True)
class Cancelled:
    """The job was left before its end."""


Outcome = Success | Failure | Cancelled


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
        Takes the result in the main thread.
    owner : object
        What the job is for; :meth:`Runner.cancel_for` cancels by it.
    """

    key: str
    title: str
    steps: Callable[[], Steps[Any]]
    apply: Callable[[Any], None]
    owner: object = None


def drive(make_steps: Callable[[], Steps[Any]], cancelled: threading.Event) -> Generator[Progress, None, Outcome]:
    """Drive long work to its end, yielding its progress and returning its outcome; no exception leaves it.

    Qt bindings treat errors that escape a thread differently, up to ending the process: here they become values.
    """
    try:
        steps = make_steps()
        try:
            while not cancelled.is_set():
                try:
                    progress = next(steps)
                except StopIteration as stop:
                    return Success(stop.value)
                yield progress
            return Cancelled()
        finally:
            steps.close()
    except Exception as error:
        if not isinstance(error, MarsqeError):
            _log.exception("a MarsQE job failed")
        return Failure(error)


class Clock:
    """Estimates the time left from the parts of one step that are done."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._step = ""
        self._start = 0.0
        self._first = 0

    def left(self, progress: Progress) -> float | None:
        """Seconds left in the step of ``progress``; None until a part of it has been timed."""
        if progress.step != self._step:
            self._step, self._start, self._first = progress.step, self._now(), progress.done
        counted = progress.done - self._first
        if counted <= 0 or progress.total <= 0:
            return None
        return (self._now() - self._start) / counted * max(0, progress.total - progress.done)


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
        self._worker: Any = None
        self._clock = Clock()
        self._closed = False
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
        return self._worker is None or not self._worker.is_running

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
        self._event.set()

    def cancel_for(self, owner: object) -> None:
        """Cancel if the running task belongs to ``owner``, and forget the waiting tasks that do."""
        self._drop(owner)
        if self._task is not None and self._task.owner is owner:
            self._event.set()

    def close(self) -> None:
        """Cancel and take no more tasks; results on their way are dropped."""
        self._closed = True
        self.cancel()

    def _next(self) -> None:
        if not self._waiting or self._closed:
            self._task = None
            self._worker = None
            if not self._closed:
                self.idle.emit()
            return
        self._task = task = self._waiting.popleft()
        self._event = threading.Event()
        self._clock = Clock()
        worker = thread_worker(_named(task), start_thread=False)(task.steps, self._event)
        worker.yielded.connect(self._on_yielded)
        worker.returned.connect(self._on_returned)
        worker.aborted.connect(self._on_aborted)
        self._worker = worker
        self.started.emit(task)
        worker.start()

    def _drop(self, owner: object) -> None:
        if owner is not None:
            self._waiting = deque(task for task in self._waiting if task.owner is not owner)

    def _on_yielded(self, progress: Progress) -> None:
        if not self._closed and not self._event.is_set():
            self.progressed.emit(progress, self._clock.left(progress))

    def _on_aborted(self) -> None:
        self._on_returned(Cancelled())

    def _on_returned(self, outcome: Outcome) -> None:
        task = self._task
        if self._closed or task is None:
            return
        if isinstance(outcome, Success) and self._event.is_set():
            outcome = Cancelled()
        if isinstance(outcome, Success):
            outcome = self._apply(task, outcome)
        self._task = None
        if isinstance(outcome, Success):
            self.succeeded.emit(task)
        else:
            self._drop(task.owner)
            if isinstance(outcome, Failure):
                self.failed.emit(task, outcome)
            else:
                self.cancelled.emit(task)
        # A slot above may have started something already.
        if self._task is None:
            self._next()

    @staticmethod
    def _apply(task: Task, outcome: Success) -> Outcome:
        try:
            task.apply(outcome.value)
        except Exception as error:
            _log.exception("showing the result of a MarsQE job failed")
            return Failure(error)
        return outcome


def _named(task: Task) -> Callable[..., Generator[Progress, None, Outcome]]:
    # napari's "still busy, close anyway?" dialog shows the function's name: let it say what is at work.
    def work(make_steps: Callable[[], Steps[Any]], cancelled: threading.Event) -> Generator[Progress, None, Outcome]:
        return (yield from drive(make_steps, cancelled))

    work.__qualname__ = work.__name__ = f"MarsQE: {task.title}"
    return work


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    # A command in quotes is to be copied, and a full stop would go along.
    return text if text.endswith((".", "!", "?", '"')) else f"{text}."
