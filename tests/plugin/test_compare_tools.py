"""Magnifier, line profile, figures and tiles, used with the mouse in a real window."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver import User, canvas_of, click_canvas, hover_canvas, judge_made_up, on_canvas, show_at_once
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QFileDialog

import marsqe
from marsqe.judgement import profile
from napari_marsqe.views import figures, line_profile, magnifier, tiles
from napari_marsqe.views.charts import Palette

pytestmark = pytest.mark.gui
ON_SCREEN = pytest.mark.parametrize("judged", [True], indirect=True, ids=["on screen"])


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the next file goes, whatever name is offered; its suffix is left to the workbench."""
    path = tmp_path / "saved"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    return path


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def unfold(user: User, key: str) -> Any:
    return user.bench.drawers[key].unfold()


def draw_line(user: User, panel: Any, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Press the button, then drag."""
    user.click(panel.button)
    native = canvas_of(user)
    hover_canvas(user, *start)
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=on_canvas(user, *start))
    for share in (0.3, 0.7, 1):
        hover_canvas(user, *(a + (b - a) * share for a, b in zip(start, end, strict=True)))
        user.qtbot.wait(20)
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=on_canvas(user, *end))
    user.qtbot.waitUntil(lambda: not panel.button.isChecked())


# -- magnifier ---------------------------------------------------------------------------------------------------------


def test_pieces_are_pixels_and_transparent_beside_the_image() -> None:
    pixels = np.arange(30, dtype=np.uint16).reshape(5, 6) * 100
    piece = magnifier.cut(pixels, 0, 5, 3, full_scale=4095)
    assert piece.shape == (3, 3, 4)
    assert piece[..., 3].tolist() == [[0, 0, 0], [255, 255, 0], [255, 255, 0]]
    assert piece[1, 1].tolist() == [round(500 * 255 / 4095)] * 3 + [255]


@ON_SCREEN
def test_the_magnifier_follows_the_mouse(judged: User) -> None:
    viewer, case, panel = judged.bench.viewer, judged.case, unfold(judged, "magnifier")
    assert panel.words.text() == magnifier.MOVE
    viewer.fit_to_view()
    hover_canvas(judged, 50, 60)
    hover_canvas(judged, 51, 62)
    judged.qtbot.waitUntil(lambda: panel.words.text().startswith("Row 51, column 62 in DN: compressed"))
    for name, layer in (("compressed", case.source), ("enhanced", case.enhanced), ("truth", case.truth)):
        for loupe in panel.loupes[name]:
            middle = loupe.picture.pixelColor(loupe.pixels // 2, loupe.pixels // 2)
            assert [middle.red(), middle.green(), middle.blue()] == layer.data[51, 62].tolist()
            assert loupe.isVisible()
        assert f"{name}&nbsp;{'&nbsp;'.join(map(str, layer.data[51, 62]))}" in panel.words.text()
    assert panel.loupes["reference"][0].isVisible()
    hover_canvas(judged, -30, 62)
    judged.qtbot.wait(3 * magnifier.INTERVAL)
    assert panel.words.text().startswith("Row 51,"), "beside the image the last look stays"
    viewer.layers.remove(case.truth)
    viewer.layers.remove(case.layers["references"])
    assert [name for name in panel.captions if panel.captions[name].isVisible()] == ["compressed", "enhanced"]
    viewer.layers.clear()
    assert panel.words.text() == magnifier.OPEN
    assert not panel.captions["compressed"].isVisible()


# -- line profile ------------------------------------------------------------------------------------------------------


@ON_SCREEN
def test_a_drawn_line_shows_its_profile_and_nothing_moves(judged: User, saved: Path) -> None:
    viewer, case, panel = judged.bench.viewer, judged.case, unfold(judged, "profile")
    assert panel.words.text() == line_profile.DRAW
    viewer.scene.camera.zoom, viewer.scene.camera.center = 2.5, (0, 70.0, 90.0)
    judged.qtbot.wait(50)
    camera, active, place = viewer.scene.camera, viewer.layers.selection.active, on_canvas(judged, 40, 40)
    before = (camera.center, camera.zoom)
    draw_line(judged, panel, (40, 40), (60, 120))
    assert (camera.center, camera.zoom, on_canvas(judged, 40, 40)) == (*before, place)
    assert viewer.layers.selection.active is active, "the mouse moves the view again"
    assert panel.line.start == pytest.approx((40, 40), abs=0.5)
    assert panel.line.end == pytest.approx((60, 120), abs=0.5)
    assert list(panel.line.values) == ["compressed", "enhanced", "truth"]
    expected = profile({"truth": case.truth.data}, panel.line.start, panel.line.end).values["truth"]
    assert panel.line.values["truth"] == pytest.approx(expected)
    assert panel.plot.canvas.isVisible()
    judged.click(panel.save)
    header, first, *rest = table(saved.with_suffix(".csv"))
    assert header[3:] == [f"{name}, luma in DN" for name in panel.line.values]
    assert float(first[5]) == pytest.approx(expected[0], abs=0.01)
    assert len(rest) == len(expected) - 1


@ON_SCREEN
def test_another_line_another_channel_another_width(judged: User) -> None:
    panel = unfold(judged, "profile")
    judged.bench.viewer.fit_to_view()
    draw_line(judged, panel, (40, 40), (60, 120))
    layer = judged.case.layers["profile"]
    layer.name = "mine"
    draw_line(judged, panel, (100, 40), (100, 120))
    assert judged.case.layers["profile"] is layer, "known by identity"
    assert len(layer.data) == 1
    assert panel.line.start == pytest.approx((100, 40), abs=1)
    luma = panel.line.values["truth"]
    panel.channel.setCurrentText("blue")
    assert np.abs(panel.line.values["truth"] - luma).max() > 1
    panel.width_box.setValue(9)
    assert panel.line.width == 9
    text = panel.width_box.lineEdit()
    assert text.width() >= text.fontMetrics().horizontalAdvance("50 px wide"), "no letter is cut"
    layer.data = [np.array([[10.0, 20.0], [10.0, 50.0]])]
    judged.qtbot.waitUntil(lambda: panel.line.start == (10, 20))
    judged.bench.viewer.layers.remove(layer)
    assert panel.line is None
    assert panel.words.text() == line_profile.DRAW
    assert not panel.plot.isVisible()


def test_a_line_outside_and_without_length(judged: User) -> None:
    panel = unfold(judged, "profile")
    judged.click(panel.button)
    assert panel.words.text() == line_profile.DRAWING
    judged.click(panel.button)
    layer = judged.case.layers["profile"]
    for ends in ([[500.0, 500.0], [500.0, 600.0]], [[5.0, 5.0], [5.0, 5.0]]):
        layer.data = [np.array(ends)]
        judged.qtbot.waitUntil(lambda: not panel._timer.isActive())
        assert panel.words.text() != line_profile.DRAW
    assert "the line has no length" in panel.words.text()


# -- figures -----------------------------------------------------------------------------------------------------------


def test_figures_of_a_judgement_and_their_files(judged: User, saved: Path) -> None:
    panel, judgement = unfold(judged, "figures"), judged.case.judgement
    for index, key in enumerate(figures.TITLES):
        panel.choice.setCurrentIndex(index)
        assert panel.chosen == key
        assert len(panel.plot.canvas.figure.axes) == 1
        judged.click(panel.save_numbers)
        header, *rows = table(saved.with_suffix(".csv"))
        assert list(figures.numbers_of(key, judged.case.image, judgement)[0]) == header
        assert len(rows) == len(figures.numbers_of(key, judged.case.image, judgement)[1])
    judged.click(panel.save_picture)
    assert saved.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert "Saved as <b>saved.png</b>" in judged.bench.drawers["figures"].words.text()


def test_figures_follow_the_theme(judged: User) -> None:
    panel = unfold(judged, "figures")
    dark = panel.plot.canvas.figure.get_facecolor()
    judged.bench.viewer.theme = "light"
    light = panel.plot.canvas.figure.get_facecolor()
    assert sum(light[:3]) > sum(dark[:3]) + 1
    (ax,) = panel.plot.canvas.figure.axes
    assert ax.yaxis.label.get_color() == Palette.of("light").text


def test_a_file_that_cannot_be_written_is_told(judged: User, saved: Path, notified: list[str]) -> None:
    panel = unfold(judged, "figures")
    saved.with_suffix(".csv").mkdir()
    judged.click(panel.save_numbers)
    assert "there is a folder of that name" in judged.bench.drawers["figures"].words.text()
    assert len(notified) == 1


def test_without_truth_or_judgement_figures_say_what_to_do(judged: User) -> None:
    panel = unfold(judged, "figures")
    judged.bench.session.set_truth(judged.case, None)
    assert panel.words.text() == figures.JUDGE
    assert panel.plot.isHidden()
    case = judged.case
    judgement = marsqe.judge(case.enhancement.pixels, compressed=case.image.pixels)
    show_at_once(judged.bench.judge.task(judged.bench.session, case), (judgement, None))
    assert panel.words.text() == figures.NO_TRUTH
    panel.choice.setCurrentIndex(2)
    assert not panel.plot.isHidden(), "changes can be drawn without a truth"


# -- tiles -------------------------------------------------------------------------------------------------------------


def rows(panel: Any, column: int) -> list[str]:
    return [panel.proxy.index(row, column).data() for row in range(panel.proxy.rowCount())]


@ON_SCREEN
def test_a_row_flies_to_its_tile_and_a_tile_selects_its_row(judged: User, saved: Path) -> None:
    viewer, panel = judged.bench.viewer, unfold(judged, "tiles")
    viewer.fit_to_view()
    gains = judged.case.judgement.delta_psnr.ravel().tolist()
    panel.table.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    assert rows(panel, 3) == [f"+{gain:.2f}" for gain in sorted(gains, reverse=True)]
    panel.table.sortByColumn(6, Qt.SortOrder.AscendingOrder)
    assert rows(panel, 6) == ["0.100", "0.150", "0.200", "0.250"]
    third = panel.table.visualRect(panel.proxy.index(2, 0)).center()
    QTest.mouseClick(panel.table.viewport(), Qt.MouseButton.LeftButton, pos=third)
    assert judged.case.selected == ((1, 0), (1, 0))
    assert judged.bench.inspector.words.text().startswith("Row 2, column 1:")
    middle = (128 + 15.5, 63.5)
    judged.qtbot.waitUntil(lambda: viewer.scene.camera.center[-2:] == pytest.approx(middle))
    zoom = viewer.scene.camera.zoom
    QTest.keyClick(panel.table, Qt.Key.Key_Down)
    judged.qtbot.waitUntil(lambda: viewer.scene.camera.center[-2:] == pytest.approx((143.5, 163.5)))
    assert viewer.scene.camera.zoom == pytest.approx(zoom)
    viewer.fit_to_view()
    still = viewer.scene.camera.center
    click_canvas(judged, 20, 20)
    assert panel.table.currentIndex().siblingAtColumn(1).data() == "1"
    assert panel.table.currentIndex().row() == 0
    assert viewer.scene.camera.center == still, "who clicked a tile is there already"
    judged.click(panel.save)
    header, *lines = table(saved.with_suffix(".csv"))
    assert header == list(tiles.HEADER)
    assert [line[0:2] for line in lines] == [["1", "1"], ["1", "2"], ["2", "1"], ["2", "2"]]
    assert float(lines[1][3]) == pytest.approx(gains[1], abs=1e-4)


def test_tiles_without_a_truth_and_without_anything(judged: User, jpeg: Path) -> None:
    panel = unfold(judged, "tiles")
    judged.bench.viewer.layers.clear()
    assert panel.words.text() == tiles.EMPTY
    assert panel.table.isHidden()
    judge_made_up(judged.bench, marsqe.open_image(jpeg), None)
    assert panel.words.text() == tiles.READY
    assert rows(panel, 2) == ["sky", "sand", "soil", "rock"]
    assert rows(panel, 3) == [""] * 4, "no gain is made up"
    assert all(float(change) > 0 for change in rows(panel, 8))


def test_compare_without_a_truth_and_renamed(judged: User, truth: NDArray[np.uint8], jpeg: Path) -> None:
    """Side by side: what was changed instead of residual and gain; cameras are one; names do not matter."""
    viewer, bench = judged.bench.viewer, judged.bench
    viewer.layers.clear()
    judge_made_up(bench, marsqe.open_image(jpeg), None)
    judged.case.source.name, judged.case.enhanced.name = "a", "b"
    judged.click(bench.judge.compare)
    shown = [viewer.layers[i].name for _, (i,) in viewer.canvas.grid.iter_viewboxes(viewer.layers)]
    assert shown == ["a", "b", "sol_0766 · change"]
    viewer.scene.camera.zoom = 3.0
    views = viewer.window._qt_viewer.canvas.grid_views
    assert len({view.camera.rect.size for view in views if view.parent is not None}) == 1, "linked cameras"
    judged.case.enhanced.name = "c"
    viewer.layers.remove(judged.case.layers["change"])
    judged.click(bench.judge.compare)
    assert not viewer.canvas.grid.enabled
    assert judged.case.enhanced.visible


def test_everything_fits_a_narrow_dock(judged: User) -> None:
    for key in judged.bench.drawers:
        unfold(judged, key)
        assert judged.bench.drawers[key].minimumSizeHint().width() <= 320, key
