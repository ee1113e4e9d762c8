"""Section V of the paper: sections of the page made of the measured rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from marsqe.errors import MarsqeError, SettingError
from marsqe.judgement import bd_rate
from marsqe.reproduce import charts
from marsqe.reproduce.page import Figure, Section, Table
from marsqe.reproduce.settings import MAIN_QUALITY
from marsqe.reproduce.statistics import Estimate, estimate
from marsqe.reproduce.systems import ANCHOR, System

Row = dict[str, Any]

_DIGITS: Final = {"psnr": 2, "psnr_b": 2, "psnr_b_rgb": 2, "ssim": 4, "ms_ssim": 4, "lpips": 4}
_HEADS: Final = {
    "psnr": "PSNR (dB)",
    "psnr_b": "PSNR-B, luma (dB)",
    "psnr_b_rgb": "PSNR-B, RGB (dB)",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "lpips": "LPIPS (lower is better)",
}
SCALE: Final = {"JPEG": "QF", "HEVC": "QP"}
_CURVE: Final = 4
POINTS: Final = "an RD curve needs four qualities or more"


@dataclass
class Measured:
    """Rows of images with a truth, the systems in order, and splits in words."""

    rows: list[Row]
    systems: list[System]
    splits: dict[str, int]

    def of(self, system: str, codec: str, level: int | None = None) -> dict[str, list[Row]]:
        """Rows by image (its hash), for a system and codec."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            if row["system"] == system and row["codec"] == codec and level in (None, row["level"]):
                found.setdefault(row["sha256"], []).append(row)
        return found

    def levels(self, codec: str) -> list[int]:
        """Levels that were measured, best quality last."""
        return sorted({r["level"] for r in self.rows if r["codec"] == codec}, reverse=codec == "HEVC")

    def codecs(self) -> list[str]:
        """Codecs that were measured."""
        return [c for c in SCALE if any(r["codec"] == c for r in self.rows)]

    def main(self) -> list[System]:
        """Systems of the main tables: without those that use one class's references only."""
        return [s for s in self.systems if s.only is None]

    def gains(self, system: str, codec: str, level: int, metric: str = "psnr") -> list[float]:
        """Gain of a system over the compressed image, image by image."""
        before = self.of(ANCHOR, codec, level)
        return [
            r[0][metric] - before[key][0][metric]
            for key, r in self.of(system, codec, level).items()
            if key in before and np.isfinite(r[0][metric]) and np.isfinite(before[key][0][metric])
        ]

    def words(self) -> str:
        """Splits and number of images."""
        return "; ".join(f"{name}: n = {n}" for name, n in self.splits.items()) or "no image with a truth"


def quantitative(measured: Measured) -> Section:
    """Table III."""
    section = Section("Table III: fidelity to the truth, by system and quality")
    section.notes = [
        f"{measured.words()}. Mean over images with a bootstrap 95 % interval. PSNR and SSIM over all channels of RGB "
        "(gray images over their one), LPIPS v0.1 AlexNet, data range 255; MS-SSIM needs sides of 176 pixels.",
    ]
    for codec in measured.codecs():
        for level in measured.levels(codec):
            rows = []
            for system in measured.main():
                of = [r[0] for r in measured.of(system.name, codec, level).values()]
                if not of:
                    continue
                cells = [estimate([r[m] for r in of]).shown(d) for m, d in _DIGITS.items()]
                gains = measured.gains(system.name, codec, level)
                worst = f"{min(gains):+.2f}" if gains else "–"
                gain = "–" if system.name == ANCHOR else estimate(gains).shown(2, sign=True)
                rate = estimate([r["bpp"] for r in of]).shown(3)
                rows.append([system.title, *cells, gain, "–" if system.name == ANCHOR else worst, rate, len(of)])
            head = ["system", *_HEADS.values(), "ΔPSNR (dB)", "worst image", "bits per pixel", "n"]
            name = f"{codec} {SCALE[codec]} {level}"
            section.tables.append(Table(f"table3-{codec.lower()}-{level}", name, head, rows))
    section.missing += unavailable(measured.systems)
    return section


