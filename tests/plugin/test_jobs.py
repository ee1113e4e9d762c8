"""Background work: results, errors as values, cancelling, queueing, time left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from marsqe.errors import ReadError
from marsqe.progress import Progress, Steps
from napari_marsqe.jobs import Cancelled, Clock, Failure, Runner, Success, Task, drive


@pytest.fixture
def runner(qtbot: QtBot) -> Iterator[Runner]:
    made = Runner()
    yield made
    made.close()
    qtbot.waitUntil(lambda: made.is_at_rest, timeout=10_000)


def counting(number: int = 3, result: Any = "done") -> Steps[Any]:
    for i in range(number):
        yield Progress("counting", i, number)
    return result


def failing(error: Exception) -> Steps[None]:
    yield Progress("failing", 0, 1)
    raise error


def endless(left: threading.Event) -> Steps[None]:
    try:
        while True:
            time.sleep(0.005)
            yield Progress("endless", 0, 0)
    finally:
        left.set()


def task(steps: Callable[[], Steps[Any]], apply: Callable[[Any], None] = lambda _: None, owner: object = None) -> Task:
    return Task("key", "Testing", steps, apply, owner)


def outcome_of(steps: Callable[[], Steps[Any]], event: threading.Event | None = None) -> Any:
    work = drive(steps, event or threading.Event())
    while True:
        try:
            next(work)
        except StopIteration as stop:
            return stop.value


def test_every_outcome_is_a_value() -> None:
    assert outcome_of(counting) == Success("done")
    assert isinstance(outcome_of(lambda: failing(ValueError("odd"))), Failure)
    assert isinstance(outcome_of(lambda: 1 / 0), Failure), "an error before the first step"  # type: ignore[return-value]
    stopped = threading.Event()
    stopped.set()
    assert outcome_of(counting, stopped) == Cancelled()


def test_failures_speak_plainly() -> None:
    assert Failure(ReadError("the file is empty; choose another")).text == "The file is empty; choose another."
    assert "memory" in Failure(MemoryError()).text
    assert "KeyError" in Failure(KeyError("x")).text


def test_result_is_applied_in_the_main_thread(runner: Runner, qtbot: QtBot) -> None:
    seen: list[Any] = []
    worked_in: list[threading.Thread] = []

    def steps() -> Steps[str]:
        worked_in.append(threading.current_thread())
        return (yield from counting())

    with qtbot.waitSignal(runner.idle, timeout=5000):
        runner.submit(task(steps, lambda result: seen.append((result, threading.current_thread()))))
    assert seen == [("done", threading.main_thread())]
    assert worked_in[0] is not threading.main_thread()


def test_progress_arrives(runner: Runner, qtbot: QtBot) -> None:
    seen: list[Progress] = []
    runner.progressed.connect(lambda progress, left: seen.append(progress))
    with qtbot.waitSignal(runner.idle, timeout=5000):
        runner.submit(task(counting))
    assert [p.done for p in seen] == [0, 1, 2]


def test_cancel_leaves_the_generator(runner: Runner, qtbot: QtBot) -> None:
    left, applied = threading.Event(), []
    runner.submit(task(lambda: endless(left), applied.append), task(counting, applied.append))
    qtbot.wait(50)
    start = time.monotonic()
    with qtbot.waitSignals([runner.cancelled, runner.idle], timeout=5000):
        runner.cancel()
    assert time.monotonic() - start < 1
    assert left.is_set()
    assert applied == [], "nothing is shown, and what waited is forgotten"


def test_a_failure_takes_along_what_was_to_build_on_it(runner: Runner, qtbot: QtBot) -> None:
    done: list[str] = []
    one, other = object(), object()
    failures: list[Failure] = []
    runner.failed.connect(lambda _, failure: failures.append(failure))
    with qtbot.waitSignal(runner.idle, timeout=5000):
        runner.submit(
            task(lambda: failing(ReadError("bad")), owner=one),
            task(counting, lambda _: done.append("same"), owner=one),
            task(counting, lambda _: done.append("other"), owner=other),
        )
    assert [f.text for f in failures] == ["Bad."]
    assert done == ["other"]


def test_an_error_while_showing_is_a_failure_too(runner: Runner, qtbot: QtBot) -> None:
    def apply(_: Any) -> None:
        raise RuntimeError("no such layer")

    with qtbot.waitSignal(runner.failed, timeout=5000) as caught:
        runner.submit(task(counting, apply))
    assert "no such layer" in caught.args[1].text


def test_a_closed_runner_drops_results(runner: Runner, qtbot: QtBot) -> None:
    left, applied = threading.Event(), []
    runner.submit(task(lambda: endless(left), applied.append))
    qtbot.wait(50)
    runner.close()
    qtbot.waitUntil(left.is_set, timeout=5000)
    qtbot.wait(50)
    runner.submit(task(counting, applied.append))
    qtbot.wait(50)
    assert applied == []


def test_cancel_by_owner_spares_others(runner: Runner, qtbot: QtBot) -> None:
    mine, left, done = object(), threading.Event(), []
    runner.submit(task(lambda: endless(left), owner=mine), task(counting, done.append, owner=object()))
    qtbot.wait(30)
    with qtbot.waitSignal(runner.idle, timeout=5000):
        runner.cancel_for(mine)
    assert left.is_set()
    assert done == ["done"]


def test_time_left_counts_within_a_step() -> None:
    now = [100.0]
    clock = Clock(lambda: now[0])
    assert clock.left(Progress("a", 0, 10)) is None
    now[0] += 4
    assert clock.left(Progress("a", 2, 10)) == pytest.approx(16)
    assert clock.left(Progress("b", 0, 3)) is None, "another step begins anew"
    now[0] += 1
    assert clock.left(Progress("b", 3, 3)) == 0
