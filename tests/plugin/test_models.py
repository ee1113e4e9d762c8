"""The model manager, by clicks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from driver import User
from models_of_ones_own import tiny_weights
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QPlainTextEdit

from marsqe import weights
from marsqe.enhancement import networks
from marsqe.weights import local_folder
from napari_marsqe.views.models import COLUMNS, describe_gains


@pytest.fixture
def only_swift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation with the weights of marsqe-swift alone."""
    folder = weights._folder()
    for name in ("marsqe-swift.json", "marsqe-swift.md", "marsqe-swift.safetensors"):
        shutil.copy(Path(str(folder / name)), tmp_path / name)
    monkeypatch.setattr(weights, "_folder", lambda: tmp_path)


@pytest.fixture
def panel(user: User, own_data: Path) -> Iterator[Any]:
    user.qtbot.mouseClick(user.bench.drawers["models"].heading, Qt.MouseButton.LeftButton)
    panel = user.bench.drawers["models"].panel
    user.wait(lambda: bool(panel.rows))
    yield panel
    networks.loaded.cache_clear()


def cells(panel: Any) -> dict[str, list[str]]:
    table = panel.table
    rows = [[table.item(r, c).text() for c in range(len(COLUMNS))] for r in range(table.rowCount())]
    return {row[0]: row[1:] for row in rows}


def choose(panel: Any, name: str) -> None:
    panel.table.selectRow(list(cells(panel)).index(name))


def picks(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))


def test_bundled_models_are_verified_and_tell_their_gains(user: User, panel: Any) -> None:
    shown = cells(panel)
    assert shown["marsqe-swift"][0] == "bundled"
    assert shown["marsqe-swift"][3] == "✓"
    assert not panel.remove.isEnabled()
    choose(panel, "marsqe-swift")
    assert "Its weights are those that its card names (SHA-256" in panel.gains.text()
    assert "Mean gain in dB" in panel.gains.text()
    assert "msl_mastcam" in panel.gains.text()
    assert not panel.remove.isEnabled(), "bundled models stay"
    user.click(panel.card)
    text = panel.shown.findChild(QPlainTextEdit).toPlainText()
    assert "# marsqe-swift" in text
    assert "Known failures" in text
    panel.shown.close()


def test_a_preset_without_weights_says_so(only_swift: None, user: User, panel: Any) -> None:
    shown = cells(panel)
    assert shown["marsqe-swift"][0] == "bundled"
    assert shown["marsqe"][0] == "no weights yet"
    assert shown["marsqe"][3] == "–"
    choose(panel, "marsqe")
    assert "no weights of it yet" in panel.gains.text()
    assert not panel.card.isEnabled()


def test_import_use_verify_and_remove(
    user: User, panel: Any, jpeg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gains = {"val/ours": {"30": {"mean": 1.25, "worst": 0.5}}}
    picks(monkeypatch, tiny_weights(tmp_path, "marsqe-lite", validation=gains))
    user.does(panel.importing)
    assert "Automatic” never takes" in user.bench.drawers["models"].words.text()
    assert cells(panel)["my-lite"][0] == "yours"
    choose(panel, "my-lite")
    assert "as its card says" in panel.gains.text()
    assert "+1.25" in panel.gains.text()
    user.opens(jpeg)
    assert "my-lite" in user.bench.enhance.model.values
    assert user.bench.enhance.model.value == "auto"
    user.bench.enhance.model.set_value("my-lite")
    user.does(user.bench.enhance.action)
    assert user.case.enhancement.model == "my-lite"

    (local_folder() / "my-lite.safetensors").write_bytes(b"changed")
    user.does(panel.verify)
    assert cells(panel)["my-lite"][3] == "✕"
    choose(panel, "my-lite")
    assert "not those that its card names" in panel.gains.text()
    user.does(panel.remove)
    assert "my-lite" not in cells(panel)
    assert "my-lite" not in user.bench.enhance.model.values
    assert user.bench.enhance.model.value == "auto"
    assert list(local_folder().iterdir()) == []


def test_what_cannot_be_imported_is_told_and_changes_nothing(
    user: User, panel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notified: list[str]
) -> None:
    before = cells(panel)
    picks(monkeypatch, tmp_path / "weights.pth")
    user.does(panel.importing)
    assert "not opened" in user.bench.drawers["models"].words.text()
    assert "save_file" in notified[0]
    path = tiny_weights(tmp_path)
    path.with_suffix(".json").unlink()
    picks(monkeypatch, path)
    user.does(panel.importing)
    assert "card cannot be used" in notified[1]
    picks(monkeypatch, Path())
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    user.click(panel.importing)
    assert cells(panel) == before


def test_a_damaged_card_hides_no_other_model(user: User, panel: Any) -> None:
    local_folder().mkdir(parents=True)
    for ending in ("json", "safetensors"):
        (local_folder() / f"broken.{ending}").write_text("{")
    user.does(panel.verify)
    assert cells(panel)["broken"][3] == "✕"
    choose(panel, "broken")
    assert "is damaged" in panel.gains.text()
    user.does(panel.remove)
    assert "broken" not in cells(panel)


def test_gains_are_told_by_set_and_quality() -> None:
    table = {"val/a": {str(q): {"mean": q / 10, "worst": 0} for q in (20, 30, 40, 50, 65, 75, 85, 90, 95)}}
    row = {"description": "", "available": True, "validation": table, "local": False, "state": None}
    text = describe_gains(row)
    assert "<b>a</b>: 20&nbsp;+2.00; 30&nbsp;+3.00" in text
    assert "95&nbsp;+9.50" in text
    assert "no measured gain" in describe_gains(row | {"validation": None})
