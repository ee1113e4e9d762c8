"""Mission products in the workbench: what is said of them, and that 12 bits are neither dark nor mistaken for 16."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driver import User
from npe2 import PluginManifest
from qtpy.QtWidgets import QFileDialog

from marsqe.image import Compression, MarsImage, Product
from napari_marsqe import layers as conventions
from napari_marsqe import wording
from napari_marsqe.reader import SUFFIXES, get_reader
from napari_marsqe.views.pictures import to_pixmap

ROOT = Path(__file__).parents[2]
NAVCAM = ROOT / "tests" / "data" / "pds" / "1N491020376ILFCNY9P0706L0M1.IMG"


def picture(codec: str, *, lossy: bool, onboard: str | None = None, quality: int | None = None) -> MarsImage:
    facts = Compression(codec, lossy, quality=quality)
    return MarsImage.from_array(
        np.zeros((8, 8), np.uint8), compression=facts, product=Product("Curiosity", onboard_compression=onboard)
    )


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (picture("ICER", lossy=True, onboard="ICER lossy"), "wavelets"),
        (picture("ICER", lossy=False), "nothing to restore"),
        (picture("LOCO", lossy=False), "nothing to restore"),
        (picture("JPEG on board", lossy=True, quality=85), "cannot be held"),
        (picture("PNG", lossy=False, onboard="ICER lossy"), "wavelets"),
        (picture("PNG", lossy=False, onboard="JPEG quality 95"), "cannot be held"),
        (picture("JPEG", lossy=True, onboard="ICER lossy", quality=90), ""),
        (picture("PDS3", lossy=False), ""),
    ],
)
def test_compression_on_board_is_cautioned_about(image: MarsImage, words: str) -> None:
    found = wording.caution(image)
    assert words in found
    assert bool(words) == bool(found)
    assert found in wording.describe_image(image, None)


def test_a_record_of_the_compression_is_not_denied() -> None:
    assert "left no record" not in wording.describe_image(picture("ICER", lossy=False, onboard="ICER lossless"), None)
    assert "left no record" in wording.describe_image(picture("PNG", lossy=False), None)


def test_napari_offers_every_kind_of_file_that_the_reader_takes() -> None:
    manifest = PluginManifest.from_file(ROOT / "napari.yaml")
    (reader,) = (r for r in manifest.contributions.readers or [] if r.command == "napari-marsqe.read")
    expected = {f"*{suffix}" for suffix in SUFFIXES} | {f"*{suffix.upper()}" for suffix in SUFFIXES}
    assert set(reader.filename_patterns) == expected
    assert {".img", ".vic", ".lbl", ".xml", ".heic", ".heif", ".bpg"} < set(SUFFIXES)
    assert get_reader("SOL_1.IMG") is not None


def test_opening_a_product_of_twelve_bits(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pdr", reason="needs the extra pds")
    asked: list[str] = []
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *a: (asked.append(a[3]), (str(NAVCAM), ""))[1])
    user.does(user.bench.open.action)
    assert "*.img *.IMG" in asked[0]
    text = user.bench.open.summary.text()
    assert "Opportunity, Navcam (left), sol 4087, ICER lossy, 3.02 bits per pixel on board." in text
    assert "compressed with wavelets" in text
    assert list(user.case.source.contrast_limits) == [0, 4095]
    user.does(user.bench.understand.action)
    assert list(user.case.layers["references"].contrast_limits) == [0, 4095]
    user.does(user.bench.enhance.action)
    assert list(user.case.enhanced.contrast_limits) == [0, 4095]


@pytest.mark.gui
def test_colour_of_twelve_bits_is_drawn_bright(make_napari_viewer: Callable[..., Any]) -> None:
    white = np.full((64, 64, 3), 4095, np.uint16)
    image = MarsImage.from_array(white, metadata={"significant_bits": 12})
    viewer = make_napari_viewer(show=True)
    layer = conventions.put(viewer, None, conventions.source_layer(image))
    viewer.fit_to_view()
    assert list(layer.contrast_limits) == [0, 4095]
    shown = viewer.screenshot(canvas_only=True, flash=False)
    assert shown[shown.shape[0] // 2, shown.shape[1] // 2, :3].min() > 250


def test_simulating_a_downlink_of_twelve_bits_is_not_dark(user: User) -> None:
    pytest.importorskip("pdr", reason="needs the extra pds")
    user.opens(NAVCAM)
    pixels = user.case.image.pixels
    user.click(user.bench.open.simulation)
    user.bench.open.original.set_value(user.case.source)
    user.bench.refresh()
    user.does(user.bench.open.simulate)
    assert user.case.truth.data.dtype == np.uint8
    np.testing.assert_allclose(user.case.truth.data, pixels * (255 / 4095), atol=0.51)
    assert abs(user.case.image.pixels.mean() - pixels.mean() * 255 / 4095) < 2


def test_a_missing_extra_is_told_with_its_command(
    user: User, monkeypatch: pytest.MonkeyPatch, notified: list[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pdr", None)
    user.bench.open_path(NAVCAM)
    user.wait(lambda: bool(notified))
    assert user.bench.open.summary.objectName() == "marsqeError"
    assert user.bench.open.summary.text().endswith('pip install "napari-marsqe[pds]"'), (
        "nothing that is not to be copied"
    )
    assert user.layers() == []


def test_small_pictures_of_twelve_bits_are_not_dark() -> None:
    white = to_pixmap(np.full((128, 128), 4095, np.uint16), 4095).toImage()
    assert white.pixelColor(40, 40).getRgb()[:3] == (255, 255, 255)
