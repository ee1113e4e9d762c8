"""Section V-C: what references bring, gains class by class, single-class dictionaries."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from marsqe.reproduce import charts
from marsqe.reproduce.page import Figure, Section, Table
from marsqe.reproduce.results import Measured
from marsqe.reproduce.settings import MAIN_QUALITY
from marsqe.reproduce.statistics import estimate
from marsqe.reproduce.systems import ANCHOR, RANDOM, WITHOUT
from marsqe.terrain import CLASSES

_NO_VARIANT: Final = (
    "it takes networks trained anew with an addition in place of TFM, or with TFM alone; this version has no such "
    "variant and no weights of one"
)
_WAYS: Final = {
    WITHOUT: "none: TEM and TFM left out",
    RANDOM: "TEM and TFM, any reference of the dictionary",
    None: "TEM and TFM, the matched reference",
}


def modules(measured: Measured) -> Section:
    """Table V: the same weights without references, with random ones, with the matched ones."""
    section = Section("Table V: ablation of the references, TEM and TFM")
    for system in (s for s in measured.systems if s.uses_references and s.only is None):
        if system.reason:
            section.missing.append((system.title, system.reason))
            continue
        of = {s.only: s for s in measured.systems if s.base == system.base and s.projected == system.projected}
        found = {way: measured.of(of[way].name, "JPEG", MAIN_QUALITY) for way in _WAYS if way in of}
        base = found.get(WITHOUT) or found.get(RANDOM) or {}
        rows = []
        for way, images in found.items():
            if images:
                change = [images[k][0]["psnr"] - base[k][0]["psnr"] for k in images if k in base]
                cells = [estimate([r[0][m] for r in images.values()]).shown(d) for m, d in (("psnr", 3), ("ssim", 4))]
                gain = estimate(measured.gains(of[way].name, "JPEG", MAIN_QUALITY)).shown(3, sign=True)
                rows.append([_WAYS[way], *cells, gain, estimate(change).shown(4, sign=True), len(images)])
        if rows:
            section.notes = [
                f"{measured.words()}. JPEG QF {MAIN_QUALITY}, the same weights throughout; differences to the first "
                "row are paired, image by image, with a bootstrap 95 % interval."
            ]
            head = ["references", "PSNR (dB)", "SSIM", "ΔPSNR (dB)", "against the first row (dB)", "n"]
            section.tables.append(Table(f"table5-{system.base}", system.title, head, rows))
        else:
            section.missing.append((system.title, f"nothing measured at JPEG QF {MAIN_QUALITY}"))
    section.missing.append(("networks without TEM or TFM that were trained as such", _NO_VARIANT))
    return section


def dictionaries(measured: Measured) -> Section:
    """Section V-C, semantics-based reference: PSNR with the references of one class only."""
    section = Section("Section V-C: dictionaries of a single class")
    references = [s for s in measured.systems if s.uses_references and s.only is None]
    if not references:
        section.missing.append(("single-class dictionaries", "no system with references was asked for"))
    for system in references:
        if system.reason:
            section.missing.append((f"single-class dictionaries of {system.title}", system.reason))
            continue
        rows = []
        whole = measured.of(system.name, "JPEG", MAIN_QUALITY)
        for s in (s for s in measured.systems if s.base == system.base and s.only not in _WAYS.keys() - {None}):
            of = measured.of(s.name, "JPEG", MAIN_QUALITY)
            if of and s.projected == system.projected:
                change = [of[k][0]["psnr"] - whole[k][0]["psnr"] for k in of if k in whole]
                gains = [estimate(_class_gains(measured, s.name, c)).shown(2, sign=True) for c in CLASSES]
                psnr = estimate([r[0]["psnr"] for r in of.values()]).shown(2)
                rows.append([s.only or "all classes", psnr, estimate(change).shown(3, sign=True), *gains, len(of)])
        if rows:
            section.notes = [f"{measured.words()}. JPEG QF {MAIN_QUALITY}, the same weights with other references."]
            head = ["references", "PSNR (dB)", "against all", *(f"ΔPSNR of {c} (dB)" for c in CLASSES), "n"]
            section.tables.append(Table(f"section5c-{system.base}", system.title, head, rows))
        else:
            section.missing.append((f"dictionaries of {system.title}", f"nothing measured at JPEG QF {MAIN_QUALITY}"))
    return section


def by_class(measured: Measured, source: str, out: Path) -> Section:
    """Figure 12: gain of every terrain class."""
    section = Section("Figure 12: ΔPSNR class by class")
    levels = measured.levels("JPEG")
    if not levels:
        section.missing.append(("ΔPSNR by class", "no image with a truth was measured with JPEG"))
        return section
    level = MAIN_QUALITY if MAIN_QUALITY in levels else levels[0]
    section.notes.append(
        f"{measured.words()}. JPEG QF {level}. ΔPSNR over all pixels of a class in an image, mean over the images that "
        f"show it, with a bootstrap 95 % interval. Classes: {source}."
    )
    rows, series = [], {}
    for s in measured.main():
        if s.name == ANCHOR or not measured.of(s.name, "JPEG", level):
            continue
        found = {c: estimate(_class_gains(measured, s.name, c, level)) for c in CLASSES}
        rows += [[s.title, c, e.shown(2, sign=True), e.n] for c, e in found.items()]
        series[s.title] = [found[c].mean for c in CLASSES]
    if not rows:
        section.missing.append(("ΔPSNR by class", "no system was measured"))
        return section
    head = ["system", "class", "ΔPSNR (dB)", "images"]
    section.tables.append(Table("fig12", f"ΔPSNR by class at JPEG QF {level}", head, rows))
    path = out / "fig12.png"
    with charts.chart(path) as ax:
        charts.grouped_bars(ax, CLASSES, series, "ΔPSNR (dB)")
    text = f"ΔPSNR by terrain class at JPEG QF {level}"
    section.figures.append(Figure(path, text, f"{text}; the numbers are in the table above."))
    return section


def _class_gains(measured: Measured, system: str, name: str, level: int = MAIN_QUALITY) -> list[float]:
    rows = (r[0] for r in measured.of(system, "JPEG", level).values())
    return [row["classes"][name] for row in rows if name in row.get("classes", {})]
