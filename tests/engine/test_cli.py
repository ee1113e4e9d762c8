"""The command ``marsqe``: the same results as the library, one document of JSON, honest exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scenes import jpeg_bytes, patchwork, texture

import marsqe
from marsqe.cli.main import main
from marsqe.codecs.jpeg import encode_jpeg
from marsqe.enhancement import faithful, networks
from marsqe.errors import ReadError
from marsqe.export import read_provenance
from marsqe.results import Region


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def test_info_says_what_the_file_is(frame: Path, said: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", frame, "--json") == 0
    document, err = said()
    (found,) = document["results"]
    image = marsqe.open_image(frame)
    assert document["errors"] == []
    assert found["input"] == str(frame)
    assert (found["width"], found["height"], found["channels"], found["bits"]) == (150, 60, 3, 8)
    assert found["sha256"] == image.sha256
    assert found["compression"]["codec"] == "JPEG"
    assert (found["compression"]["quality"], found["compression"]["quality_exact"]) == (30, True)
    assert found["compression"]["subsampling"] == "4:2:0"
    assert found["compression"]["bits_per_pixel"] == pytest.approx(8 * frame.stat().st_size / 9000)
    assert image.compression.tables is not None
    assert found["compression"]["tables"][0] == image.compression.tables[0].tolist()
    assert err == ""
    assert run("info", frame) == 0
    text = capsys.readouterr().out
    assert "150 x 60" in text
    assert "quality 30" in text
    assert len(text.splitlines()) == 1


def test_models_are_the_librarys(said: Any) -> None:
    assert run("models", "--json") == 0
    document, _ = said()
    assert document["results"] == json.loads(json.dumps(marsqe.list_models(verify=True)))
    assert {"name", "parameters", "macs_1152x1600", "macs_cached", "weights_sha256"} <= set(document["results"][0])


def test_models_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    out = capsys.readouterr().out
    for row in marsqe.list_models():
        assert f"{row['name']}: {row['parameters'] / 1e6:.2f} M" in out


@pytest.mark.parametrize("model", ["marsqe-swift", "marsqe-lite", "auto"])
@pytest.mark.parametrize("ending", ["tif", "png"])
def test_enhance_gives_the_librarys_bytes(
    understood: Any, frame: Path, tmp_path: Path, said: Any, model: str, ending: str
) -> None:
    out, mine = tmp_path / f"cli.{ending}", tmp_path / f"api.{ending}"
    assert run("enhance", frame, "-o", out, "--model", model, "--device", "cpu", "--json") == 0
    document, _ = said()
    result = marsqe.enhance(marsqe.open_image(frame), model, "cpu")
    result.save(mine)
    assert out.read_bytes() == mine.read_bytes()
    (found,) = document["results"]
    assert found["output"] == str(out)
    assert found["model"] == result.model
    assert found["device"] == "cpu"
    assert found["faithful"] is True
    assert found["terrain"] == pytest.approx(result.terrain.shares())


def test_enhance_region_and_unfaithful(understood: Any, frame: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.tif"
    assert run("enhance", frame, "-o", out, "--region", 10, 20, 30, 24, "--no-faithful", "--device", "cpu") == 0
    image = marsqe.open_image(frame)
    expected = marsqe.enhance(image, device="cpu", region=Region(10, 20, 30, 24), faithful=False)
    np.testing.assert_array_equal(marsqe.open_image(out).pixels, expected.pixels)
    settings = read_provenance(out)["settings"]
    assert settings["region"] == [10, 20, 30, 24]
    assert settings["faithful"] is False


def test_a_jpeg_that_a_result_cannot_be_held_to_is_told_on_standard_error(
    understood: Any, frame: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Any
) -> None:
    def lost(data: bytes) -> Any:
        raise ReadError("its JPEG coefficients cannot be read")

    monkeypatch.setattr(faithful, "coefficients_from_bytes", lost)
    assert run("enhance", frame, "-o", tmp_path / "a.tif", "--device", "cpu", "--json") == 0
    document, err = said()
    (found,) = document["results"]
    assert found["faithful"] is False
    assert found["not_held"] in err
    assert f"{frame}: note: the result is not held to the JPEG" in err
    free = ("enhance", frame, "-o", tmp_path / "b.tif", "--device", "cpu", "--no-faithful", "--json")
    assert run(*free) == 0
    document, err = said()
    assert document["results"][0]["not_held"] == "by choice"
    assert err == ""


def test_several_inputs_go_into_a_folder_and_one_broken_stops_no_other(
    understood: Any, frame: Path, tmp_path: Path, said: Any
) -> None:
    broken, other = tmp_path / "broken.jpg", tmp_path / "other.png"
    broken.write_bytes(frame.read_bytes()[:300])
    Image.fromarray(texture(30, 40, colour=False)).save(other)
    out = tmp_path / "deep" / "results"
    assert run("enhance", frame, broken, tmp_path / "none.jpg", other, "-o", out, "--json", "--device", "cpu") == 1
    document, err = said()
    assert [Path(r["output"]).name for r in document["results"]] == ["frame.tif", "other.tif"]
    assert [Path(e["input"]).name for e in document["errors"]] == ["broken.jpg", "none.jpg"]
    assert sorted(p.name for p in out.iterdir()) == ["frame.tif", "other.tif"]
    assert "broken.jpg" in err
    assert "none.jpg" in err


def test_one_input_and_a_folder(understood: Any, frame: Path, tmp_path: Path) -> None:
    out = tmp_path / "folder.v2"
    out.mkdir()
    assert run("enhance", frame, "-o", out, "--device", "cpu") == 0
    assert (out / "frame.tif").is_file()


def test_segment_writes_the_labels(understood: Any, frame: Path, tmp_path: Path, said: Any) -> None:
    out = tmp_path / "labels.png"
    assert run("segment", frame, "-o", out, "--json") == 0
    document, _ = said()
    with Image.open(out) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), patchwork((60, 150)).labels)
    assert sum(document["results"][0]["shares"].values()) == pytest.approx(1)


def test_match_lists_every_tile(understood: Any, frame: Path, said: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("match", frame, "--json") == 0
    document, _ = said()
    (found,) = document["results"]
    expected = marsqe.match(marsqe.open_image(frame), patchwork((60, 150)))
    assert (found["rows"], found["columns"]) == expected.shape == (1, 2)
    for tile in found["tiles"]:
        at = tile["row"], tile["column"]
        assert tile["class"] == ("sky", "sand", "soil", "rock")[expected.classes[at] - 1]
        assert tile["reference"] == expected.references[at]
        assert tile["divergence"] == pytest.approx(expected.divergences[at])
    assert run("match", frame) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].split()[:2] == ["0", "0"]


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_compress_is_the_codec(tmp_path: Path, said: Any, subsampling: str) -> None:
    raw, out = tmp_path / "raw.png", tmp_path / "small.jpg"
    pixels = texture(40, 50)
    Image.fromarray(pixels).save(raw)
    assert run("compress", raw, "-o", out, "--qf", 37, "--subsampling", subsampling, "--json") == 0
    document, _ = said()
    assert out.read_bytes() == encode_jpeg(pixels, quality=37, subsampling=subsampling)
    assert document["results"][0]["bytes"] == out.stat().st_size
    assert document["results"][0]["bits_per_pixel"] == pytest.approx(8 * out.stat().st_size / 2000)
    again = marsqe.open_image(out)
    assert again.compression.quality == 37
    assert again.compression.subsampling_name == subsampling


def test_judge_says_how_close(understood: Any, tmp_path: Path, said: Any) -> None:
    truth, better, jpeg = tmp_path / "truth.png", tmp_path / "better.png", tmp_path / "c.jpg"
    pixels = texture(64, 70)
    Image.fromarray(pixels).save(truth)
    jpeg.write_bytes(jpeg_bytes(pixels, 20))
    compressed = marsqe.open_image(jpeg).pixels
    mixed = ((pixels.astype(int) + compressed) // 2).astype(np.uint8)
    Image.fromarray(mixed).save(better)
    assert run("judge", better, "--truth", truth, "--compressed", jpeg, "--json") == 0
    document, _ = said()
    (found,) = document["results"]
    expected = marsqe.judge(mixed, pixels, compressed=compressed, terrain=patchwork((64, 70)))
    assert found["metrics"] == pytest.approx(expected.metrics)
    assert found["metrics"]["delta_psnr"] > 5
    assert found["delta_psnr_per_class"] == pytest.approx(expected.per_class)
    assert run("judge", better, "--truth", truth, "--json") == 0
    metrics = said()[0]["results"][0]["metrics"]
    assert set(metrics) == {"psnr_enhanced", "ssim_enhanced"}
    assert run("judge", truth, "--truth", truth, "--json") == 0
    assert said()[0]["results"][0]["metrics"]["psnr_enhanced"] == "inf"


def test_judge_refuses_what_does_not_belong_together(tmp_path: Path, said: Any) -> None:
    for name, size in (("a", 40), ("b", 41)):
        Image.fromarray(texture(size, 40)).save(tmp_path / f"{name}.png")
    assert run("judge", tmp_path / "a.png", "--truth", tmp_path / "b.png", "--json") == 1
    document, err = said()
    assert "size" in document["errors"][0]["error"]
    assert "a.png" in err
    assert run("judge", tmp_path / "a.png", "--truth", tmp_path / "none.png", "--json") == 1


def test_scraps_are_judged_in_valid_json(tmp_path: Path, said: Any) -> None:
    Image.fromarray(texture(5, 5)).save(tmp_path / "a.png")
    Image.fromarray(texture(5, 5, seed=1)).save(tmp_path / "b.png")
    assert run("judge", tmp_path / "a.png", "--truth", tmp_path / "b.png", "--json") == 0
    assert said()[0]["results"][0]["metrics"]["ssim_enhanced"] is None


def test_demo_writes_the_enhanced_image_and_the_report(
    understood: Any, tmp_path: Path, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from marsqe.cli import demo

    small, truth = tmp_path / "s.jpg", tmp_path / "s.png"
    pixels = texture(60, 60)
    small.write_bytes(jpeg_bytes(pixels, 30))
    Image.fromarray(pixels).save(truth)
    monkeypatch.setattr(demo, "sample_path", lambda name, kind="compressed": small if kind == "compressed" else truth)
    assert run("demo", "--out", tmp_path / "out", "--json", "--device", "cpu") == 0
    document, _ = said()
    (found,) = document["results"]
    assert Path(found["output"]).is_file()
    page = Path(found["report"]).read_text(encoding="utf-8")
    assert f"{found['metrics']['psnr_enhanced']:.2f}" in page
    enhanced = marsqe.open_image(found["output"]).pixels
    expected = marsqe.judge(enhanced, pixels, compressed=marsqe.open_image(small).pixels)
    assert found["metrics"] == pytest.approx(expected.metrics)


def test_everything_real_from_file_to_file(tmp_path: Path, said: Any) -> None:
    """No stand-ins: bundled terrain and enhancement weights, through the command line and through the library."""
    networks.loaded.cache_clear()
    frame, out = tmp_path / "frame.jpg", tmp_path / "out.tif"
    frame.write_bytes(jpeg_bytes(texture(40, 56), 30))
    assert run("enhance", frame, "-o", out, "--device", "cpu", "--json") == 0
    assert said()[0]["results"][0]["model"] == "marsqe-swift"
    marsqe.enhance(marsqe.open_image(frame), device="cpu").save(tmp_path / "api.tif")
    assert out.read_bytes() == (tmp_path / "api.tif").read_bytes()
    assert run("segment", frame, "-o", tmp_path / "t.png", "--json") == 0
    with Image.open(tmp_path / "t.png") as image:
        assert set(np.unique(np.asarray(image))) <= {1, 2, 3, 4}
