"""`marsqe enhance --truth`: the residual as a page and the gain of each terrain, without a screen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from handmade import write
from scenes import patchwork, texture

import marsqe
from marsqe.cli import main
from marsqe.errors import ReadError
from marsqe.export import ExportOptions, read_provenance

pytestmark = pytest.mark.usefixtures("understood")
Said = Callable[[], tuple[dict[str, Any], str]]


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """What `frame` was compressed from."""
    return write(tmp_path / "truth.png", texture(60, 150))


def enhance(frame: Path, *more: object) -> int:
    return main(
        ["enhance", str(frame), "-o", str(frame.parent / "out.tif"), "--model", "marsqe-swift", *map(str, more)]
    )


def test_residual_and_gains_are_written_and_made_again(frame: Path, truth: Path, said: Said) -> None:
    wanted = ["--layers", "residual", "terrain", "--sidecars", "json", "report", "--json"]
    assert enhance(frame, "--truth", truth, *wanted) == 0
    result = said()[0]["results"][0]
    out = frame.parent / "out.tif"
    with tifffile.TiffFile(out) as file:
        image, residual, terrain = (page.asarray() for page in file.pages)
    raw, jpeg = marsqe.open_image(truth).pixels, marsqe.open_image(frame).pixels
    np.testing.assert_allclose(residual, np.abs(image * 1.0 - raw).mean(axis=2), rtol=1e-6)
    labels = patchwork(jpeg.shape[:2])
    np.testing.assert_array_equal(terrain, labels.labels)
    expected = marsqe.judge(image, raw, compressed=jpeg, terrain=labels)
    assert result["delta_psnr_per_class"] == pytest.approx(expected.per_class)
    assert set(expected.per_class) == {"sky", "sand", "soil", "rock"}
    assert result["metrics"] == pytest.approx(expected.metrics)
    beside = json.loads(out.with_suffix(".json").read_text())["judgement"]
    assert beside["delta_psnr_per_class"] == pytest.approx(expected.per_class)
    named = {"name": "truth.png", "sha256": hashlib.sha256(truth.read_bytes()).hexdigest()}
    assert read_provenance(out)["truth"] == beside["truth"] == named
    assert result["truth_sha256"] == named["sha256"]
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    assert "ΔPSNR" in page
    assert f"<td>truth sha256</td><td>{named['sha256']}</td>" in page
    assert marsqe.replay(out).identical
    assert not marsqe.replay(out).same_file, "the truth is not at hand"
    assert main(["replay", str(out), "--truth", str(truth)]) == 0
    assert marsqe.replay(out, truth=truth).same_file


def test_another_truth_is_refused_and_a_renamed_one_is_known(frame: Path, truth: Path, said: Said) -> None:
    assert enhance(frame, "--truth", truth, "--layers", "residual", "--json") == 0
    said()
    out, other = frame.parent / "out.tif", write(truth.with_name("other.png"), texture(60, 150, seed=9))
    with pytest.raises(ReadError, match="is not the truth that the page 'residual' was made with"):
        marsqe.replay(out, truth=other)
    found = marsqe.replay(out, truth=truth.rename(truth.with_name("renamed.png")))
    assert found.identical
    assert [(difference.fact, difference.matters) for difference in found.differences] == [("truth.name", False)]


def test_a_file_that_holds_nothing_of_the_truth_does_not_name_it(frame: Path, truth: Path, said: Said) -> None:
    assert enhance(frame, "--truth", truth, "--sidecars", "report", "--json") == 0
    said()
    out = frame.parent / "out.tif"
    assert "truth" not in read_provenance(out)
    assert hashlib.sha256(truth.read_bytes()).hexdigest() in out.with_suffix(".html").read_text(encoding="utf-8")


def test_a_truth_without_a_file_is_named_by_its_pixels(frame: Path, truth: Path) -> None:
    image, raw = marsqe.open_image(frame), marsqe.open_image(truth).pixels
    result = marsqe.enhance(image, "marsqe-swift", "cpu")
    judgement = marsqe.judge(result.pixels, raw, compressed=image.pixels)
    assert judgement.truth == {"sha256": marsqe.MarsImage.from_array(raw).sha256}
    out = result.save(frame.with_name("out.tif"), ExportOptions(layers=("residual",)), judgement)
    assert marsqe.replay(out, truth=truth).identical


def test_gains_are_told_in_words(frame: Path, truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert enhance(frame, "--truth", truth) == 0
    said = capsys.readouterr().out
    assert " dB (sky " in said
    assert "rock " in said


def test_a_truth_that_does_not_belong_is_named_before_work_starts(
    frame: Path, tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marsqe, "enhance_steps", lambda *_, **__: pytest.fail("too late"), raising=False)
    small = write(tmp_path / "small.png", texture(60, 140))
    assert enhance(frame, "--truth", small, "--json") == 1
    assert "140 x 60, colour, 8-bit, but frame is 150 x 60, colour, 8-bit" in said()[1]
    gray = write(tmp_path / "gray.png", texture(60, 150, colour=False))
    assert enhance(frame, "--truth", gray, "--json") == 1
    assert "gray, 8-bit" in said()[1]
    assert enhance(frame, "--truth", tmp_path / "none.png", "--json") == 1
    assert "none.png" in said()[1]
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--layers", "residual"], "--truth FILE"),
        (["--windowed", "--truth", "truth.png"], "--truth"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(
    frame: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert enhance(frame, *more) == 2
    assert words in capsys.readouterr().err


def test_one_truth_is_not_taken_for_many(frame: Path, truth: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = frame.with_name("other.jpg")
    other.write_bytes(frame.read_bytes())
    code = main(["enhance", str(frame), str(other), "-o", str(frame.parent / "folder"), "--truth", str(truth)])
    assert code == 2
    assert "batch --truth DIR" in capsys.readouterr().err