def unavailable(systems: Iterable[System]) -> list[tuple[str, str]]:
    """Systems that were not computed, and why."""
    return [(s.title, s.reason) for s in systems if s.reason]


def rate_distortion(measured: Measured, out: Path) -> list[Section]:
    """Table IV and Figure 8."""
    table = Section("Table IV: Bjøntegaard delta rate over the compressed image")
    table.notes.append(
        f"{measured.words()}. BD-rate in percent (cubic fit, negative is better), for each image and averaged, "
        "with a bootstrap 95 % interval; images whose curve does not rise or shares no quality with the anchor's are "
        "left out of n."
    )
    figure = Section("Figure 8: rate-distortion curves")
    for codec in measured.codecs():
        levels = measured.levels(codec)
        if len(levels) < _CURVE:
            table.missing.append((f"{codec}, {len(levels)} points", POINTS))
        else:
            rows, problem = _bd_rows(measured, codec)
            if problem:
                table.missing.append((f"BD-rate, {codec}", problem))
            elif rows:
                head = ["system", "BPP-PSNR (%)", "n", "BPP-SSIM (%)", "n"]
                table.tables.append(Table(f"table4-{codec.lower()}", codec, head, rows))
        if len(levels) > 1:
            figure.figures.append(_curves(measured, codec, out))
        else:
            figure.missing.append((codec, "a curve needs two qualities or more"))
    for codec in set(SCALE) - set(measured.codecs()):
        table.missing.append((codec, "nothing was measured with it"))
    return [table, figure]


def _bd_rows(measured: Measured, codec: str) -> tuple[list[list[Any]], str | None]:
    rows: list[list[Any]] = []
    for system in measured.main():
        if system.name == ANCHOR or not measured.of(system.name, codec):
            continue
        cells: list[Any] = [system.title]
        for metric in ("psnr", "ssim"):
            try:
                found = estimate(list(bd_rates(measured, system.name, codec, metric)))
            except MarsqeError as error:  # the library is missing
                return [], str(error)
            cells += [found.shown(2), found.n]
        rows.append(cells)
    return rows, None


def bd_rates(measured: Measured, system: str, codec: str, metric: str) -> Iterable[float]:
    """BD-rate of every image in percent; images without comparable curves are left out."""
    anchor = measured.of(ANCHOR, codec)
    for key, rows in measured.of(system, codec).items():
        both = [[(r["bpp"], r[metric]) for r in of] for of in (rows, anchor.get(key, []))]
        try:
            value = bd_rate(*zip(*both[0], strict=True), *zip(*both[1], strict=True)) if all(both) else float("nan")
        except SettingError:
            continue
        if np.isfinite(value):
            yield value


def _curves(measured: Measured, codec: str, out: Path) -> Figure:
    path = out / f"fig8-{codec.lower()}.png"
    with charts.chart(path, 10, 4.5, 1, 2) as axes:
        for ax, metric in zip(axes, ("psnr", "ssim"), strict=True):
            lines = {}
            for system in measured.main():
                points = [[r[0] for r in measured.of(system.name, codec, q).values()] for q in measured.levels(codec)]
                if any(points):
                    means = [[estimate([r[k] for r in p]).mean for p in points if p] for k in ("bpp", metric)]
                    lines[system.title] = (means[0], means[1])
            charts.curves(ax, lines, "bits per pixel", _HEADS[metric])
    text = f"{codec}: PSNR and SSIM over bits per pixel, means over images"
    return Figure(path, text, f"{text}; the numbers are in Table III.")


