"""Progress of long work. Long work in the engine is a generator of these; leaving the generator cancels it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """What is being done and how far it is: ``done`` of ``total`` parts of ``step``."""

    step: str
    done: int
    total: int


Steps = Generator[Progress, None, T]
"""Long work: yields :class:`Progress`, returns its result."""


def run(steps: Steps[T]) -> T:
    """Drive long work to its end and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value
