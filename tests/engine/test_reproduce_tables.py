"""Tables made of rows whose answers are known, and how they are written."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from marsqe.reproduce import ablation, results
from marsqe.reproduce.against import compared
from marsqe.reproduce.page import Figure, Section, Table, write_csv, write_page
from marsqe.reproduce.results import Measured
from marsqe.reproduce.statistics import estimate
from marsqe.reproduce.systems import ANCHOR, RANDOM, WITHOUT, System

SYSTEMS = [
    System(ANCHOR, ANCHOR, "anchor", "JPEG"),
    System("arcnn", "arcnn", "rival", "AR-CNN", parameters=100_000, macs_1152x1600=10**11),
    System("dcad", "dcad", "rival", "DCAD", parameters=200_000, macs_1152x1600=10**11, reason="no weights"),
]


def rows(images: int = 3, gain: float = 1.0, qualities: tuple[int, ...] = (20, 30, 40, 50)) -> list[dict[str, Any]]:
    """Images of 30 dB at QF 20 and one more at each further one; the system gains ``gain`` dB at the same rate."""
    found = []
    for image in range(images):
        for n, quality in enumerate(qualities):
            for name, better in ((ANCHOR, 0.0), ("arcnn", gain)):
                psnr = 30 + n + better + 0.1 * image
                facts = {"psnr": psnr, "psnr_b": psnr, "psnr_b_rgb": psnr, "ssim": 0.8 + psnr / 1000}
                facts |= {"ms_ssim": float("nan"), "lpips": 0.2, "bpp": 0.5 * 2**n, "codec": "JPEG", "level": quality}
                classes = {} if name == ANCHOR else {"classes": {"rock": better, "sky": 2 * better}}
                found.append(facts | {"system": name, "sha256": str(image), "split": "test"} | classes)
    return found


def measured(**options: Any) -> Measured:
    made = rows(**options)
    return Measured(made, SYSTEMS, {"test": len({r["sha256"] for r in made})})


def test_interval_holds_the_mean_and_shrinks_with_n() -> None:
    random = np.random.default_rng(0)
    few, many = (estimate(list(random.normal(5, 1, n))) for n in (10, 1000))
    for e in (few, many):
        assert e.low < e.mean < e.high
    assert many.high - many.low < few.high - few.low
    assert many.high - many.low == pytest.approx(2 * 1.96 / math.sqrt(1000), rel=0.15)
    one = estimate([3.0, float("nan"), float("inf")])
    assert (one.mean, one.n, one.text(1)) == (3.0, 1, "3.0")
    assert estimate([]).text() == "–"
    assert estimate([1.0, 1.0]).text(1, sign=True) == "+1.0 [+1.0, +1.0]"


def test_the_quantitative_table_has_gains_worst_image_and_reasons() -> None:
    section = results.quantitative(measured())
    assert len(section.tables) == 4
    table = section.tables[1]
    assert table.caption == "JPEG QF 30"
    (anchor, ours) = table.rows
    assert str(anchor[1]).startswith("31.10 [31.00, 31.20]")
    at = list(table.header).index("ΔPSNR (dB)")
    assert str(ours[at]).startswith("+1.00")
    assert (ours[at + 1], ours[-1]) == ("+1.00", 3)
    assert str(ours[5]) == "–"
    assert ("DCAD", "no weights") in section.missing


def test_bd_rate_is_that_of_a_shifted_curve() -> None:
    """Where a doubled rate gives 1 dB, a gain of 1 dB saves half of the rate."""
    values = list(results.bd_rates(measured(), "arcnn", "JPEG", "psnr"))
    assert values == pytest.approx([-50] * 3, abs=0.5)


def test_curves_that_fall_or_are_short_are_left_out_with_a_reason(tmp_path: Path) -> None:
    fallen = measured()
    for row in fallen.rows:
        if row["system"] == "arcnn" and row["sha256"] == "0":
            row["psnr"] = -row["level"]
    assert len(list(results.bd_rates(fallen, "arcnn", "JPEG", "psnr"))) == 2
    table, figure = results.rate_distortion(measured(qualities=(20, 30)), tmp_path)
    assert not table.tables
    assert any("four" in reason for _, reason in table.missing)
    assert [f.path.name for f in figure.figures] == ["fig8-jpeg.png"]
    table, _ = results.rate_distortion(measured(), tmp_path)
    assert str(table.tables[0].rows[0][1]).startswith("-50")
    with Image.open(tmp_path / "fig8-jpeg.png") as image:
        assert np.asarray(image.convert("L")).std() > 5


def test_efficiency_lists_sizes_without_a_quality(tmp_path: Path) -> None:
    (table,) = results.efficiency(measured(), tmp_path).tables
    assert [(r[0], str(r[3]).split()[0]) for r in table.rows] == [("AR-CNN", "32.10"), ("DCAD", "–")]


def test_classes_are_averaged_over_the_images_that_show_them(tmp_path: Path) -> None:
    data = measured()
    for row in data.rows:
        if row["sha256"] == "0":
            row.get("classes", {}).pop("sky", None)
    (table,) = ablation.by_class(data, "given", tmp_path).tables
    cells = {r[1]: (str(r[2]).split()[0], r[3]) for r in table.rows}
    assert cells["rock"] == ("+1.00", 3)
    assert cells["sky"] == ("+2.00", 2)
    assert cells["sand"] == ("–", 0)


def test_single_class_dictionaries_are_compared_with_all() -> None:
    whole = System("marsqe-lite", "marsqe-lite", "own", "MarsQE-lite", True)
    sky = System("marsqe-lite@sky", "marsqe-lite", "own", "sky", True, "sky")
    made = []
    for row in rows():
        if row["system"] == ANCHOR:
            made += [row]
        else:
            made += [row | {"system": whole.name}, row | {"system": sky.name, "psnr": row["psnr"] - 0.25}]
    section = ablation.dictionaries(Measured(made, [SYSTEMS[0], whole, sky], {"test": 3}))
    (table,) = section.tables
    assert [(r[0], str(r[2]).split()[0]) for r in table.rows] == [("all classes", "+0.000"), ("sky", "-0.250")]
    absent = System("marsqe", "marsqe", "own", "MarsQE", reason="no weights")
    section = ablation.dictionaries(Measured([], [absent], {}))
    assert any(reason == "no weights" for _, reason in section.missing)
    section = ablation.modules(Measured([], [absent], {}))
    assert any(reason == "no weights" for _, reason in section.missing)
    assert any("TFM" in what for what, _ in section.missing)


def test_what_references_bring_is_paired_with_none() -> None:
    """Images differ by more than the references bring: only pairs tell."""
    ways: dict[str | None, float] = {None: 0.02, RANDOM: -0.01, WITHOUT: 0.0}
    systems = [System(f"ref@{way}", "marsqe-swift-ref", "own", "Ref", True, way) for way in ways]
    anchors = [r for r in rows() if r["system"] == ANCHOR]
    made = [r | {"system": f"ref@{w}", "psnr": r["psnr"] + gain} for w, gain in ways.items() for r in anchors]
    section = ablation.modules(Measured(anchors + made, [SYSTEMS[0], *systems], {"test": 3}))
    (table,) = section.tables
    assert [str(r[4]).split()[0] for r in table.rows] == ["+0.0000", "-0.0100", "+0.0200"]
    assert all(r[5] == 3 for r in table.rows)


def test_ours_is_compared_with_the_best_rival_of_the_place() -> None:
    """Which rival is best depends on the set; differences are those of images."""
    systems = [
        SYSTEMS[0],
        replace(SYSTEMS[1], name="arcnn"),
        System("dcad", "dcad", "rival", "DCAD"),
        System("marsqe-swift", "marsqe-swift", "own", "Ours", True),
    ]
    made = []
    for image in range(4):
        split = "a" if image < 2 else "b"
        for name, psnr in (
            ("compressed", 30),
            ("arcnn", 31),
            ("dcad", 30.5 if split == "a" else 32),
            ("marsqe-swift", 31.5),
        ):
            row = {"system": name, "codec": "JPEG", "level": 30, "psnr": psnr + image, "split": split}
            made.append(row | {"sha256": str(image)})
    (table,) = compared(Measured(made, systems, {"a": 2, "b": 2})).tables
    found = {r[0]: (r[2], str(r[3]), r[4]) for r in table.rows}
    assert found["a"] == ("AR-CNN", "+0.500 [+0.500, +0.500]", "2 of 2")
    assert found["b"] == ("DCAD", "-0.500 [-0.500, -0.500]", "0 of 2")
    assert found["all sets"][0] == "DCAD"
    assert compared(Measured(made, systems[:3], {"a": 2, "b": 2})).missing


def test_csv_has_the_ends_of_intervals_as_numbers(tmp_path: Path) -> None:
    table = Table("t", "caption", ["name", "PSNR", "n"], [["a", estimate([1.0, 3.0]).shown(2), 2], ["b", "–", 0]])
    with write_csv(table, tmp_path).open(newline="", encoding="utf-8") as stream:
        head, first, second = csv.reader(stream)
    assert head == ["name", "PSNR, mean", "PSNR, low 95 %", "PSNR, high 95 %", "n"]
    assert first == ["a", "2", "1", "3", "2"]
    assert second == ["b", "–", "", "", "0"]


def test_photographs_on_the_page_are_small(tmp_path: Path) -> None:
    """A sheet of photographs would take megabytes as PNG."""
    noise = np.random.default_rng(0).normal(128, 30, (600, 1400, 3)).clip(0, 255).astype(np.uint8)
    picture = tmp_path / "p.png"
    Image.fromarray(noise).save(picture)
    section = Section("Sheet", figures=[Figure(picture, "caption", "alt")])
    page = write_page(tmp_path / "index.html", "Title", "lead", [section])
    assert 'src="data:image/jpeg;base64,' in page.read_text(encoding="utf-8")
    assert page.stat().st_size < picture.stat().st_size / 3


def test_the_page_is_one_file_and_shows_text_as_text(tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    Image.new("RGB", (4, 4)).save(picture)
    section = Section("Table <1>", ["a & b"], [Table("t", "c", ["x"], [["<script>"]])], missing=[("PI", "no model")])
    section.figures.append(Figure(picture, "caption", 'what "it" shows'))
    page = write_page(tmp_path / "index.html", "Title", "lead", [section]).read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "Table &lt;1&gt;" in page
    assert "a &amp; b" in page
    assert 'alt="what &quot;it&quot; shows"' in page
    assert 'src="data:image/png;base64,' in page
    assert 'lang="en"' in page
    assert 'scope="col"' in page
    assert "no model" in page
    assert "http" not in page