def efficiency(measured: Measured, out: Path) -> Section:
    """Figure 11."""
    section = Section("Figure 11: parameters and multiply-adds against PSNR")
    section.notes.append(
        f"{measured.words()}. JPEG QF {MAIN_QUALITY}. Multiply-adds of one image of 1152 x 1600, matrix products and "
        "convolutions, references encoded for every patch as the paper counts. Networks without weights have a size "
        "and no quality."
    )
    rows, points = [], {}
    for s in measured.main():
        if s.parameters is None or s.macs_1152x1600 is None:
            continue
        found = estimate([r[0]["psnr"] for r in measured.of(s.name, "JPEG", MAIN_QUALITY).values()])
        rows.append([s.title, f"{s.parameters / 1e6:.3f}", f"{s.macs_1152x1600 / 1e12:.3f}", found.shown(2), found.n])
        if found.n:
            points[s.title] = (s.parameters / 1e6, s.macs_1152x1600 / 1e12, found.mean)
    head = ["system", "parameters (M)", "TMAC", "PSNR (dB)", "n"]
    section.tables.append(Table("fig11", f"Size, cost and PSNR at JPEG QF {MAIN_QUALITY}", head, rows))
    if not points:
        section.missing.append(("the chart", f"no network was measured at JPEG QF {MAIN_QUALITY}"))
        return section
    path = out / "fig11.png"
    with charts.chart(path, 10, 4.5, 1, 2) as axes:
        for ax, k, label in ((axes[0], 0, "parameters (M)"), (axes[1], 1, "TMAC at 1152 x 1600")):
            charts.scatter_named(ax, {n: (p[k], p[2]) for n, p in points.items()}, label, "PSNR (dB)")
    text = f"PSNR at JPEG QF {MAIN_QUALITY} over parameters and over multiply-adds"
    section.figures.append(Figure(path, text, f"{text}; the numbers are in the table above."))
    return section


def unreferenced(rows: Sequence[Row], systems: Sequence[System], not_computed: dict[str, str], out: Path) -> Section:
    """Figure 14."""
    section = Section("Figure 14: images without a truth, judged without one")
    section.missing += [(name.capitalize(), reason) for name, reason in not_computed.items()]
    if not rows:
        section.missing.append(("no-reference scores", "the folder has no image without a truth"))
        return section
    section.notes.append(
        "Images as they were sent, enhanced without knowing their truth. BRISQUE (model fitted to LIVE) and NIQE "
        "(published model) on BT.601 luma, 0 to 255; lower is said to be more natural. Both know photographs of the "
        "Earth only. Mean with a bootstrap 95 % interval; changes are paired, image by image."
    )
    for split in dict.fromkeys(r["split"] for r in rows):
        of = [r for r in rows if r["split"] == split]
        before = {r["sha256"]: r for r in of if r["system"] == ANCHOR}
        table = []
        for s in systems:
            mine = [r for r in of if r["system"] == s.name]
            if mine and s.only is None:
                cells: list[Any] = []
                for m, d in (("brisque", 2), ("niqe", 3)):
                    change = [r[m] - before[r["sha256"]][m] for r in mine if r["sha256"] in before]
                    cells.append(estimate([r[m] for r in mine]).shown(d))
                    cells.append("–" if s.name == ANCHOR else estimate(change).shown(d, sign=True))
                table.append([s.title, *cells, len(mine)])
        name = "".join(c if c.isalnum() else "-" for c in split)
        head = ["system", "BRISQUE", "change", "NIQE", "change", "n"]
        section.tables.append(Table(f"fig14-{name}", split, head, table))
    path = out / "fig14.png"
    splits = list(dict.fromkeys(r["split"] for r in rows))
    with charts.chart(path, 10, 4, 1, 2) as axes:
        for ax, metric in zip(axes, ("brisque", "niqe"), strict=True):
            series = {s.title: _means(rows, s.name, splits, metric) for s in systems if not s.only and not s.reason}
            charts.grouped_bars(ax, splits, series, metric.upper())
    section.figures.append(Figure(path, "BRISQUE and NIQE by system", "BRISQUE and NIQE; numbers are in the tables."))
    return section


def _means(rows: Sequence[Row], system: str, splits: Sequence[str], metric: str) -> list[float]:
    select: Callable[[str], Estimate] = lambda split: estimate(  # noqa: E731
        [r[metric] for r in rows if r["system"] == system and r["split"] == split]
    )
    return [select(split).mean for split in splits]
