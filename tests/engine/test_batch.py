"""``marsqe batch``: many images, each once, whatever else lies in the folder and whenever the run ends."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from scenes import jpeg_bytes, texture

import marsqe
from marsqe.cli.main import main
from marsqe.errors import ExportError
from marsqe.export import read_provenance
from marsqe.judgement.verification import inside
from marsqe.progress import run as run_steps
from marsqe.scale import Settings, batch_steps, stages
from marsqe.scale.ledger import FOLDER, Ledger
from marsqe.scale.run import BatchProgress
from marsqe.scale.sources import collect
from marsqe.scale.stages import place_whole
from marsqe.scale.summary import write_summaries

Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images in two folders, with their truths elsewhere."""
    for index, name in enumerate(("sol1/a", "sol1/b", "sol2/a", "c")):
        pixels = texture(48, 64 + index, seed=index)
        for path, data in ((tmp_path / "in" / f"{name}.jpg", jpeg_bytes(pixels)),):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        truth = tmp_path / "truth" / f"{name}.png"
        truth.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(truth)
    return tmp_path / "in"


@pytest.fixture
def batch(understood: Any, tmp_path: Path, said: Any) -> Run:
    """Run the command into ``out``; its exit code and its document."""

    def run(*arguments: object) -> tuple[int, Any]:
        code = main(["batch", *map(str, arguments), "--out", str(tmp_path / "out"), "--device", "cpu", "--json"])
        return code, said()[0]

    return run


def statuses(document: Any) -> dict[str, str]:
    return {result["output"]: result["status"] for result in document["results"]}


def table(out: Path) -> dict[str, dict[str, str]]:
    with (out / "summary.csv").open(newline="") as stream:
        return {row["output"]: row for row in csv.DictReader(stream)}


def test_folders_keep_their_shape_and_pixels_are_the_librarys(batch: Run, folder: Path, tmp_path: Path) -> None:
    code, document = batch(folder, "-r")
    assert code == 0
    assert statuses(document) == dict.fromkeys(["c.tif", "sol1/a.tif", "sol1/b.tif", "sol2/a.tif"], "done")
    alone = marsqe.enhance(marsqe.open_image(folder / "sol1/a.jpg"), "marsqe-swift", "cpu")
    alone.save(tmp_path / "alone.tif")
    assert (tmp_path / "out/sol1/a.tif").read_bytes() == (tmp_path / "alone.tif").read_bytes()


def test_summary_says_metrics_identity_and_settings(batch: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "c.jpg").rename(folder / "FLF_0396_0702101051_786ECM_N0180000FHAZ02220_01_195J01.jpg")
    batch(folder, "-r", "--truth", tmp_path / "truth")
    rows = table(tmp_path / "out")
    row = rows["sol1/a.tif"]
    truth, enhanced = (marsqe.open_image(tmp_path / p).pixels for p in ("truth/sol1/a.png", "out/sol1/a.tif"))
    assert float(row["psnr_enhanced"]) == pytest.approx(10 * np.log10(255**2 / np.mean((truth - 1.0 * enhanced) ** 2)))
    assert float(row["delta_psnr"]) == pytest.approx(float(row["psnr_enhanced"]) - float(row["psnr_compressed"]))
    assert 0 < float(row["ssim_enhanced"]) < 1
    assert (row["quality"], row["model"], row["device"], row["width"]) == ("30", "marsqe-swift", "cpu", "64")
    hazcam = next(row for name, row in rows.items() if "FHAZ" in name)
    assert (hazcam["mission"], hazcam["sol"]) == ("Perseverance", "396")
    assert hazcam["psnr_enhanced"] == "", "no truth, no gain"
    assert float(hazcam["mean_change"]) > 0


