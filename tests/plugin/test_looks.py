"""Swipe, blink and the held key, in a real window: what is drawn, and that everything comes back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from driver import User, canvas_of, hover_canvas, on_canvas
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

pytestmark = pytest.mark.gui
ON_SCREEN = pytest.mark.parametrize("judged", [True], indirect=True, ids=["on screen"])
LAYERS = ("compressed", "enhanced (marsqe-swift)", "truth", "terrain", "ΔPSNR")


def looks(user: User) -> dict[str, tuple[bool, float]]:
    return {layer.name: (layer.visible, layer.opacity) for layer in user.bench.viewer.layers}


def visible(user: User) -> set[str]:
    return {layer.name.removeprefix("sol_0766 · ") for layer in user.bench.viewer.layers if layer.visible}


def colours(user: User) -> NDArray[np.uint8]:
    """Two flat layers instead of the pictures: what is drawn where can be told by colour."""
    viewer, case = user.bench.viewer, user.case
    for layer, colour in ((case.source, (255, 0, 0)), (case.enhanced, (0, 0, 255))):
        layer.data = np.full_like(layer.data, colour)
    viewer.fit_to_view()
    return case.source.data


def drawn(user: User, row: int, column: int) -> str:
    """Which of the two a pixel of the image shows."""
    QTest.qWait(50)  # Qt draws when it is asked to process its events
    place = on_canvas(user, row, column)
    picture = user.bench.viewer.screenshot(flash=False)
    scale = picture.shape[1] / canvas_of(user).width()
    red, _, blue = picture[int(place.y() * scale), int(place.x() * scale), :3]
    return {(True, False): "compressed", (False, True): "enhanced"}[(red > 200, blue > 200)]


@ON_SCREEN
@pytest.mark.parametrize("enhanced_above", [True, False])
def test_swipe_divides_where_the_mouse_is(judged: User, enhanced_above: bool) -> None:
    viewer, bench, case = judged.bench.viewer, judged.bench, judged.case
    colours(judged)
    if not enhanced_above:
        viewer.layers.move(viewer.layers.index(case.source), len(viewer.layers))
    order, before = list(viewer.layers), looks(judged)
    judged.click(bench.judge.swipe)
    assert visible(judged) == {"compressed", "enhanced (marsqe-swift)"}
    for at in (60, 140):
        hover_canvas(judged, 80, at)
        judged.qtbot.waitUntil(lambda at=at: abs(bench.eyes.swipe.at - at) < 1)
        assert [drawn(judged, 80, column) for column in (at - 8, at + 8)] == ["compressed", "enhanced"]
    line = bench.eyes.swipe.signs.line
    assert line.isVisible()
    assert abs(line.geometry().center().x() - on_canvas(judged, 80, 140).x()) <= 2
    viewer.scene.camera.center = (0, 80, 120)
    assert abs(line.geometry().center().x() - on_canvas(judged, 80, 140).x()) <= 2, "it stays on the ground"
    judged.click(bench.judge.swipe)
    assert (list(viewer.layers), looks(judged)) == (order, before)
    top = "enhanced" if enhanced_above else "compressed"
    for layer in viewer.layers:
        layer.visible = layer in (case.source, case.enhanced)
    assert {drawn(judged, 80, column) for column in (20, 180)} == {top}, "nothing is cut any more"


@ON_SCREEN
def test_blink_shows_both_in_turn_and_says_which(judged: User) -> None:
    bench = judged.bench
    before = looks(judged)
    judged.click(bench.judge.blink)
    blink = bench.eyes.blink
    for name, shown in (("enhanced", "enhanced (marsqe-swift)"), ("compressed", "compressed")):
        judged.qtbot.waitUntil(lambda name=name: blink.signs.left.text() == name)
        assert visible(judged) == {shown}
        assert blink.signs.left.isVisible()
    judged.click(bench.judge.blink)
    assert looks(judged) == before


@ON_SCREEN
def test_the_held_key_shows_the_compressed_image(judged: User) -> None:
    native, before = canvas_of(judged), looks(judged)
    QTest.keyPress(native, Qt.Key.Key_H)
    assert visible(judged) == {"compressed", "ΔPSNR"}, "overlays stay as they are"
    QTest.keyRelease(native, Qt.Key.Key_H)
    assert looks(judged) == before


@ON_SCREEN
def test_without_a_result_the_key_does_nothing(judged: User) -> None:
    native = canvas_of(judged)
    judged.bench.viewer.layers.remove(judged.case.enhanced)
    before = looks(judged)
    QTest.keyPress(native, Qt.Key.Key_H)
    assert looks(judged) == before
    QTest.keyRelease(native, Qt.Key.Key_H)
    assert looks(judged) == before
    assert not judged.bench.judge.swipe.isEnabled()


def test_one_look_at_a_time(judged: User) -> None:
    bench, before = judged.bench, looks(judged)
    buttons = (bench.judge.swipe, bench.judge.blink, bench.judge.compare)
    for button in (*buttons, *reversed(buttons)):
        judged.click(button)
        if button.isChecked():
            assert [other.isChecked() for other in buttons] == [other is button for other in buttons]
    judged.click(bench.judge.swipe) if bench.judge.swipe.isChecked() else None
    assert not any(button.isChecked() for button in buttons)
    assert looks(judged) == before
    assert not bench.viewer.canvas.grid.enabled


@pytest.mark.parametrize("look", ["swipe", "blink"])
@pytest.mark.parametrize("gone", ["compressed", "enhanced (marsqe-swift)"])
def test_a_removed_layer_ends_the_look(judged: User, look: str, gone: str) -> None:
    viewer, button = judged.bench.viewer, getattr(judged.bench.judge, look)
    left = {name: state for name, state in looks(judged).items() if not name.endswith(gone)}
    judged.click(button)
    viewer.layers.remove(f"sol_0766 · {gone}")
    assert not button.isChecked()
    assert looks(judged) == left
    hovering: list[Any] = viewer.mouse_move_callbacks
    assert judged.bench.eyes.swipe._on_move not in hovering


def test_looks_survive_renaming(judged: User) -> None:
    judged.click(judged.bench.judge.swipe)
    judged.case.source.name, judged.case.enhanced.name = "before", "after"
    assert visible(judged) == {"before", "after"}
    assert judged.bench.judge.swipe.isChecked()
    judged.click(judged.bench.judge.swipe)
    assert "ΔPSNR" in visible(judged)


@pytest.mark.parametrize("look", ["swipe", "compare"])
def test_another_image_ends_the_look_and_finds_its_layers(judged: User, look: str, truth: NDArray[np.uint8]) -> None:
    """The first image's layers are put away as they were before the look, and come back so."""
    viewer, first = judged.bench.viewer, judged.case
    before = looks(judged)
    judged.click(getattr(judged.bench.judge, look))
    other = viewer.add_image(truth, name="other")
    judged.bench.session.choose(other)
    assert not getattr(judged.bench.judge, look).isChecked()
    assert visible(judged) == {"other", "truth"}
    judged.bench.session.choose(first.source)
    now = looks(judged)
    assert {name: now[name] for name in before} == before


def test_all_keys_are_given_back_with_the_workbench(judged: User) -> None:
    viewer = judged.bench.viewer
    assert viewer.keymap
    judged.click(judged.bench.judge.swipe)
    viewer.window.remove_dock_widget("all")
    assert not viewer.keymap
    assert not [callback for callback in viewer.mouse_move_callbacks if "Swipe" in repr(callback)]
