"""``marsqe reproduce`` from folder to page: complete, resumable, honest about what it could not do."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file
from scenes import jpeg_bytes, patchwork, put, texture

from marsqe.cli.main import main
from marsqe.cli.reproduce import command_line, time_left
from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg
from marsqe.errors import DeviceError, MissingExtraError, SettingError, WeightsError
from marsqe.judgement import bits_per_pixel, psnr
from marsqe.networks.rivals import RIVALS
from marsqe.progress import run
from marsqe.reproduce import Settings, measure, reproduce, reproduce_steps, work
from marsqe.reproduce.cache import Cache
from marsqe.reproduce.folders import Picture
from marsqe.reproduce.measure import Result, Task
from marsqe.reproduce.systems import resolve

pytest.importorskip("matplotlib", reason="needs the extra report")

TRUTH = texture(256, 264)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images with truth, one without, one that is broken, and a stray file, all in one list."""
    data = tmp_path / "data"
    put(data, "test/a", "one.png", TRUTH)
    put(data, "test/a", "two.png", texture(256, 256, colour=False, seed=1))
    put(data, "test/a", "broken.png", texture(20, 20))
    (data / "test/a/broken.png").write_bytes(b"\x89PNG broken")
    put(data, "test/mars32k", "sent.png", texture(20, 20))
    (data / "test/mars32k/sent.png").write_bytes(jpeg_bytes(texture(200, 220, seed=2), 50))
    return data