def test_real_numbers_are_written_kept_and_judged_anew(batch: Run, folder: Path, tmp_path: Path) -> None:
    Image.new("L", (40, 30), 99).save(folder / "flat.png")
    code, document = batch(folder, "-r", "--depth", "float")
    assert code == 1
    assert "is no JPEG" in document["errors"][0]["error"]
    jpeg, out = folder / "sol1/a.jpg", tmp_path / "out/sol1/a.tif"
    values = tifffile.imread(out)
    assert values.dtype == np.float32
    assert inside(marsqe.open_image(jpeg), jpeg.read_bytes(), values).coefficients == 1
    (folder / "flat.png").unlink()
    assert set(statuses(batch(folder, "-r", "--depth", "float")[1]).values()) == {"kept"}
    assert statuses(batch(folder, "-r", "--depth", "float", "--truth", tmp_path / "truth")[1])["sol1/a.tif"] == "done"
    assert float(table(tmp_path / "out")["sol1/a.tif"]["psnr_enhanced"]) > 0
    assert set(statuses(batch(folder, "-r")[1]).values()) == {"done"}, "another depth is asked for"
    assert marsqe.open_image(out).pixels.dtype == np.uint8


def test_parquet_holds_what_the_csv_holds(batch: Run, folder: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    batch(folder, "-r")
    rows = parquet.read_table(tmp_path / "out/summary.parquet").to_pylist()
    assert {row["output"]: row["mean_change"] for row in rows} == {
        name: float(row["mean_change"]) for name, row in table(tmp_path / "out").items()
    }


def test_finished_work_is_kept_changed_sources_and_settings_are_not(batch: Run, folder: Path, tmp_path: Path) -> None:
    batch(folder, "-r")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.tif")}
    (folder / "c.jpg").write_bytes(jpeg_bytes(texture(48, 64, seed=9)))
    (tmp_path / "out/sol1/a.tif").unlink()
    code, document = batch(folder, "-r")
    assert code == 0
    done = {"c.tif", "sol1/a.tif"}
    assert statuses(document) == {
        n: "done" if n in done else "kept" for n in ("c.tif", "sol1/a.tif", "sol1/b.tif", "sol2/a.tif")
    }
    kept = tmp_path / "out/sol2/a.tif"
    assert kept.stat().st_mtime_ns == before[kept]
    _, document = batch(folder, "-r", "--no-faithful")
    assert set(statuses(document).values()) == {"done"}
    assert read_provenance(kept)["settings"]["faithful"] is False
    _, document = batch(folder, "-r", "--model", "marsqe-lite")
    assert set(statuses(document).values()) == {"done"}


def test_changed_weights_are_enhanced_anew(batch: Run, folder: Path, tmp_path: Path) -> None:
    batch(folder)
    card = tmp_path / "weights" / "marsqe-swift.json"
    facts = json.loads(card.read_text())
    card.write_text(json.dumps(facts | {"weights_sha256": "0" * 64}))
    assert statuses(batch(folder)[1]) == {"c.tif": "done"}


def test_a_truth_given_later_is_compared_without_enhancing_again(batch: Run, folder: Path, tmp_path: Path) -> None:
    batch(folder)
    written = (tmp_path / "out/c.tif").stat().st_mtime_ns
    assert statuses(batch(folder, "--truth", tmp_path / "truth")[1]) == {"c.tif": "judged"}
    assert (tmp_path / "out/c.tif").stat().st_mtime_ns == written
    assert table(tmp_path / "out")["c.tif"]["delta_psnr"] != ""
    assert statuses(batch(folder, "--truth", tmp_path / "truth")[1]) == {"c.tif": "kept"}


def test_broken_and_stray_files_are_named_and_all_else_is_done(batch: Run, folder: Path, tmp_path: Path) -> None:
    (folder / "notes.txt").write_text("not an image")
    (folder / "cut.jpg").write_bytes(jpeg_bytes(texture(64, 64))[:-200])
    (folder / ".hidden").write_text("of the system")
    code, document = batch(folder)
    assert code == 1
    assert statuses(document) == {"c.tif": "done"}
    assert {Path(e["input"]).name for e in document["errors"]} == {"notes.txt", "cut.jpg"}
    assert "not an image" in next(e["error"] for e in document["errors"] if "notes" in e["input"])
    assert not (tmp_path / "out/cut.tif").exists()
    assert table(tmp_path / "out")["cut.tif"]["status"] == "failed"


def test_a_truth_that_does_not_fit_is_told_but_the_result_is_kept(batch: Run, folder: Path, tmp_path: Path) -> None:
    Image.fromarray(texture(10, 10)).save(tmp_path / "truth/c.png")
    code, document = batch(folder, "--truth", tmp_path / "truth")
    assert code == 1
    assert "truth" in document["errors"][0]["error"]
    assert (tmp_path / "out/c.tif").is_file()


def test_a_file_that_is_no_result_is_not_overwritten(batch: Run, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    Image.fromarray(texture(20, 20)).save(tmp_path / "out/c.tif")
    mine = (tmp_path / "out/c.tif").read_bytes()
    code, document = batch(folder)
    assert code == 1
    assert "no batch wrote" in document["errors"][0]["error"]
    assert (tmp_path / "out/c.tif").read_bytes() == mine


def test_torn_last_line_costs_one_result(batch: Run, folder: Path, tmp_path: Path) -> None:
    batch(folder, "-r")
    ledger = tmp_path / "out" / FOLDER / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines)[:-30])
    _, document = batch(folder, "-r")
    assert sorted(statuses(document).values()) == ["done", "kept", "kept", "kept"]
    assert set(statuses(batch(folder, "-r")[1]).values()) == {"kept"}


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        json.dumps({"output": "\ud800.tif"}),
        json.dumps({"output": "x" * 5000}),
        json.dumps({"output": "c.tif", "width": 10**30, "seconds": 10**400, "quality": 1e999, "key": []}),
    ],
)
def test_damaged_lines_of_the_ledger_cost_no_more_than_their_result(tmp_path: Path, line: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / "c.tif").write_bytes(b"x")
    sound = json.dumps({"output": "a.tif", "width": 3})
    (tmp_path / FOLDER / "ledger.jsonl").write_text(f"{line}\n{sound}\n")
    (tmp_path / "a.tif").write_bytes(b"x")
    with Ledger(tmp_path) as ledger:
        assert ledger.latest["a.tif"]["width"] == 3
        write_summaries(tmp_path, ledger, [])
    assert table(tmp_path)["a.tif"]["width"] == "3"


