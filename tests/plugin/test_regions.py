"""Enhancing a part: what is visible, or the tiles that were selected; the rest stays as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driver import User
from napari.components import ViewerModel
from qtpy.QtCore import QPoint, Qt

from marsqe.errors import SettingError
from marsqe.image import MarsImage
from marsqe.results import Region
from napari_marsqe import layers as conventions
from napari_marsqe import work
from napari_marsqe.regions import selected_region, visible_region
from napari_marsqe.session import Case, Session


@pytest.fixture
def placed() -> tuple[Any, Case]:
    """300 x 400 pixels, in a canvas of 200 x 100 (height, width)."""
    viewer = ViewerModel()
    viewer.canvas.size = (200, 100)
    session = Session(viewer)
    return viewer, session.open(MarsImage.from_array(np.zeros((300, 400), np.uint8)))


def choose(user: User, index: int) -> None:
    """Choose a region with the keyboard, as after a click on the box."""
    choice = user.bench.enhance.region
    choice.setFocus()
    user.qtbot.keyClick(choice, Qt.Key.Key_Home)
    for _ in range(index):
        user.qtbot.keyClick(choice, Qt.Key.Key_Down)


def outside(user: User, region: Region) -> Any:
    """Whether enhanced pixels differ from the source, inside set to False."""
    changed = user.case.enhanced.data != user.case.image.pixels
    inside = changed[region.y : region.y + region.height, region.x : region.x + region.width].copy()
    changed[region.y : region.y + region.height, region.x : region.x + region.width] = False
    return inside, changed


@pytest.mark.parametrize(
    ("centre", "zoom", "expected"),
    [
        ((99.5, 199.5), 2.0, Region(175, 50, 50, 100)),
        ((99.5, 199.5), 1.9, Region(173, 47, 54, 106)),
        ((0.0, 0.0), 1.0, Region(0, 0, 51, 101)),
        ((299.0, 399.0), 1.0, Region(349, 199, 51, 101)),
        ((150.0, 200.0), 0.1, None),
    ],
)
def test_what_the_canvas_shows(placed: Any, centre: Any, zoom: float, expected: Region | None) -> None:
    viewer, case = placed
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, *centre), zoom
    assert visible_region(viewer, case) == expected


def test_a_scaled_layer_is_measured_in_its_own_pixels(placed: Any) -> None:
    viewer, case = placed
    case.source.scale, case.source.translate = (2, 0.5), (1000, -7)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 1000 + 2 * 99.5, -7 + 0.5 * 199.5), 1.0
    assert visible_region(viewer, case) == Region(100, 50, 200, 100)


def test_looking_elsewhere_is_an_error(placed: Any) -> None:
    viewer, case = placed
    viewer.scene.camera.center = (0, -5000, 0)
    with pytest.raises(SettingError, match="nothing of the image is visible"):
        visible_region(viewer, case)
    viewer.dims.ndisplay = 3
    with pytest.raises(SettingError, match="2D"):
        visible_region(viewer, case)


def test_selected_tiles_end_with_the_image(placed: Any) -> None:
    _, case = placed
    case.layers[conventions.TILE_MARK] = None
    case.selected = (1, 0), (2, 1)
    assert selected_region(case) == Region(0, 128, 256, 172)


def test_only_what_is_visible_is_enhanced(user: User, jpeg: Any) -> None:
    user.opens(jpeg)
    viewer = user.bench.viewer
    viewer.canvas.size = (40, 60)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 79.5, 99.5), 1.0
    choose(user, 1)
    user.does(user.bench.enhance.action)
    assert user.case.enhancement.region == Region(70, 60, 60, 40)
    inside, rest = outside(user, user.case.enhancement.region)
    assert inside.any()
    assert not rest.any()
    text = user.bench.enhance.summary.text()
    assert "Only 60 × 40 pixels from row 60, column 70; the rest is as it was." in text
    assert "Held to the JPEG" in text


def test_only_the_selected_tiles_are_enhanced(user: User, jpeg: Any, notified: list[str]) -> None:
    bench = user.bench
    user.opens(jpeg)
    choose(user, 2)
    user.does(bench.enhance.action)
    assert notified == ["No tile is selected; click one in the image first, and more with Shift."]
    assert bench.enhance.summary.objectName() == "marsqeError"
    assert user.case.understanding is None, "nothing was begun"
    user.does(bench.understand.action)
    bench.inspect(1, 1)
    user.does(bench.enhance.action)
    assert user.case.enhancement.region == Region(128, 128, 72, 32)
    bench.inspect(1, 0, extend=True)
    user.does(bench.enhance.action)
    assert user.case.enhancement.region == Region(0, 128, 200, 32)
    inside, rest = outside(user, user.case.enhancement.region)
    assert inside.any()
    assert not rest.any()
    assert user.case.layers["tile"].data[0].max(axis=0) == pytest.approx([255.5, 255.5])
    bench.viewer.layers.remove(user.case.layers["tile"])
    user.does(bench.enhance.action)
    assert len(notified) == 2, "without its mark nothing is selected"


def test_not_being_held_to_the_file_is_said(user: User, jpeg: Any, png: Any) -> None:
    user.opens(jpeg)
    box = user.bench.enhance.faithful
    user.click(user.bench.enhance.heading)
    user.qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    user.does(user.bench.enhance.action)
    assert "Not held to a JPEG: by choice" in user.bench.enhance.summary.text()
    box.click()
    user.bench.open_path(png)
    user.wait(lambda: user.case.image.path == png)
    user.does(user.bench.enhance.action)
    assert "Not held to a JPEG: the image came from no JPEG" in user.bench.enhance.summary.text()


def test_the_preferred_batch_reaches_the_engine(user: User, jpeg: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari.settings import get_plugin_settings

    asked: list[int] = []
    real = work.enhance

    def noting(*arguments: Any, **settings: Any) -> Any:
        asked.append(settings["batch"])
        return real(*arguments, **settings)

    monkeypatch.setattr(work, "enhance", noting)
    engine = get_plugin_settings("napari-marsqe").engine
    user.opens(jpeg)
    try:
        engine.batch = 2
        user.does(user.bench.enhance.action)
    finally:
        engine.batch = 8
    assert asked == [2]
