"""The demonstration's window: opened from the command line, every step done by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import pytest
from driver import PATIENCE
from pytestqt.qtbot import QtBot

from napari_marsqe import open_result

pytestmark = pytest.mark.gui


@pytest.fixture
def window(make_napari_viewer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Viewers are made by napari's fixture, which cleans them up."""
    monkeypatch.setattr(napari, "Viewer", lambda **_: make_napari_viewer())


@pytest.mark.usefixtures("window")
def test_all_layers_show(qtbot: QtBot, jpeg: Path, png: Path) -> None:
    viewer, bench = open_result.show(jpeg, png)
    qtbot.waitUntil(lambda: "sol_0766 · ΔPSNR" in viewer.layers and not bench.runner.is_busy, timeout=PATIENCE)
    shown = {layer.name.split(" · ")[1] for layer in viewer.layers}
    wanted = {"truth", "compressed", "terrain", "references", "enhanced (marsqe-swift)", "residual", "ΔPSNR"}
    assert wanted <= shown


@pytest.mark.usefixtures("window")
def test_a_file_that_cannot_be_read_is_told_in_the_window(qtbot: QtBot, tmp_path: Path, notified: list[str]) -> None:
    viewer, bench = open_result.show(tmp_path / "missing.jpg")
    qtbot.waitUntil(lambda: bool(notified) and not bench.runner.is_busy, timeout=PATIENCE)
    assert "missing.jpg" in bench.open.summary.text()
    assert len(viewer.layers) == 0


def test_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(open_result, "show", lambda *paths: seen.append(paths))
    monkeypatch.setattr(napari, "run", lambda: seen.append("run"))
    open_result.main(["a.jpg", "--truth", "b.png"])
    assert seen == [(Path("a.jpg"), Path("b.png")), "run"]
