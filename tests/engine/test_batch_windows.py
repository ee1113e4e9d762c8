"""Batches whose images are larger than memory: the same records, pixels and refusals, image by image in windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scenes import jpeg_bytes, texture

import marsqe
from marsqe.export import read_provenance
from marsqe.judgement.bands import judge_in_bands_steps
from marsqe.progress import run
from marsqe.scale import Settings, batch_steps
from marsqe.scale.settings import windows_above
from marsqe.scale.sources import collect

SIDES = (301, 421)


def jpeg(folder: Path) -> Path:
    path = folder / "a.jpg"
    path.write_bytes(jpeg_bytes(texture(*SIDES, seed=3)))
    return path


def batch_of(path: Path, out: Path, **options: Any) -> Any:
    """The one record of a batch of one image."""
    sources = collect([path], out, truth=options.pop("truth", None))
    (record,) = run(batch_steps(sources, out, Settings(device="cpu", **options))).records
    return record


def test_a_batch_takes_large_images_in_windows(
    terrain_by_rule: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truths = tmp_path / "truth"
    truths.mkdir()
    tifffile.imwrite(truths / "a.tif", texture(*SIDES, seed=3))
    path = jpeg(tmp_path)
    whole = batch_of(path, tmp_path / "whole", truth=truths)
    read_whole: list[Path] = []
    monkeypatch.setattr(marsqe, "open_image", read_whole.append)
    parts = batch_of(path, tmp_path / "parts", truth=truths, windows_above=100_000)
    monkeypatch.undo()
    assert not read_whole
    assert read_provenance(tmp_path / "parts/a.tif")["windowed"]
    pixels = [marsqe.open_image(tmp_path / name / "a.tif").pixels.astype(int) for name in ("whole", "parts")]
    assert np.abs(pixels[0] - pixels[1]).max() <= 1
    for name, value in whole.items():
        if isinstance(value, float) and name != "seconds":
            assert parts[name] == pytest.approx(value, abs=2e-3), name
        elif name not in ("seconds", "output_bytes"):
            assert parts[name] == value, name
    assert parts.keys() == whole.keys()
    assert not [p for p in (tmp_path / "parts").rglob("*") if p.suffix == ".tif" and p.name != "a.tif"]


def test_a_large_result_is_kept_and_compared_with_a_truth_that_comes_later(
    terrain_by_rule: Any, tmp_path: Path
) -> None:
    path, out = jpeg(tmp_path), tmp_path / "out"
    first = batch_of(path, out, windows_above=0)
    assert (first["status"], first["truth_sha256"], "psnr_enhanced" in first) == ("done", None, False)
    assert batch_of(path, out, windows_above=0)["status"] == "kept"
    truths = tmp_path / "truth"
    truths.mkdir()
    tifffile.imwrite(truths / "a.tif", texture(*SIDES, seed=3)[:-1])
    wrong = batch_of(path, out, windows_above=0, truth=truths)
    assert wrong["status"] == "judged"
    assert "421 x 300" in wrong["problem"]
    tifffile.imwrite(truths / "a.tif", texture(*SIDES, seed=3))
    judged = batch_of(path, out, windows_above=0, truth=truths)
    assert (judged["status"], judged["problem"]) == ("judged", None)
    written, source = (marsqe.open_image(p).pixels for p in (out / "a.tif", path))
    found = marsqe.judge(written, texture(*SIDES, seed=3), compressed=source).metrics
    assert {name: judged[name] for name in found} == pytest.approx(found, rel=1e-5)


def test_a_batch_keeps_to_whole_images_where_windows_cannot_be(terrain_by_rule: Any, tmp_path: Path) -> None:
    sources, settings = collect([jpeg(tmp_path)], tmp_path, ending=".png"), {"windows_above": 0}
    (record,) = run(batch_steps(sources, tmp_path / "out", Settings(ending=".png", **settings))).records
    assert (record["status"], record["output"]) == ("done", "a.png")
    assert windows_above(Settings(model="marsqe", **settings)) is None, "its post-enhancement sees the whole image"
    assert windows_above(Settings(model="marsqe-lite", **settings)) == 0


def test_a_large_image_that_is_damaged_or_in_the_way_is_told(terrain_by_rule: Any, tmp_path: Path) -> None:
    path, out = jpeg(tmp_path), tmp_path / "out"
    out.mkdir()
    (out / "a.tif").write_bytes(b"somebody's")
    assert "no batch wrote" in batch_of(path, out, windows_above=0)["problem"]
    assert (out / "a.tif").read_bytes() == b"somebody's"
    path.write_bytes(path.read_bytes()[:-500])
    other = batch_of(path, tmp_path / "other", windows_above=0)
    assert (other["status"], "a.jpg" in other["problem"]) == ("failed", True)
    assert not list((tmp_path / "other").rglob("*.tif"))


@pytest.mark.parametrize("shape", [(9, 40, 3), (61, 40, 3), (64, 33)])
def test_metrics_of_bands_are_those_of_the_whole(shape: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marsqe.judgement.bands._AT_ONCE", 13 * 40)
    rng = np.random.default_rng(1)
    truth, compressed, enhanced = rng.integers(0, 256, (3, *shape), dtype=np.uint8)
    for after in (enhanced, compressed, truth):
        bands = [lambda a, b, p=p: p[a:b] for p in (after, compressed, truth)]
        found = run(judge_in_bands_steps(shape, *bands))
        wanted = marsqe.judge(after, truth, compressed=compressed).metrics
        assert found == pytest.approx(wanted, rel=1e-5, nan_ok=True)
