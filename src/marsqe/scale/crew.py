"""Who does the work: a crew takes tasks and tells what becomes of them. The simplest one is this process."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar

from marsqe.progress import Progress, Steps
from marsqe.scale.ledger import Record
from marsqe.scale.settings import Settings
from marsqe.scale.stages import Computed, Loaded, Task, compute, failure, read, write

T = TypeVar("T")

AHEAD: Final = 3
"""Tasks in the hands of a worker at once: one being read, one computed, one written."""

_PATIENCE: Final = 0.2
"""Seconds between two looks at whether to stop."""


@dataclass(frozen=True)
class Update:
    """What became of a task: a stage that it is in, or its record.

    Attributes
    ----------
    name : str
        Of the task's result.
    stage : str
        "reading", "enhancing" or "writing"; the record's status at the end.
    record : dict or None
    """

    name: str
    stage: str
    record: Record | None = None


Emit = Callable[[Update], None]


class Crew(Protocol):
    """Workers. ``work`` returns when all tasks have their record, or soon after ``stop``."""

    def work(self, tasks: Iterator[Task], settings: Settings, emit: Emit) -> None:
        """Do the tasks, taking each when somebody is free for it."""

    def stop(self) -> None:
        """Ask all to leave their work at its next part; what is being written is written."""


class StoppedError(Exception):
    """The crew was asked to stop."""


class Inline:
    """The process itself: while one image is computed, the next is read and the one before is written."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def stop(self) -> None:
        """See :class:`Crew`."""
        self._stop.set()

    def work(self, tasks: Iterator[Task], settings: Settings, emit: Emit) -> None:
        """See :class:`Crew`."""
        loaded: queue.Queue[Loaded | None] = queue.Queue(maxsize=1)
        computed: queue.Queue[Computed | None] = queue.Queue(maxsize=1)
        threads = [
            threading.Thread(target=self._read_all, args=(tasks, loaded, emit), daemon=True),
            threading.Thread(target=self._write_all, args=(computed, emit), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            while (item := self._take(loaded)) is not None:
                self._compute(item, settings, computed, emit)
        except StoppedError:
            pass
        finally:
            computed.put(None)  # the writer always takes what it is given
            for thread in threads:
                thread.join()

    def _read_all(self, tasks: Iterator[Task], loaded: queue.Queue[Loaded | None], emit: Emit) -> None:
        try:
            for task in tasks:
                if self._stop.is_set():
                    return
                emit(Update(task.name, "reading"))
                item = _guarded(task, emit, partial(read, task))
                if item is not None:
                    self._give(loaded, item)
            self._give(loaded, None)
        except StoppedError:
            return

    def _compute(self, item: Loaded, settings: Settings, out: queue.Queue[Computed | None], emit: Emit) -> None:
        if item.record is None:
            emit(Update(item.task.name, "enhancing"))
        done = _guarded(item.task, emit, lambda: self._drive(compute(item, settings)))
        if done is not None:
            out.put(done)

    def _drive(self, steps: Steps[T]) -> T:
        try:
            while not self._stop.is_set():
                try:
                    _: Progress = next(steps)
                except StopIteration as stop:
                    result: T = stop.value
                    return result
            raise StoppedError
        finally:
            steps.close()

    def _write_all(self, computed: queue.Queue[Computed | None], emit: Emit) -> None:
        while (item := computed.get()) is not None:
            if item.save is not None:
                emit(Update(item.task.name, "writing"))
            record = _guarded(item.task, emit, partial(write, item))
            if record is not None:
                emit(Update(item.task.name, str(record["status"]), record))

    def _give(self, out: queue.Queue[T], item: T) -> None:
        while not self._stop.is_set():
            try:
                return out.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue
        raise StoppedError

    def _take(self, source: queue.Queue[T]) -> T:
        while not self._stop.is_set():
            try:
                return source.get(timeout=_PATIENCE)
            except queue.Empty:
                continue
        raise StoppedError


def _guarded(task: Task, emit: Emit, work: Callable[[], T]) -> T | None:
    """The result of a stage; None where it failed, which is told: one bad file must not end a batch."""
    try:
        return work()
    except StoppedError:
        raise
    except Exception as error:
        record = failure(task, error)
        emit(Update(task.name, str(record["status"]), record))
        return None
