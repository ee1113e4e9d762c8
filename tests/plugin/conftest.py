"""A small real picture, and the workbench on a viewer model, driven as a user would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver import User, at_a_new_workbench, in_front_of, judge_made_up
from numpy.typing import NDArray
from PIL import Image
from pytestqt.qtbot import QtBot

import marsqe
from marsqe.codecs.jpeg import encode_jpeg
from marsqe.samples import sample_path

SIDES = (160, 200)


@pytest.fixture(scope="session")
def truth() -> NDArray[np.uint8]:
    """160x200 pixels of a real rover image, uncompressed: two tiles by two, three of them cut by the border."""
    with Image.open(sample_path("perseverance-hazcam", "truth")) as image:
        return np.array(image)[150 : 150 + SIDES[0], 180 : 180 + SIDES[1]]


@pytest.fixture
def jpeg(tmp_path: Path, truth: NDArray[np.uint8]) -> Path:
    """The picture as a rover would have sent it: JPEG quality 30."""
    path = tmp_path / "sol_0766.jpg"
    path.write_bytes(encode_jpeg(truth, quality=30))
    return path


@pytest.fixture
def png(tmp_path: Path, truth: NDArray[np.uint8]) -> Path:
    """The picture without loss."""
    path = tmp_path / "sol_0766_truth.png"
    Image.fromarray(truth).save(path)
    return path


@pytest.fixture
def notified() -> Iterator[list[str]]:
    """Texts of the errors that napari showed."""
    from napari.utils.notifications import NotificationSeverity, notification_manager

    seen: list[str] = []

    def note(notification: Any) -> None:
        if notification.severity >= NotificationSeverity.ERROR:
            seen.append(notification.message)

    notification_manager.notification_ready.connect(note)
    yield seen
    notification_manager.notification_ready.disconnect(note)


@pytest.fixture(autouse=True)
def unchanged_preferences() -> Iterator[None]:
    """What a click lets napari remember must not reach the next test."""
    from napari.settings import get_plugin_settings

    engine = get_plugin_settings("napari-marsqe").engine
    before = engine.faithful
    yield
    engine.faithful = before


@pytest.fixture
def user(qtbot: QtBot) -> Iterator[User]:
    """Somebody in front of a workbench without layers."""
    yield from at_a_new_workbench(qtbot)


@pytest.fixture
def seen(
    request: pytest.FixtureRequest, make_napari_viewer: Callable[..., Any], qtbot: QtBot, jpeg: Path, png: Path
) -> Iterator[User]:
    """An image that went through every step, in a window; on the screen for those who click on the canvas."""
    viewer = make_napari_viewer(show=getattr(request, "param", False))
    _, bench = viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")
    with in_front_of(bench, qtbot) as user:
        user.opens(jpeg, png)
        bench.run_all()
        user.wait(lambda: user.case.judgement is not None)
        yield user


@pytest.fixture
def judged(
    request: pytest.FixtureRequest,
    make_napari_viewer: Callable[..., Any],
    qtbot: QtBot,
    jpeg: Path,
    truth: NDArray[np.uint8],
) -> Iterator[User]:
    """As ``seen``, at once: the results are made up, and shown as the steps show theirs. ``show`` puts it on screen."""
    viewer = make_napari_viewer(show=getattr(request, "param", False))
    _, bench = viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")
    with in_front_of(bench, qtbot) as user:
        judge_made_up(bench, marsqe.open_image(jpeg), marsqe.MarsImage.from_array(truth, metadata={"name": "sol_0766"}))
        yield user
