"""While an enhancement is at work: finished parts appear, cancelling takes them away, nothing is computed twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver import PATIENCE, User

from marsqe.progress import Progress, Steps
from marsqe.results import Part, Region
from napari_marsqe import jobs, work

PREVIEW = "sol_0766 · enhancing …"


class Halting:
    """Shows one part, then waits until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on, self.real, self.settings = threading.Event(), work.enhance, {}
        monkeypatch.setattr(work, "enhance", self)

    def __call__(self, image: Any, found: Any, region: Any = None, **settings: Any) -> Steps[Any]:
        self.settings = settings
        white = np.full((20, 30, 3), 255, np.uint8)
        yield Progress("Enhancing", 1, 3, (Part(Region(5, 7, 30, 20), white),))
        self.go_on.wait(PATIENCE / 1000)
        yield Progress("Enhancing", 2, 3)
        return (yield from self.real(image, found, region, **settings))


@pytest.fixture
def halting(monkeypatch: pytest.MonkeyPatch) -> Iterator[Halting]:
    step = Halting(monkeypatch)
    yield step
    step.go_on.set()


@pytest.fixture
def half_way(user: User, halting: Halting, jpeg: Path) -> User:
    """In the middle of an enhancement, a part of which has appeared."""
    user.opens(jpeg)
    user.does(user.bench.understand.action)
    user.click(user.bench.enhance.action)
    user.qtbot.waitUntil(lambda: PREVIEW in user.layers(), timeout=PATIENCE)
    return user


def test_a_finished_part_appears_and_the_layer_becomes_the_result(half_way: User, halting: Halting) -> None:
    layer = half_way.layer(PREVIEW)
    white = (layer.data == 255).all(axis=2)
    assert white[7:27, 5:35].all()
    white[7:27, 5:35] = True
    assert np.array_equal(layer.data[~white], half_way.case.image.pixels[~white]), "the rest is the source"
    halting.go_on.set()
    half_way.wait(lambda: half_way.case.enhanced is not None)
    assert half_way.case.enhanced is layer
    assert layer.name == "sol_0766 · enhanced (marsqe-swift)"
    assert layer.data is half_way.case.enhancement.pixels
    assert PREVIEW not in half_way.layers()


def test_cancelling_takes_the_parts_away(half_way: User, halting: Halting) -> None:
    before = [name for name in half_way.layers() if name != PREVIEW]
    half_way.click(half_way.bench.progress.cancel)
    halting.go_on.set()
    half_way.wait()
    assert half_way.layers() == before
    assert "as they were" in half_way.bench.enhance.summary.text()


def test_cancelling_does_not_wait_for_a_part_that_takes_long(half_way: User, halting: Halting) -> None:
    """The thread is still at its part when the workbench is free again; its result comes too late and is dropped."""
    half_way.click(half_way.bench.progress.cancel)
    half_way.wait()
    assert not halting.go_on.is_set()
    assert not half_way.bench.runner.is_at_rest
    assert PREVIEW not in half_way.layers()
    before = half_way.layers()
    halting.go_on.set()
    half_way.qtbot.waitUntil(lambda: half_way.bench.runner.is_at_rest, timeout=PATIENCE)
    half_way.qtbot.wait(20)
    assert half_way.layers() == before
    assert half_way.case.enhancement is None
    half_way.does(half_way.bench.enhance.action)
    assert half_way.case.enhanced is not None


def test_the_grace_is_below_a_second() -> None:
    assert jobs.GRACE < 1000


def test_a_second_enhancement_keeps_its_layer(user: User, halting: Halting, jpeg: Path) -> None:
    halting.go_on.set()
    user.opens(jpeg)
    user.does(user.bench.enhance.action)
    layer, first = user.case.enhanced, user.case.enhanced.data
    halting.go_on.clear()
    user.bench.enhance.faithful.click()
    user.click(user.bench.enhance.action)
    user.qtbot.waitUntil(lambda: PREVIEW in user.layers(), timeout=PATIENCE)
    assert layer.data is first, "untouched until the new one is there"
    halting.go_on.set()
    user.wait(lambda: PREVIEW not in user.layers())
    assert user.case.enhanced is layer
    assert layer.data is not first


def test_a_removed_preview_does_not_come_back(half_way: User, halting: Halting) -> None:
    half_way.bench.viewer.layers.remove(PREVIEW)
    halting.go_on.set()
    half_way.wait(lambda: half_way.case.enhanced is not None)
    assert PREVIEW not in half_way.layers()


def test_what_is_visible_is_asked_for_first(user: User, halting: Halting, jpeg: Path) -> None:
    halting.go_on.set()
    user.opens(jpeg)
    viewer = user.bench.viewer
    viewer.canvas.size = (40, 60)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 79.5, 99.5), 1.0
    user.does(user.bench.enhance.action)
    assert halting.settings["first"] == Region(70, 60, 60, 40)
    assert user.case.enhancement.region is None, "and the rest follows"


def test_another_model_or_quality_understands_nothing_anew(
    user: User, jpeg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    understood, real = [], work.understand

    def noting(*arguments: Any) -> Any:
        understood.append(arguments)
        return real(*arguments)

    monkeypatch.setattr(work, "understand", noting)
    user.opens(jpeg)
    user.does(user.bench.enhance.action)
    found = user.case.understanding
    user.bench.enhance.faithful.click()
    user.bench.enhance.precision.set_value("float32")
    user.does(user.bench.enhance.action)
    assert len(understood) == 1
    assert user.case.enhancement.matches is found.matches
    assert user.case.enhancement.terrain is found.terrain
    assert user.case.enhancement.provenance["settings"]["precision"] == "float32"
