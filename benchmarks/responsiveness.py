"""How long the window stands still while the workbench works: ``python benchmarks/responsiveness.py [IMAGE]``.

Runs every step in a real window and listens to a timer of the main thread. For each step: the longest time between two
services of the timer, the longest slot of the plugin's own code, and how long a single addition of a layer takes
napari itself, for what is longer than the plugin's slots is napari's, Qt's and the drawing's. Where there is no screen:
``scripts/with-display.sh python benchmarks/responsiveness.py``. Times are processor milliseconds of the main thread,
which is what they are where nothing else runs; waits for other threads and for the screen are not among them.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SAMPLE = "curiosity-mastcam"
LIMIT = 50
"""Milliseconds that nobody notices."""


class Heart:
    """A timer of the main thread, and the slots of the plugin that it competes with."""

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self.longest, self.own = 0.0, {}
        self._last = time.thread_time()
        self._timer = QTimer()
        self._timer.setInterval(2)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def reset(self) -> None:
        """Begin anew, for another step."""
        self.longest, self.own, self._last = 0.0, {}, time.thread_time()

    def watch(self, owner: type, name: str) -> None:
        """Time every call of a method."""
        method: Callable[..., Any] = getattr(owner, name)

        def timed(this: Any, *arguments: Any, **options: Any) -> Any:
            begun = time.thread_time()
            try:
                return method(this, *arguments, **options)
            finally:
                key = f"{owner.__name__}.{name}"
                self.own[key] = max(self.own.get(key, 0.0), 1000 * (time.thread_time() - begun))

        setattr(owner, name, timed)

    def _beat(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, 1000 * (now - self._last))
        self._last = now


@contextmanager
def step(heart: Heart, rows: list[dict[str, Any]], name: str, until: Callable[[], bool]) -> Iterator[None]:
    from qtpy.QtTest import QTest

    heart.reset()
    begun = time.perf_counter()
    yield
    while not until():
        QTest.qWait(5)
    seconds = time.perf_counter() - begun
    QTest.qWait(300)
    slot, own = max(heart.own.items(), key=lambda item: item[1], default=("", 0.0))
    rows.append(
        {
            "step": name,
            "seconds": round(seconds, 2),
            "longest_stall_ms": round(heart.longest, 1),
            "longest_own_slot_ms": round(own, 1),
            "own_slot": slot,
        }
    )


def measure(image: Path, truth: Path | None) -> list[dict[str, Any]]:
    import napari
    import numpy as np

    from napari_marsqe.jobs import Runner
    from napari_marsqe.preview import Preview
    from napari_marsqe.workbench import Workbench

    viewer = napari.Viewer()
    heart, rows = Heart(), []  # after the viewer: without an application no timer runs
    # What adds layers is timed apart, for most of it is napari's; the others are ours alone.
    for owner, name in ((Runner, "_on_yielded"), (Runner, "_show_more"), (Preview, "_paint"), (Workbench, "refresh")):
        heart.watch(owner, name)
    viewer.window.resize(1366, 768)
    _, bench = viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")

    def idle(done: Callable[[Any], Any]) -> Callable[[], bool]:
        return lambda: bench.session.case is not None and done(bench.session.case) and not bench.runner.is_busy

    with step(heart, rows, "open", idle(lambda case: True)):
        bench.open_path(image, truth)
    with step(heart, rows, "understand", idle(lambda case: case.understanding)):
        bench.run_understand()
    with step(heart, rows, "enhance", idle(lambda case: case.enhancement)):
        bench.run_enhance()
    with step(heart, rows, "judge", idle(lambda case: case.judgement)):
        bench.run_judge()
    with step(heart, rows, "cancel", lambda: not bench.runner.is_busy):
        bench.run_enhance()
        bench.runner.cancel()
    shape = bench.session.case.image.pixels.shape
    with step(heart, rows, "napari alone: one image layer", lambda: True):
        viewer.add_image(np.zeros(shape, np.uint8), rgb=len(shape) == 3)
    with step(heart, rows, "napari alone: one labels layer", lambda: True):
        viewer.add_labels(np.ones(shape[:2], np.uint8))
    viewer.close()
    return rows


def main() -> None:
    from marsqe.samples import sample_path

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", type=Path, nargs="?", help=f"default: the sample {SAMPLE} with its truth")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    chosen = parser.parse_args()
    os.environ["NAPARI_CONFIG"] = ""  # nobody's settings are read or changed
    if chosen.image is None:
        rows = measure(sample_path(SAMPLE, "compressed"), sample_path(SAMPLE, "truth"))
    else:
        rows = measure(chosen.image, None)
    if chosen.json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        over = " *" if row["longest_own_slot_ms"] > LIMIT else ""
        print(
            f"{row['step']:32} {row['seconds']:7.2f} s  longest stall {row['longest_stall_ms']:7.1f} ms  "
            f"longest own slot {row['longest_own_slot_ms']:6.1f} ms {row['own_slot']}{over}"
        )


if __name__ == "__main__":
    main()
