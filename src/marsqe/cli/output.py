"""What the command line says: results on standard output, progress and failures on standard error."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from marsqe.errors import MarsqeError
from marsqe.progress import Steps

T = TypeVar("T")


@dataclass
class Outcome:
    """What a command leaves: one result for each input that went well, one failure for each that did not."""

    results: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 all done, 1 some inputs failed."""
        return 1 if self.failures else 0

    def fail(self, name: str, error: MarsqeError) -> None:
        """Note that an input could not be done, and say so."""
        self.failures.append({"input": name, "error": str(error)})
        say(f"marsqe: {name}: {error}")


def for_each(inputs: Iterable[Path], work: Callable[[Path], dict[str, Any]]) -> Outcome:
    """Do the work for each input; one that fails is named and does not stop the others."""
    outcome = Outcome()
    for path in inputs:
        try:
            outcome.results.append({"input": str(path), **work(path)})
        except MarsqeError as error:
            outcome.fail(str(path), error)
    return outcome


def remove_each(names: Iterable[str], remove: Callable[[str], object]) -> Outcome:
    """Remove by name; one that is not there is named and does not stop the others."""
    outcome = Outcome()
    for name in names:
        try:
            remove(name)
            outcome.results.append({"removed": name})
        except MarsqeError as error:
            outcome.fail(name, error)
    return outcome


def say(text: str) -> None:
    """One line on standard error."""
    print(text, file=sys.stderr, flush=True)


def note_if_not_held(name: str, settings: dict[str, Any]) -> None:
    """Say on standard error why a result is not held to its JPEG, where it was to be and the file is one."""
    from marsqe.enhancement.faithful import BY_CHOICE, NO_TABLES

    why = settings.get("not_held")
    if why not in (None, BY_CHOICE, NO_TABLES):
        say(f"marsqe: {name}: note: the result is not held to the JPEG: {why}; its record says so, too")


def follow(steps: Steps[T], name: str) -> T:
    """Drive long work to its end, with a line of progress where a person is watching."""
    watching = sys.stderr.isatty()
    started = time.monotonic()
    while True:
        try:
            now = next(steps)
        except StopIteration as stop:
            if watching:
                print(f"\r\033[K{name}: {time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)
            return stop.value
        if watching:
            print(f"\r\033[K{name}: {now.step} {now.done}/{now.total}", end="", file=sys.stderr, flush=True)


def emit(outcome: Outcome, as_json: bool, line: Callable[[dict[str, Any]], str]) -> int:
    """Print the outcome, as one JSON document or a line for each result, and return the exit code."""
    if as_json:
        document = {"results": outcome.results, "errors": outcome.failures}
        print(json.dumps(_finite(document), indent=1))  # ASCII: names of files need not be valid text
    else:
        for result in outcome.results:
            print(_printable(line(result)))
    return outcome.exit_code


def _printable(text: str) -> str:
    """Text that standard output can show: names of files may hold what its encoding does not."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _finite(value: Any) -> Any:
    """JSON knows neither NaN nor infinity: null and a string stand for them."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
