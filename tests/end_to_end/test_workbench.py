"""The main job in napari: a bundled compressed sample, every step clicked, the exported file nearer to the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from marsqe.samples import sample_path

pytestmark = [pytest.mark.gui, pytest.mark.slow]

SAMPLE = "perseverance-hazcam"
PATIENCE = 300_000


def psnr(pixels: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    """Own arithmetic on purpose: the engine's must not judge itself here."""
    error = np.mean((pixels.astype(np.float64) - truth.astype(np.float64)) ** 2)
    return float(10 * np.log10(255**2 / error))


def test_from_a_compressed_sample_to_a_better_tiff(
    make_napari_viewer: Callable[..., Any], qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = make_napari_viewer(show=True)
    _, bench = viewer.window.add_plugin_dock_widget("napari-marsqe", "MarsQE Workbench")

    def click(button: Any, done: Callable[[], bool]) -> None:
        assert button.isEnabled(), button.text()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: done() and not bench.runner.is_busy, timeout=PATIENCE)

    viewer.open_sample("napari-marsqe", SAMPLE)
    case = bench.session.case
    assert case is not None, "the workbench takes up what the reader opened"

    click(bench.understand.action, lambda: case.understanding is not None)
    click(bench.enhance.action, lambda: case.enhancement is not None)
    click(bench.judge.action, lambda: case.judgement is not None)
    out = tmp_path / "enhanced.tif"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    click(bench.export.action, lambda: case.exported is not None)

    names = [layer.name for layer in viewer.layers]
    model = case.enhancement.model
    for what in ("compressed", "terrain", "references", f"enhanced ({model})", "residual", "ΔPSNR"):
        assert f"{SAMPLE} · {what}" in names

    with Image.open(sample_path(SAMPLE, "truth")) as image:
        truth = np.asarray(image)
    with Image.open(sample_path(SAMPLE, "compressed")) as image:
        compressed = np.asarray(image)
    written = tifffile.imread(out)
    assert written.dtype == compressed.dtype
    assert written.shape == compressed.shape
    gain = psnr(written, truth) - psnr(compressed, truth)
    assert gain > 0.5
    assert f"+{gain:.2f} dB closer to the truth" in bench.judge.summary.text()

    (reopened,) = viewer.open(out, plugin="napari-marsqe")
    assert np.array_equal(reopened.data, written)

    with tifffile.TiffFile(out) as tiff:
        record = " ".join(str(tag.value) for tag in tiff.pages[0].tags)
    assert case.image.sha256 in record
    assert model in record
