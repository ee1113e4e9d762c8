"""Compare and inspector, in a real viewer: what is drawn where, and the way back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driver import User, click_canvas
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from marsqe.matching import load_dictionary
from napari_marsqe.views.inspector import tile_at
from napari_marsqe.views.pictures import SIDE, to_pixmap

pytestmark = pytest.mark.gui
ON_SCREEN = pytest.mark.parametrize("seen", [True], indirect=True, ids=["on screen"])


def state(viewer: Any) -> list[Any]:
    grid, camera = viewer.canvas.grid, viewer.scene.camera
    return [
        [(layer, layer.visible, layer.opacity, layer.name_overlay.visible) for layer in viewer.layers],
        (grid.enabled, grid.stride, grid.shape, grid.spacing),
        (tuple(camera.center), camera.zoom),
    ]


def test_compare_shows_four_and_goes_back_exactly(seen: User) -> None:
    viewer, bench = seen.bench.viewer, seen.bench
    viewer.scene.camera.zoom, viewer.scene.camera.center = 2.5, (0, 33, 44)
    viewer.layers["sol_0766 · references"].visible = True
    before = state(viewer)
    seen.click(bench.judge.compare)
    grid = viewer.canvas.grid
    boxes = {viewer.layers[i].name: position for position, (i,) in grid.iter_viewboxes(viewer.layers)}
    assert boxes == {
        "sol_0766 · compressed": (0, 0),
        "sol_0766 · enhanced (marsqe-swift)": (0, 1),
        "sol_0766 · residual": (1, 0),
        "sol_0766 · ΔPSNR": (1, 1),
    }
    assert all(layer.name_overlay.visible for layer in viewer.layers if layer.visible)
    seen.click(bench.judge.compare)
    assert state(viewer) == before


def test_compare_survives_removed_and_added_layers(seen: User, truth: NDArray[np.uint8]) -> None:
    viewer, bench = seen.bench.viewer, seen.bench
    order = [layer.name for layer in viewer.layers]
    seen.click(bench.judge.compare)
    viewer.layers.remove("sol_0766 · residual")
    viewer.add_image(truth, name="new")
    seen.click(bench.judge.compare)
    assert not viewer.canvas.grid.enabled
    assert seen.layers() == [*(name for name in order if name != "sol_0766 · residual"), "new"]


def test_leaving_the_grid_with_naparis_own_button_ends_the_comparison(seen: User) -> None:
    viewer, bench = seen.bench.viewer, seen.bench
    visible = [layer.visible for layer in viewer.layers]
    seen.click(bench.judge.compare)
    viewer.canvas.grid.enabled = False
    assert not bench.judge.compare.isChecked()
    assert [layer.visible for layer in viewer.layers] == visible


def test_removing_the_image_ends_the_comparison(seen: User) -> None:
    viewer, bench = seen.bench.viewer, seen.bench
    seen.click(bench.judge.compare)
    viewer.layers.remove("sol_0766 · compressed")
    assert not viewer.canvas.grid.enabled
    assert not bench.judge.compare.isChecked()


@ON_SCREEN
def test_clicking_a_tile_shows_its_reference(seen: User) -> None:
    bench, case = seen.bench, seen.case
    bench.viewer.fit_to_view()
    active = bench.viewer.layers.selection.active
    assert "Click a tile" in bench.inspector.words.text()
    click_canvas(seen, 140, 60)
    matches = case.understanding.matches
    text = bench.inspector.words.text()
    assert text.startswith("Row 2, column 1:")
    assert f"reference {matches.references[1, 0] + 1} of 6" in text
    assert f"{matches.divergences[1, 0]:.3f}" in text
    assert f"{matches.similarity[1, 0]:.2f}" in text
    label, index = int(matches.classes[1, 0]), int(matches.references[1, 0])
    assert load_dictionary().entry(label, index).credit in text
    shown = bench.inspector.pictures[1].pixmap().toImage()
    expected = to_pixmap(load_dictionary().reference(label, index)).toImage()
    assert shown == expected
    twin = bench.inspector.pictures[2].pixmap().toImage()
    assert twin != expected, "the twin is compressed"
    mark = case.layers["tile"]
    assert mark.data[0].min(axis=0) == pytest.approx([127.5, -0.5])
    assert bench.viewer.layers.selection.active is active


@ON_SCREEN
def test_a_click_in_any_box_of_the_comparison_is_a_tile(seen: User) -> None:
    bench, viewer = seen.bench, seen.bench.viewer
    seen.click(bench.judge.compare)
    viewer.scene.camera.center = (0, 64, 64)
    seen.qtbot.wait(200)
    native = viewer.window._qt_viewer.canvas.native
    # Two by two boxes: the middle of the lower right one is the middle of the first tile.
    where = QPoint(round(native.width() * 0.75) + 12, round(native.height() * 0.75) + 12)
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, pos=where)
    assert bench.inspector.words.text().startswith("Row 1, column 1:")
    assert not seen.case.layers["tile"].visible, "the mark takes no box of its own"
    seen.click(bench.judge.compare)


@ON_SCREEN
def test_another_tile_moves_the_same_mark(seen: User) -> None:
    bench = seen.bench
    bench.viewer.fit_to_view()
    click_canvas(seen, 20, 20)
    number = len(bench.viewer.layers)
    click_canvas(seen, 20, 180)
    assert len(bench.viewer.layers) == number
    assert bench.inspector.words.text().startswith("Row 1, column 2:")
    assert seen.case.layers["tile"].data[0].min(axis=0) == pytest.approx([-0.5, 127.5])


@ON_SCREEN
def test_painting_is_not_inspecting(seen: User) -> None:
    viewer = seen.bench.viewer
    viewer.fit_to_view()
    viewer.layers["sol_0766 · terrain"].visible = True
    viewer.layers.selection.active = viewer.layers["sol_0766 · terrain"]
    viewer.layers.selection.active.mode = "paint"
    viewer.layers.selection.active.selected_label = 1 if viewer.layers["sol_0766 · terrain"].data[20, 20] != 1 else 2
    click_canvas(seen, 20, 20)
    assert "Click a tile" in seen.bench.inspector.words.text()
    assert seen.bench.understand.rematch.isVisible(), "but the terrain is another one now"


@ON_SCREEN
def test_shift_extends_the_selection_to_what_is_enhanced(seen: User) -> None:
    bench = seen.bench
    bench.viewer.fit_to_view()
    click_canvas(seen, 20, 180)
    assert seen.case.selected == ((0, 1), (0, 1))
    click_canvas(seen, 140, 180, Qt.KeyboardModifier.ShiftModifier)
    assert seen.case.selected == ((0, 1), (1, 1))
    assert seen.case.layers["tile"].data[0].max(axis=0) == pytest.approx([255.5, 255.5])
    assert bench.inspector.words.text().startswith("Row 2, column 2:")
    click_canvas(seen, 140, 20)
    assert seen.case.selected == ((1, 0), (1, 0))


@ON_SCREEN
def test_only_what_the_canvas_shows_is_enhanced(seen: User) -> None:
    bench, viewer = seen.bench, seen.bench.viewer
    native = viewer.window._qt_viewer.canvas.native
    viewer.scene.camera.zoom, viewer.scene.camera.center = native.width() / 60, (0, 80, 100)
    bench.enhance.region.set_value("visible")
    bench.run_enhance()
    seen.wait(lambda: seen.case.enhancement.region is not None)
    region = seen.case.enhancement.region
    assert abs(region.width - 60) <= 1
    assert abs(region.height - 60 * native.height() / native.width()) <= 1
    assert abs(region.x + region.width / 2 - 100.5) <= 1


def test_beside_the_image_there_is_no_tile(seen: User) -> None:
    assert tile_at(seen.case, (-2, 5)) is None
    assert tile_at(seen.case, (159.4, 199.4)) == (1, 1)
    assert tile_at(seen.case, (159.6, 5)) is None
    assert tile_at(seen.case, (-0.4, -0.4)) == (0, 0)


def test_a_cut_tile_is_drawn_in_proportion() -> None:
    picture = to_pixmap(np.zeros((32, 64), np.uint16))
    assert (picture.width(), picture.height()) == (SIDE // 2, SIDE // 4)


def test_fits_a_narrow_dock_on_a_small_screen(seen: User) -> None:
    """All five steps and the inspector at 320 pixels, without a horizontal scroll bar."""
    bench = seen.bench
    bench.inspect(0, 0)
    bench.enhance.heading.setChecked(True)
    assert bench.minimumSizeHint().width() <= 340
    column = bench.column.widget()
    assert column is not None
    assert column.minimumSizeHint().width() <= 320


def test_the_look_follows_the_theme(seen: User) -> None:
    bench = seen.bench
    dark = bench.styleSheet()
    bench.viewer.theme = "light"
    assert bench.styleSheet() != dark