def test_two_batches_in_one_folder_are_refused(batch: Run, folder: Path, tmp_path: Path) -> None:
    with Ledger(tmp_path / "out"), pytest.raises(ExportError, match="another batch"):
        Ledger(tmp_path / "out")
    assert batch(folder)[0] == 0


def test_leaving_keeps_what_is_finished(understood: Any, folder: Path, tmp_path: Path) -> None:
    out, sources = tmp_path / "out", collect([folder], tmp_path / "out", recursive=True)
    steps = batch_steps(sources, out, Settings(device="cpu"))
    for now in steps:
        if isinstance(now, BatchProgress) and now.update is not None and now.update.record is not None:
            break
    steps.close()
    finished = {name for name, row in table(out).items() if row["status"] == "done"}
    assert finished
    report = run_steps(batch_steps(sources, out, Settings(device="cpu")))
    assert {r["output"] for r in report.records if r["status"] == "kept"} == finished
    assert len(report.records) == 4
    assert not report.failures


def test_reading_does_not_wait_for_computing(
    understood: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second image is read before the first is computed: the first waits for it here."""
    import threading

    read, compute, second = stages.read, stages.compute, threading.Event()
    names: list[str] = []

    def reading(task: Any) -> Any:
        names.append(task.name)
        if len(names) == 2:
            second.set()
        return read(task)

    def computing(loaded: Any, settings: Any) -> Any:
        assert second.wait(60)
        return compute(loaded, settings)

    monkeypatch.setattr("marsqe.scale.crew.read", reading)
    monkeypatch.setattr("marsqe.scale.crew.compute", computing)
    sources = collect([folder], tmp_path / "out", recursive=True)
    report = run_steps(batch_steps(sources, tmp_path / "out", Settings(device="cpu")))
    assert [r["status"] for r in report.records] == ["done"] * 4


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def fails(part: Path) -> None:
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(ExportError, match="No space"):
        place_whole(tmp_path / "a.tif", tmp_path, fails)
    assert not list(tmp_path.iterdir())
