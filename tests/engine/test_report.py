"""The HTML report: the numbers, the identity and the honesty of an enhancement on one page."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scenes import ground, texture

import marsqe
from marsqe.enhancement import pipeline
from marsqe.errors import ExportError
from marsqe.export import ExportOptions, save_enhancement
from marsqe.export.report import write_report
from marsqe.image import MarsImage, Product
from marsqe.judgement.verification import verify
from marsqe.results import Enhancement, Judgement


def result_of(image: MarsImage, monkeypatch: pytest.MonkeyPatch) -> Enhancement:
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: lambda pixels, condition: pixels * 0.98)
    return marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image))


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_report_says_the_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, colour: bool, dtype: type) -> None:
    scale = 257 if dtype is np.uint16 else 1
    truth = texture(60, 150, colour=colour).astype(dtype) * scale
    compressed = texture(60, 150, colour=colour, seed=1).astype(dtype) * scale
    result = result_of(MarsImage.from_array(compressed), monkeypatch)
    found = marsqe.judge(result.pixels, truth, compressed=compressed, terrain=result.terrain)
    page = write_report(result, found, tmp_path / "r.html", title="<b>Sol & 3</b> $x").read_text(encoding="utf-8")
    assert "&lt;b&gt;Sol &amp; 3&lt;/b&gt; $x" in page
    assert "<b>Sol" not in page
    for key in ("psnr_compressed", "psnr_enhanced"):
        assert f"{found.metrics[key]:.2f}" in page
    assert f"{found.metrics['delta_psnr']:+.2f}" in page
    assert f"<td>soil</td><td>{found.per_class['soil']:+.2f}</td>" in page
    assert page.count("<img ") == 6
    assert "Residual to raw after" in page
    assert not re.search(r'(src|href)="(?!data:)', page), "one file, nothing to load"
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_report_without_truth_states_no_gain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = MarsImage.from_array(texture(60, 70))
    result = result_of(image, monkeypatch)
    found = marsqe.judge(result.pixels, compressed=image.pixels)
    page = write_report(result, found, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "no gain can be stated" in page
    assert "PSNR" not in page
    assert "dB" not in page.replace("data:", "").split("<h2>Pictures")[0]
    assert "What was changed" in page
    assert f"{found.metrics['mean_change']:.2f} DN" in page


def test_report_says_what_the_image_is_and_what_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = replace(marsqe.simulate_downlink(texture(60, 70), 30), product=Product("Curiosity", sol=12, camera="MAHLI"))
    result = result_of(image, monkeypatch)
    options = ExportOptions(depth="16", layers=("change",), sidecars=("report",))
    save_enhancement(result, tmp_path / "r.tif", options)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    for words in ("no original observation", "<td>sol</td><td>12</td>", "<td>camera</td><td>MAHLI</td>", image.sha256):
        assert words in page
    assert "depth 16, compression deflate, layer change, sidecar report" in page
    share = verify(image, image.metadata["encoded"], result.pixels).blocks
    assert f"{100 * share:.2f} % of the 8 x 8 blocks" in page
    assert "labels_png" in page
    assert "iVBOR" not in page, "labels are no text to read"


def test_report_of_a_long_strip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """WebP holds at most 16383 pixels a side."""
    image = MarsImage.from_array(np.zeros((17000, 2), np.uint8))
    result = Enhancement(
        image.pixels, image, ground(image), marsqe.match(image, ground(image)), "marsqe-swift", "cpu", 0.1
    )
    found = Judgement(np.zeros(image.shape, np.float32), metrics={"mean_change": 0.0, "largest_change": 0.0})
    assert write_report(result, found, tmp_path / "r.html").stat().st_size > 1000


def test_report_into_a_missing_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = MarsImage.from_array(texture(20, 20))
    result = result_of(image, monkeypatch)
    found = marsqe.judge(result.pixels, compressed=image.pixels)
    with pytest.raises(ExportError, match="no folder"):
        write_report(result, found, tmp_path / "missing" / "r.html")
