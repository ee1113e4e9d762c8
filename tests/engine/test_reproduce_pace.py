"""Squares that fit a budget of time: what is counted, what is chosen, and that a resumed run keeps it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes import patchwork, put, texture

from marsqe.cli.main import parser
from marsqe.cli.reproduce import reproduce as command
from marsqe.errors import DeviceError, SettingError
from marsqe.progress import run
from marsqe.reproduce import Settings, measure, pace, reproduce
from marsqe.reproduce.folders import Picture
from marsqe.reproduce.pace import SIDES, Pace, fitted_steps
from marsqe.reproduce.probes import Probe
from marsqe.reproduce.systems import System, resolve

pytest.importorskip("matplotlib", reason="needs the extra report")

SWIFT = System("marsqe-swift", "marsqe-swift", "own", "swift")
REFERENCED = System("marsqe-lite", "marsqe-lite", "own", "lite")
ROCK = replace(REFERENCED, name="marsqe-lite@rock", only="rock")
PACE = Pace({"JPEG": 1.0, "HEVC": 2.0}, 10.0, {True: 3.0, False: 5.0}, {"marsqe-swift": 100.0, "marsqe-lite": 400.0})


def probe(height: int, width: int, *, truth: bool = True) -> Probe:
    return Probe(Picture(Path("a.png"), "test/a", truth), f"{height}x{width}", truth, (height, width), None)


def settings(out: Path, **options: Any) -> Settings:
    return Settings(Path("data"), out, **{"qualities": (30, 50), "qps": ()} | options)


def test_what_is_counted(tmp_path: Path) -> None:
    """Each level costs its codec, and each system its work and its metrics; terrain is looked at once for the truth."""
    million = probe(1000, 1000)
    assert PACE.seconds([million], [SWIFT], settings(tmp_path), None) == pytest.approx(2 * (100 + 3 + 1) + 10)
    assert PACE.seconds([million], [SWIFT], settings(tmp_path), 500) == pytest.approx((2 * 104 + 10) / 4)
    assert PACE.seconds([probe(100, 10000)], [SWIFT], settings(tmp_path), 500) == pytest.approx((2 * 104 + 10) / 20)
    sent = probe(1000, 1000, truth=False)
    assert PACE.seconds([sent], [SWIFT], settings(tmp_path), None) == pytest.approx(100 + 5 + 10)


def test_references_cost_a_look_at_every_compression_and_their_variants_one_quality(tmp_path: Path) -> None:
    million = probe(1000, 1000)
    alone = PACE.seconds([million], [REFERENCED], settings(tmp_path), None)
    assert alone == pytest.approx(2 * (400 + 3 + 1 + 10) + 10)
    full = replace(PACE, systems=PACE.systems | {"marsqe-lite@rock": 400.0})
    assert full.seconds([million], [REFERENCED, ROCK], settings(tmp_path), None) == pytest.approx(alone + 403)
    silent = replace(REFERENCED, reason="no weights")
    assert PACE.seconds([million], [SWIFT, silent], settings(tmp_path), None) == pytest.approx(218)


def chosen(monkeypatch: pytest.MonkeyPatch, out: Path, **options: Any) -> Settings:
    def known(*_: object) -> Any:
        yield from ()
        return PACE

    monkeypatch.setattr(pace, "_pace_steps", known)
    return run(fitted_steps(settings(out, **options), [probe(4000, 4000)], [SWIFT]))


@pytest.mark.parametrize(
    ("budget", "jobs", "side"),
    [
        (1e6, 1, None),
        (600, 1, 1024),  # 300 s of work: 1.17 megapixels
        (600, 2, 1536),
        (1, 1, 256),  # the least there is
    ],
)
def test_largest_square_that_fits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, budget: float, jobs: int, side: int | None
) -> None:
    found = chosen(monkeypatch, tmp_path, budget=budget, jobs=jobs)
    assert found.crop == side
    assert found.fitted == (side is not None)


def test_choice_is_told_before_the_work_begins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def told(budget: float) -> list[str]:
        steps = fitted_steps(settings(tmp_path, budget=budget), [probe(4000, 4000)], [SWIFT])
        return [progress.step for progress in steps]

    chosen(monkeypatch, tmp_path, budget=600)
    chosen(monkeypatch, tmp_path, budget=1e6)
    assert told(600) == ["Taking central squares of 1024 pixels"]
    assert told(1e6) == ["Taking whole images"]


def test_the_same_command_goes_on_with_the_same_square(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that is busier now does not make all that was measured worthless; another budget is another choice."""
    first = chosen(monkeypatch, tmp_path, budget=600)
    monkeypatch.setitem(globals(), "PACE", replace(PACE, systems={"marsqe-swift": 1000.0}))
    assert chosen(monkeypatch, tmp_path, budget=600).side == first.side == 1024
    assert chosen(monkeypatch, tmp_path, budget=599).side == 384


