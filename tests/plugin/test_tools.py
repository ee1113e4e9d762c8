"""Tools below the steps: made when unfolded, kept fresh while seen, told what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from driver import PATIENCE, User
from napari.components import ViewerModel
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QWidget

from marsqe.errors import SettingError
from marsqe.progress import Progress, Steps
from napari_marsqe import workbench
from napari_marsqe.jobs import Task
from napari_marsqe.tools import TOOLS, Tool
from napari_marsqe.workbench import Workbench

TOOL = Tool("count", "Count", "Counts the images.", f"{__name__}:Count")
BROKEN = Tool("broken", "Broken", "Cannot be made.", f"{__name__}:Broken")


class Count(QLabel):
    """Says how many images there are."""

    made: ClassVar[list[Count]] = []

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.bench, self.let_go, self.busy = bench, False, False
        Count.made.append(self)

    def refresh(self, session: Any, busy: bool) -> None:
        self.setText(f"{len(session.cases)} images")
        self.busy |= busy

    def disconnect_viewer(self) -> None:
        self.let_go = True


class Broken(QLabel):
    def __init__(self, bench: Workbench) -> None:
        raise SettingError("the <tool> needs an extra")


@pytest.fixture
def user(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[User]:
    monkeypatch.setattr(workbench, "TOOLS", (TOOL, BROKEN))
    Count.made.clear()
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    bench.resize(340, 900)
    bench.show()
    yield User(bench, qtbot)
    bench.runner.close()
    qtbot.waitUntil(lambda: bench.runner.is_at_rest, timeout=PATIENCE)


def unfold(user: User, key: str) -> Any:
    drawer = user.bench.drawers[key]
    user.qtbot.mouseClick(drawer.heading, Qt.MouseButton.LeftButton)
    return drawer


def failing() -> Steps[None]:
    yield Progress("Counting", 0, 1)
    raise SettingError("there is nothing to count")


def test_a_tool_is_made_once_and_only_when_unfolded(user: User, jpeg: Path) -> None:
    user.opens(jpeg)
    assert not Count.made
    drawer = unfold(user, "count")
    assert [panel.text() for panel in Count.made] == ["1 images"]
    user.qtbot.waitUntil(drawer.panel.isVisible, timeout=PATIENCE)
    unfold(user, "count")
    assert not drawer.panel.isVisible()
    user.bench.viewer.layers.clear()
    assert drawer.panel.text() == "1 images", "nobody sees it"
    unfold(user, "count")
    assert drawer.panel.text() == "0 images"
    assert len(Count.made) == 1


def test_a_tool_follows_the_session_and_tells_its_failures(user: User, jpeg: Path) -> None:
    drawer = unfold(user, "count")
    user.opens(jpeg)
    assert drawer.panel.text() == "1 images"
    assert drawer.panel.busy
    user.bench.submit(Task("count", "Counting", failing, lambda _: None))
    user.wait()
    assert drawer.words.text() == "There is nothing to count."
    assert drawer.words.isVisible()
    user.bench.submit(Task("count", "Counting", failing, lambda _: None))
    assert not drawer.words.isVisible(), "gone when the next task begins"
    user.wait()


def test_a_tool_that_cannot_be_made_says_why(user: User) -> None:
    drawer = unfold(user, "broken")
    assert drawer.panel is None
    assert drawer.words.text() == "the &lt;tool&gt; needs an extra"


def test_a_tool_lets_go_when_the_dock_is_closed(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "TOOLS", (TOOL,))
    dock = QWidget()
    qtbot.addWidget(dock)
    bench = Workbench(ViewerModel(), dock)
    panel = bench.drawers["count"].unfold()
    viewer = bench.viewer
    assert viewer.keymap
    bench.setParent(None)  # as napari does it
    assert panel.let_go
    assert not viewer.keymap, "the keys are given back"


def test_every_tool_of_the_workbench_can_be_made(qtbot: QtBot) -> None:
    bench = Workbench(ViewerModel())
    qtbot.addWidget(bench)
    assert list(bench.drawers) == [tool.key for tool in TOOLS]
    for tool in TOOLS:
        assert tool.tooltip.endswith(".")
        assert bench.drawers[tool.key].unfold() is not None, tool.key
    bench.runner.close()
