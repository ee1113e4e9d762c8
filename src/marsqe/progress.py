"""Progress of long work. Long work in the engine is a generator of these; leaving the generator cancels it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from marsqe.results import Part

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """What is being done and how far it is: ``done`` of ``total`` parts of ``step``.

    ``parts`` holds pixels that were finished since the progress before, where the work can show any.
    """

    step: str
    done: int
    total: int
    parts: tuple[Part, ...] = field(default=(), compare=False, repr=False)


Steps = Generator[Progress, None, T]
"""Long work: yields :class:`Progress`, returns its result."""


def run(steps: Steps[T]) -> T:
    """Drive long work to its end and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value
