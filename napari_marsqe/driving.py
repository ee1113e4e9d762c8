"""Long work driven to its end in a thread: its outcome is a value, whatever happens, and its time left is guessed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

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


Numbered = Generator[tuple[int, Progress], None, tuple[int, Outcome]]
"""Work whose progress and outcome carry its number, so that work that was left behind is told from the present."""


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


def _sentence(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    # A command in quotes is to be copied, and a full stop would go along.
    return text if text.endswith((".", "!", "?", '"')) else f"{text}."