@pytest.fixture
def quickly(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny networks, and terrain by rule where the network's weights are not bundled."""
    monkeypatch.setattr(measure, "segment", lambda image, device: patchwork(image.shape))
    monkeypatch.setattr(measure, "terrain_identity", lambda: "0" * 64)
    monkeypatch.setattr("marsqe.reproduce.run.terrain_identity", lambda: "0" * 64)
    monkeypatch.setattr("marsqe.reproduce.sheets.segment", lambda image, device: patchwork(image.shape))
    monkeypatch.setattr("marsqe.enhancement.pipeline.segment_steps", None)


def settings(folder: Path | None, out: Path, **options: Any) -> Settings:
    chosen: dict[str, Any] = {"systems": ("marsqe-swift", "arcnn"), "qualities": (30,), "qps": ()}
    return Settings(folder, out, **chosen | {"quick": folder is None} | options)


def test_a_folder_becomes_tables_pictures_and_a_page(quickly: None, folder: Path, tmp_path: Path) -> None:
    report = reproduce(settings(folder, tmp_path / "out"))
    page = report.page.read_text(encoding="utf-8")
    (split, sent) = list(csv.reader((tmp_path / "out/tables/table2.csv").read_text(encoding="utf-8").splitlines()))[1:]
    assert split[:4] == ["test/a", "2", "2", "256 x 256 to 264 x 256"]
    assert sent[:4] == ["test/mars32k", "1", "0", "220 x 200"]
    numbers = [
        "Figure 3 and Table I",
        "Table II",
        "Figure 4",
        "Figure 5b",
        "Table III",
        "Table IV",
        "Table V",
        "Perceptual index",
    ]
    for title in [*numbers, *(f"Figure {n}" for n in range(8, 15))]:
        assert title in page, title
    assert "no weights: train it and give --weights arcnn=FILE" in page
    assert all(path.is_file() for path in report.files)
    assert {p.name for p in report.files} >= {"fig3.png", "fig9-1.png", "fig12.png", "table3-jpeg-30.csv"}
    assert [Path(f["input"]).name for f in report.failures] == ["broken.png"]
    assert "broken.png" in page
    assert str(tmp_path) not in page, "a page names no folder of the machine"


def test_measurements_are_those_of_the_codec_and_the_metric(quickly: None, folder: Path, tmp_path: Path) -> None:
    report = reproduce(settings(folder, tmp_path / "out"))
    (row,) = [r for r in report.rows if r["image"] == "one.png" and r["system"] == "compressed"]
    data = encode_jpeg(TRUTH, quality=30)
    assert row["psnr"] == psnr(decode_jpeg(data), TRUTH)
    assert row["bpp"] == bits_per_pixel(len(data), TRUTH.shape)
    (ours,) = [r for r in report.rows if r["image"] == "one.png" and r["system"] == "marsqe-swift"]
    assert set(ours["classes"]) == {"sky", "sand", "soil", "rock"}
    sent = [r for r in report.rows if r["image"] == "sent.png"]
    assert {r["codec"] for r in sent} == {"as sent"}
    assert all("psnr" not in r and r["brisque"] > 0 for r in sent)
    with (tmp_path / "out/tables/measurements.csv").open(newline="", encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == len(report.rows) == 6
    assert float(lines[0]["psnr"]) == row["psnr"]


def test_what_was_measured_is_not_measured_again(
    quickly: None, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_pictures(*rest: Any) -> Iterator[None]:
        yield from ()
        return []  # type: ignore[return-value]

    monkeypatch.setattr("marsqe.reproduce.run._section_steps", no_pictures)  # they take most of the time
    first = reproduce(settings(folder, tmp_path / "out"))
    assert first.fresh == 6
    entries = sorted((tmp_path / "out/cache").glob("*.json"))
    entries[0].write_text("{ damaged")
    again = reproduce(settings(folder, tmp_path / "out"))
    assert again.fresh == 1
    assert [{**r, "seconds": 0} for r in again.rows] == [{**r, "seconds": 0} for r in first.rows]
    more = reproduce(settings(folder, tmp_path / "out", qualities=(20, 30)))
    assert more.fresh == 4
    Image.fromarray(texture(256, 264, seed=9)).save(folder / "test/a/one.png")
    assert reproduce(settings(folder, tmp_path / "out")).fresh == 2


def test_other_weights_or_labels_are_another_measurement(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.key(a=1, b="x") == cache.key(b="x", a=1)
    assert cache.key(a=1) != cache.key(a=2)
    cache.put("k", {"psnr": float("inf")})
    assert cache.get("k") == {"psnr": float("inf")}
    assert cache.get("none") is None
    labels = np.arange(5, dtype=np.uint8)[None].repeat(3, axis=0)
    cache.put_labels("l", labels)
    np.testing.assert_array_equal(cache.get_labels("l"), labels)


def test_a_system_that_fails_stops_no_other(quickly: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from marsqe.reproduce.apply import apply

    def fails(system: Any, *rest: Any) -> Any:
        if system.kind == "own":
            raise DeviceError("out of memory")
        return apply(system, *rest)

    monkeypatch.setattr(measure, "apply", fails)
    path = tmp_path / "a.png"
    Image.fromarray(TRUTH[:64, :64]).save(path)
    systems = tuple(resolve(("marsqe-swift",), {}))
    task = Task(Picture(path, "s", True), "0", "JPEG", 30, systems, None, "cpu", tmp_path / "cache")
    found = measure.measure(task)
    assert [r["system"] for r in found.rows] == ["compressed"]
    assert [f["error"] for f in found.failures] == ["out of memory"]
    monkeypatch.setattr(measure, "apply", apply)
    assert measure.measure(task).fresh == 1, "a failure is not kept"


def test_the_command_says_where_the_page_is(
    quickly: None, folder: Path, tmp_path: Path, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["reproduce", "--data", folder, "--out", tmp_path / "out", "--systems", "marsqe-swift"]
    words += ["--qualities", 30, "--qps", "--jobs", 1, "--whole", "--json"]
    monkeypatch.setattr(sys, "argv", ["marsqe", *map(str, words)])
    assert main([str(w) for w in words]) == 1, "one image is broken"
    document, err = said()
    (found,) = document["results"]
    assert Path(found["page"]).is_file()
    assert found["fresh"] == 6
    assert "broken.png" in err
    assert "Measuring 0/3" in err
    assert "marsqe reproduce --data data --out out" in Path(found["page"]).read_text(encoding="utf-8")


def test_dictionaries_of_one_class_are_measured_at_one_quality(quickly: None, tmp_path: Path) -> None:
    """Section V-C and Figures 12 and 13, with weights for a system with references."""
    put(tmp_path / "data", "test/a", "one.png", TRUTH)
    weights = {"marsqe-lite": tmp_path / "weights" / "marsqe-lite.safetensors"}
    systems = ("marsqe-lite", "marsqe-lite@rock", "marsqe-lite@sky")
    report = reproduce(
        settings(tmp_path / "data", tmp_path / "out", systems=systems, weights=weights, qualities=(20, 30))
    )
    assert not report.failures
    found = {(r["level"], r["system"]) for r in report.rows}
    assert found == {(20, "compressed"), (20, "marsqe-lite"), *((30, name) for name in ("compressed", *systems))}
    names = {p.name for p in report.files}
    assert {"fig13-marsqe-lite-1.png", "section5c-marsqe-lite.csv", "fig12.csv"} <= names
    with (tmp_path / "out/tables/section5c-marsqe-lite.csv").open(newline="", encoding="utf-8") as stream:
        assert [line["references"] for line in csv.DictReader(stream)] == ["all classes", "rock", "sky"]


@pytest.mark.slow
def test_quick_runs_on_the_samples(quickly: None, tmp_path: Path) -> None:
    report = reproduce(settings(None, tmp_path, most=1, side=128, qps=(27, 32, 37, 42)))
    assert not report.failures
    codecs = {(r["codec"], r["level"]) for r in report.rows}
    assert ("JPEG", 30) in codecs
    assert codecs <= {("JPEG", 30), ("HEVC", 37), ("as sent", 0)}
    assert "a quick look, no result" in report.page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_several_processes_give_what_one_does(tmp_path: Path) -> None:
    systems = tuple(resolve(("compressed",), {}))[:1]
    tasks = []
    for n in range(3):
        path = tmp_path / f"{n}.png"
        Image.fromarray(texture(48, 48, seed=n)).save(path)
        tasks.append(Task(Picture(path, "s", True), str(n), "JPEG", 30, systems, None, "cpu", tmp_path / "a"))
    found = run(work.measure_steps(tasks, 2))
    assert [r["sha256"] for r in found.rows] == ["0", "1", "2"]
    assert found.fresh == 3
    alone = run(work.measure_steps([replace(task, cache=tmp_path / "b") for task in tasks], 1))
    assert alone.fresh == 3
    assert [r["psnr"] for r in alone.rows] == [r["psnr"] for r in found.rows]


def test_progress_counts_and_can_be_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(work, "measure", lambda task: done.append(task) or Result(fresh=1))
    steps = work.measure_steps([1, 2, 3], 1)  # type: ignore[list-item]
    assert [next(steps).done for _ in range(2)] == [0, 1]
    steps.close()
    assert done == [1]


def test_impossible_settings_are_refused(tmp_path: Path) -> None:
    for options in ({"jobs": 0}, {"most": 0}, {"qualities": (0,)}, {"qps": (52,)}, {"side": 8}):
        with pytest.raises(SettingError):
            Settings(tmp_path, tmp_path, **options)
    with pytest.raises(SettingError, match="--quick"):
        Settings(None, tmp_path)
    with pytest.raises(SettingError, match="can be opened"):
        (tmp_path / "a.png").write_bytes(b"no image")
        reproduce(settings(tmp_path, tmp_path / "out"))


def test_mistakes_are_found_before_the_work(quickly: None, folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "dcad.safetensors"
    save_file(RIVALS["arcnn"].build().state_dict(), weights)
    for options, error in (
        ({"systems": ("dcad",), "weights": {"dcad": weights}}, WeightsError),
        ({"earth": tmp_path / "nowhere"}, SettingError),
        ({"splits": ("nowhere",)}, SettingError),
    ):
        steps = reproduce_steps(settings(folder, tmp_path / "out", **options))
        with pytest.raises(error):
            next(steps)


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"napari-marsqe\[report\]"):
        reproduce(settings(tmp_path, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_time_left_and_the_command_without_folders_of_this_machine(tmp_path: Path) -> None:
    assert time_left(0, 10, 5) == time_left(10, 10, 5) == ""
    assert time_left(5, 10, 20) == ", about 20 s left"
    assert time_left(1, 10, 60) == ", about 9 min left"
    line = command_line(
        ["reproduce", "--data", str(tmp_path / "a b"), "--weights", f"arcnn={tmp_path / 'x'}", "dcad=y"]
    )
    assert line == "marsqe reproduce --data 'a b' --weights arcnn=x dcad=y"
    assert json.dumps(line).isascii()
