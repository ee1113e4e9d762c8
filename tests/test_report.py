"""The committed page of the reproduction, and what the README says of it."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLES = ROOT / "docs" / "report" / "tables"
OURS = {"marsqe-swift": "MarsQE-swift (ours)", "marsqe-swift-plus": "MarsQE-swift-plus (ours)"}


def headline() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text[text.index("[The reproduction of the paper's tables]") :].split("\n\n", 1)[0].replace("\n", " ")


def rows(name: str) -> dict[str, dict[str, str]]:
    with (TABLES / name).open(newline="", encoding="utf-8") as stream:
        return {row["system"]: row for row in csv.DictReader(stream)}


def test_readme_says_what_the_page_says_at_the_papers_quality() -> None:
    """JPEG QF 30: the JPEG, ours with interval and worst image, and the best rival."""
    table, text = rows("table3-jpeg-30.csv"), headline()
    jpeg = table.pop("compressed (no enhancement)")
    assert f"{float(jpeg['PSNR (dB), mean']):.2f} dB" in text
    for name, title in OURS.items():
        row = table.pop(title)
        low, high = (f"{float(row[f'ΔPSNR (dB), {end} 95 %']):+.2f}" for end in ("low", "high"))
        mean, gain = (float(row[f"{of} (dB), mean"]) for of in ("PSNR", "ΔPSNR"))
        worst = float(row["worst image"].replace("−", "-"))
        found = re.search(rf"`{name}` ([\d.]+) \(([+\d.]+), [^+]*([+\d.]+) to ([+\d.]+), worst[^+−-]*([+\d.]+)\)", text)
        assert found is not None, f"{name} is not in the headline"
        assert found.groups() == (f"{mean:.2f}", f"{gain:+.2f}", low, high, f"{worst:+.2f}")
    papers = table.pop("MarsQE-lite")
    worst = papers["worst image"]
    mean, gain = (float(papers[f"{of} (dB), mean"]) for of in ("PSNR", "ΔPSNR"))
    assert f"`marsqe-lite` {mean:.2f} ({gain:+.2f}, worst {worst})" in text
    rivals = {title: row for title, row in table.items() if "(ours)" not in title}
    best = max(rivals, key=lambda title: float(rivals[title]["PSNR (dB), mean"]))
    assert (
        f"{best} {float(rivals[best]['PSNR (dB), mean']):.2f} ({float(rivals[best]['ΔPSNR (dB), mean']):+.2f})" in text
    )


@pytest.mark.parametrize("codec", ["jpeg", "hevc"])
def test_readme_says_the_bd_rate_of_the_page(codec: str) -> None:
    row = rows(f"table4-{codec}.csv")["MarsQE-swift-plus (ours)"]
    rate = next(float(value) for key, value in row.items() if "mean" in key)
    assert f"{abs(rate):.1f} %" in headline()


def test_page_tells_its_command_and_holds_no_path_of_a_machine() -> None:
    page = (ROOT / "docs" / "report" / "index.html").read_text(encoding="utf-8")
    assert "Command: marsqe reproduce --data data --out" in page
    assert not re.search(r"/(home|root|work|tmp|Users)/", page)
