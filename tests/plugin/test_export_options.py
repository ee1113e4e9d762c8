"""The options of the Export section, by clicks and keys: what is ticked is what is written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from driver import User
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog

import marsqe
from marsqe.export import read_provenance
from marsqe.judgement.verification import inside
from napari_marsqe.workbench import WIDTH


def tick(user: User, box: QCheckBox) -> None:
    """A click on the little square itself; the rest of the row does not count."""
    before = box.isChecked()
    user.qtbot.mouseClick(box, Qt.MouseButton.LeftButton, pos=QPoint(8, box.height() // 2))
    assert box.isChecked() is not before


@pytest.fixture
def enhanced(user: User, jpeg: Path, png: Path) -> User:
    user.opens(jpeg, png)
    user.does(user.bench.enhance.action)
    return user


def test_what_is_ticked_is_written(enhanced: User, jpeg: Path, png: Path, monkeypatch: Any, tmp_path: Path) -> None:
    user, export = enhanced, enhanced.bench.export
    assert not export.depth.isVisible()
    user.click(export.heading)
    assert export.depth.isVisible()
    assert not export.layers["residual"].isEnabled(), "nothing was judged yet"
    user.does(user.bench.judge.action)
    for box in (export.layers["terrain"], export.layers["residual"], *export.sidecars.values()):
        tick(user, box)
    user.qtbot.keyClicks(export.depth, "16")
    user.qtbot.keyClicks(export.compression, "LZW")
    export.pixel_size.clear()
    user.qtbot.keyClicks(export.pixel_size.lineEdit(), "0.5")
    user.qtbot.keyClick(export.pixel_size, Qt.Key.Key_Return)
    out = tmp_path / "results" / "out.tif"
    out.parent.mkdir()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    user.does(export.action)

    names = ["out.html", "out.json", "out.source.jpg", "out.tif", "out.xml"]
    assert sorted(path.name for path in out.parent.iterdir()) == names
    with tifffile.TiffFile(out) as file:
        pages = [page.asarray() for page in file.pages]
        assert 'PhysicalSizeX="0.5" PhysicalSizeXUnit="mm"' in file.ome_metadata
        assert file.pages.first.compression.name == "LZW"
    np.testing.assert_array_equal(pages[0], user.case.enhancement.pixels.astype(np.uint16) * 257)
    np.testing.assert_array_equal(pages[1], user.case.understanding.terrain.labels)
    np.testing.assert_allclose(pages[2], user.case.judgement.residual_enhanced)
    assert read_provenance(out)["truth"]["sha256"] == hashlib.sha256(png.read_bytes()).hexdigest()
    assert json.loads(out.with_suffix(".json").read_text())["file"]["name"] == "out.tif"
    assert (out.parent / "out.source.jpg").read_bytes() == jpeg.read_bytes()
    assert marsqe.replay(out).different_pixels == 0


def test_real_numbers_are_written_where_the_jpeg_was_kept_to(
    enhanced: User, jpeg: Path, monkeypatch: Any, tmp_path: Path
) -> None:
    user, export = enhanced, enhanced.bench.export
    user.click(export.heading)
    user.qtbot.keyClicks(export.depth, "32")
    assert export.chosen.depth == "float"
    out = tmp_path / "results" / "out.tif"
    out.parent.mkdir()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    user.does(export.action)
    image = marsqe.open_image(jpeg)
    found = inside(image, jpeg.read_bytes(), tifffile.imread(out))
    assert found.whole_blocks == found.coefficients == 1
    assert marsqe.replay(out, jpeg).same_file


def test_only_what_a_result_has_is_offered(enhanced: User) -> None:
    user, export = enhanced, enhanced.bench.export
    user.click(export.heading)
    boxes = export.layers
    user.does(user.bench.judge.action)
    assert boxes["residual"].isEnabled()
    tick(user, boxes["residual"])
    assert "residual" in export.chosen.layers
    user.bench.session.set_truth(user.case, None)
    assert not boxes["residual"].isEnabled()
    assert export.chosen.layers == (), "what cannot be had is not asked for, though it stays ticked"


def test_a_choice_that_fits_no_png_is_told_and_writes_nothing(
    enhanced: User, monkeypatch: Any, tmp_path: Path, notified: list[str]
) -> None:
    user, export = enhanced, enhanced.bench.export
    user.click(export.heading)
    tick(user, export.layers["terrain"])
    folder = tmp_path / "results"
    folder.mkdir()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(folder / "out.png"), ""))
    user.does(export.action)
    assert ".tif" in export.summary.text()
    assert len(notified) == 1
    assert list(folder.iterdir()) == []


def test_options_fit_the_narrow_dock(enhanced: User) -> None:
    export = enhanced.bench.export
    enhanced.click(export.heading)
    assert export.minimumSizeHint().width() <= WIDTH - 20, "beside a scroll bar"