@pytest.mark.parametrize("options", [{"budget": None}, {"budget": 60, "side": 512}, {"budget": 60, "quick": True}])
def test_nothing_is_chosen_where_the_size_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, Any]
) -> None:
    given = settings(tmp_path, **options)
    assert chosen(monkeypatch, tmp_path, **options) == given


def test_a_page_says_which_squares_and_why(tiny: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Tried for real, on a small picture and with a budget that only the smallest square can meet."""
    for name in ("marsqe.reproduce.measure", "marsqe.reproduce.pace", "marsqe.reproduce.sheets"):
        monkeypatch.setattr(f"{name}.segment", lambda image, device: patchwork(image.shape))
    monkeypatch.setattr(measure, "terrain_identity", lambda: "0" * 64)
    monkeypatch.setattr("marsqe.reproduce.run.terrain_identity", lambda: "0" * 64)
    put(tmp_path / "data", "test/a", "one.png", texture(280, 300))
    options = {"systems": ("marsqe-swift",), "qualities": (30,), "qps": (), "budget": 60.0}
    report = reproduce(Settings(tmp_path / "data", tmp_path / "out", **options))
    assert {(r["height"], r["width"]) for r in report.rows} == {(256, 256)}
    page = report.page.read_text(encoding="utf-8")
    assert "central 256 x 256 pixels" in page
    assert "1 minutes of --budget" in page


def test_trial_tells_what_each_part_takes(tiny: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every part that is counted has been timed, and a system that fails is left to say so later."""
    monkeypatch.setattr(pace, "segment", lambda image, device: patchwork(image.shape))
    put(tmp_path, "test/a", "one.png", texture(128, 136))
    systems = resolve(("marsqe-swift", "dncnn"), {})
    broken = replace(SWIFT, name="broken")
    sound = pace.apply

    def apply(system: System, *rest: Any) -> Any:
        if system is broken:
            raise DeviceError("no memory")
        return sound(system, *rest)

    monkeypatch.setattr(pace, "apply", apply)
    of = replace(probe(128, 136), picture=Picture(tmp_path / "test/a/one.png", "test/a", True))
    found = run(pace._pace_steps(settings(tmp_path), [of], [*systems, broken]))
    assert set(found.systems) == {"compressed", "marsqe-swift"}
    assert set(found.codecs) == {"JPEG"}
    assert min(found.terrain, *found.codecs.values(), *found.judging.values()) > 0
    assert found.systems["marsqe-swift"] > found.systems["compressed"]


@pytest.mark.parametrize(
    ("words", "jobs", "budget"),
    [
        ([], 3, 3600.0),
        (["--budget", "90m", "--jobs", "2"], 2, 5400.0),
        (["--whole"], 3, None),
        (["--quick"], 1, None),
        (["--device", "cuda"], 1, 3600.0),
    ],
)
def test_command_fits_an_hour_on_all_cores_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str], jobs: int, budget: float | None
) -> None:
    seen: list[Settings] = []

    def stop(given: Settings) -> None:
        seen.append(given)
        raise SettingError("enough")

    monkeypatch.setattr("os.cpu_count", lambda: 3)
    monkeypatch.setattr("marsqe.reproduce.reproduce_steps", stop)
    with pytest.raises(SettingError, match="enough"):
        command(parser().parse_args(["reproduce", "--data", str(tmp_path), "--out", str(tmp_path), *words]))
    assert (seen[0].jobs, seen[0].budget) == (jobs, budget)


def test_no_budget_of_nothing() -> None:
    with pytest.raises(SettingError, match="more than 0"):
        Settings(Path("data"), Path("out"), budget=0.0)


def test_sides_begin_and_end_on_whole_chroma_blocks() -> None:
    assert all(side % 16 == 0 for side in SIDES)
    assert list(SIDES) == sorted(SIDES, reverse=True)
    assert np.min(SIDES) >= 161, "MS-SSIM needs it"
