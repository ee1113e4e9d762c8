"""Adding a reference of one's own, by clicks, and what it changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver import User
from models_of_ones_own import rocky
from PIL import Image
from qtpy.QtCore import QPoint, Qt

import marsqe
from marsqe.matching import dictionary_of, list_own
from marsqe.samples import sample_path
from napari_marsqe.views.own_references import _grown


@pytest.fixture
def outcrop(tmp_path: Path) -> Path:
    """The truth of the very ground that is enhanced, and some around."""
    with Image.open(sample_path("perseverance-hazcam", "truth")) as image:
        path = tmp_path / "outcrop.png"
        Image.fromarray(np.array(image)[150:410, 180:480]).save(path)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marsqe, "segment_steps", rocky, raising=False)


@pytest.fixture
def panel(user: User, jpeg: Path, own_data: Path) -> Iterator[Any]:
    """The panel of somebody whose image is understood."""
    user.opens(jpeg)
    user.does(user.bench.understand.action)
    user.qtbot.mouseClick(user.bench.drawers["references"].heading, Qt.MouseButton.LeftButton)
    yield user.bench.drawers["references"].panel


def said(user: User) -> str:
    return str(user.bench.drawers["references"].words.text())


def opened(user: User, panel: Any, path: Path) -> Any:
    panel.open_file(path)
    user.wait(lambda: panel.source.value is not None)
    return panel.source.value


def test_an_empty_panel_says_what_to_do(user: User, panel: Any) -> None:
    assert "You have none yet" in panel.words.text()
    assert not panel.add.isEnabled()
    assert panel.use.isChecked()
    assert not panel.list.isVisible()


def test_a_drawn_rectangle_becomes_a_reference_that_tiles_choose(user: User, panel: Any, outcrop: Path) -> None:
    case, before = user.case, user.case.understanding
    user.bench.inspect(0, 0)
    layer = opened(user, panel, outcrop)
    assert user.case is case, "a picture to cut from is no image to enhance"
    user.click(panel.draw)
    shapes = user.bench.viewer.layers["cut a reference"]
    assert shapes.mode == "add_rectangle"
    shapes.add_rectangles(np.array([[0, 0], [0, 128], [128, 128], [128, 0]]) - 0.5)
    name = ("sky", "sand", "soil", "rock")[before.matches.classes[0, 0] - 1]
    panel.terrain.set_value(name)
    panel.note.setText("the same ground")
    user.does(panel.add)
    (own,) = list_own()
    assert own.entry is not None
    assert (own.entry.terrain, own.entry.x, own.entry.y, own.entry.note) == (name, 0, 0, "the same ground")
    np.testing.assert_array_equal(own.pixels, layer.data[:128, :128])
    after = case.understanding.matches
    dictionary = dictionary_of(after)
    assert dictionary.patch_id(int(after.classes[0, 0]), int(after.references[0, 0])) == own.patch_id
    assert after.divergences[0, 0] < before.matches.divergences[0, 0]
    assert f"Added 1 of {name}." in panel.words.text()
    assert "chose a reference of your own" in panel.words.text()
    buttons = user.bench.inspector.references.buttons
    assert buttons[0].text().startswith("★")
    assert "outcrop.png" in buttons[0].toolTip()
    assert "the same ground" in buttons[0].toolTip()
    assert len(buttons) == 7
    assert panel.list.count() == 1

    user.does(user.bench.inspector.undo)
    assert case.understanding is before

    user.qtbot.mouseClick(panel.use, Qt.MouseButton.LeftButton, pos=QPoint(8, panel.use.height() // 2))
    user.wait()
    assert not panel.use.isChecked()
    assert "switched off" in panel.words.text()
    assert case.understanding.matches.dictionary_sha256 == before.matches.dictionary_sha256
    panel.list.setCurrentRow(0)
    user.does(panel.remove)
    assert list_own() == []
    assert "Removed own-" in panel.words.text()
    assert not panel.list.isVisible()


def test_a_lossy_picture_is_refused_unless_it_is_wanted(user: User, panel: Any) -> None:
    panel.source.set_value(user.case.source)
    panel.source.chosen.emit(user.case.source)
    panel.terrain.set_value("rock")
    user.does(panel.add)
    assert "has lost detail (JPEG, quality 30" in said(user)
    assert list_own() == []
    panel.lossy.setChecked(True)
    user.does(panel.add)
    assert [own.entry.lossy for own in list_own() if own.entry] == [True]
    assert "(lossy)" in panel.list.item(0).text()
    assert "lost detail" in panel.list.item(0).toolTip()


def test_a_damaged_reference_is_told_and_can_be_removed(user: User, panel: Any, own_data: Path) -> None:
    folder = own_data / "references"
    folder.mkdir(parents=True)
    (folder / "own-0123456789ab.json").write_text("{")
    user.does(user.bench.understand.action)
    assert "is damaged" in user.bench.understand.summary.text()
    panel._fill()
    assert "1 reference damaged" in panel.words.text()
    panel.list.setCurrentRow(0)
    user.does(panel.remove)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("span", "most", "expected"),
    [((0, 300), 400, (0, 300)), ((10, 20), 400, (0, 128)), ((390, 399), 400, (272, 128)), ((-50, 900), 400, (0, 400))],
)
def test_a_small_rectangle_grows_to_a_patch(span: tuple[int, int], most: int, expected: tuple[int, int]) -> None:
    assert _grown(*span, most) == expected
