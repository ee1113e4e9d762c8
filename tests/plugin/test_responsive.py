"""The main thread is free while a job runs: what its slots cost is counted in processor time, which load changes not.

What the clock on the wall says, and what napari's drawing adds, is measured in benchmarks/responsiveness.py.
"""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

import numpy as np
import pytest
from driver import PATIENCE, User
from qtpy.QtCore import QTimer

from marsqe.progress import Progress, Steps
from marsqe.results import Part, Region
from marsqe.samples import sample_path
from napari_marsqe import work
from napari_marsqe.jobs import Runner, Task

LIMIT = 0.05
"""Seconds of the main thread's own work between two beats of a timer."""
TILE_TIME = 8
"""Milliseconds from one tile to the next."""


class Heart:
    """Beats whenever the main thread is free; knows the most that it worked between two beats."""

    def __init__(self) -> None:
        self.longest, self.beats, self._last = 0.0, 0, time.thread_time()
        self._timer = QTimer()
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self.longest, self.beats, self._last = 0.0, 0, time.thread_time()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()

    def _beat(self) -> None:
        now = time.thread_time()
        self.longest, self._last = max(self.longest, now - self._last), now
        self.beats += 1


def test_no_slot_stalls_the_window_while_a_job_runs(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred tiles of a real image appear one by one, each a moment after the one before was noticed."""
    noticed = threading.Semaphore()

    def tiles(image: Any, *_: Any, **__: Any) -> Steps[Any]:
        height, width = image.shape
        for tile in range(300):
            region = Region(tile * 37 % (width - 128), tile * 53 % (height - 128), 128, 128)
            noticed.acquire(timeout=PATIENCE / 1000)
            yield Progress("Enhancing", tile, 400, (Part(region, np.full((128, 128, 3), tile % 256, np.uint8)),))
        noticed.acquire(timeout=PATIENCE / 1000)
        raise MemoryError

    user.opens(sample_path("perseverance-hazcam", "compressed"))
    user.does(user.bench.understand.action)
    monkeypatch.setattr(work, "enhance", tiles)
    heart, seen = Heart(), []

    def notice(progress: Progress, _left: float | None) -> None:
        seen.append(progress.done)
        # The first painting makes a layer, which is napari's work, and the collector's pauses are nobody's.
        if "enhancing" in user.layers()[-1] and not heart.beats:
            gc.disable()
            heart.start()
        # As a network would, the next tile takes its time: what appears is painted meanwhile.
        QTimer.singleShot(TILE_TIME, noticed.release)

    user.bench.runner.progressed.connect(notice)
    user.click(user.bench.enhance.action)
    try:
        user.qtbot.waitUntil(lambda: 299 in seen, timeout=PATIENCE)
        heart.stop()
    finally:
        gc.enable()
    user.wait()
    assert heart.beats > 100
    assert heart.longest < LIMIT


def test_results_get_a_turn_of_the_event_loop_each(qtbot: Any) -> None:
    runner, shown, turns = Runner(), [], []
    timer = QTimer()
    timer.setInterval(0)
    timer.timeout.connect(lambda: turns.append(len(shown)))

    def steps() -> Steps[int]:
        yield Progress("x", 0, 1)
        return 3

    def apply(number: int) -> Any:
        for layer in range(number):
            shown.append(layer)
            yield

    timer.start()
    with qtbot.waitSignal(runner.idle, timeout=PATIENCE):
        runner.submit(Task("key", "Testing", steps, apply))
    timer.stop()
    assert shown == [0, 1, 2]
    assert {1, 2} <= set(turns), "others had their turn in between"
    runner.close()


def test_an_error_between_two_turns_is_told(qtbot: Any) -> None:
    runner = Runner()

    def steps() -> Steps[int]:
        yield Progress("x", 0, 1)
        return 3

    def apply(_: int) -> Any:
        yield
        raise RuntimeError("no such layer")

    with qtbot.waitSignal(runner.failed, timeout=PATIENCE) as caught:
        runner.submit(Task("key", "Testing", steps, apply))
    assert "no such layer" in caught.args[1].text
    assert not runner.is_busy
    runner.close()
