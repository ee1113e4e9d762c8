"""Section III of the paper: sections of the page on similarity, compactness and classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marsqe.progress import Progress, Steps
from marsqe.reproduce import charts
from marsqe.reproduce.compactness import class_divergences, compactness, histograms
from marsqe.reproduce.page import Figure, Section, Table
from marsqe.reproduce.similarity import MEASURES, SIDES, Similarity, similarity
from marsqe.terrain import CLASSES

EARTH: Final = (
    "astronaut.png",
    "camera.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "brick.png",
    "grass.png",
    "gravel.png",
)
"""Photographs of the Earth that scikit-image carries, without a download."""


@dataclass
class Collected:
    """What the findings are made of: pixels of Mars by split and of Earth, and histograms by class."""

    mars: dict[str, list[NDArray[np.uint8]]]
    earth: list[NDArray[np.uint8]]
    earth_source: str
    splits: str
    by_class: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    class_source: str = ""
    class_reason: str = ""

    def all_mars(self) -> list[NDArray[np.uint8]]:
        """Images of every split."""
        return [pixels for images in self.mars.values() for pixels in images]

    def sets(self) -> dict[str, list[NDArray[np.uint8]]]:
        """Mars, each split of it where there are several (cameras differ), and Earth."""
        several = self.mars if len(self.mars) > 1 else {}
        return {"Mars": self.all_mars(), **{f"Mars, {k}": v for k, v in several.items()}, "Earth": self.earth}


def bundled_earth() -> list[Path]:
    """Those of :data:`EARTH` that this installation has."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return [folder / name for name in EARTH if (folder / name).is_file()]


def findings_steps(found: Collected, out: Path, pairs: int) -> Steps[list[Section]]:
    """Sections on Findings 1 to 3, with their charts in ``out``."""
    table: dict[tuple[int, bool, str], Similarity] = {}
    sets = found.sets()
    total = len(SIDES) * 2 * len(sets)
    for side in SIDES:
        for inter in (True, False):
            for planet, images in sets.items():
                yield Progress("Comparing patches", len(table), total)
                table[side, inter, planet] = similarity(images, side, pairs, inter=inter)
    yield Progress("Comparing textures", 0, 1)
    return [_similarity_section(table, found, out), _compactness_section(found, out), _class_section(found, out)]


def _similarity_section(table: dict[tuple[int, bool, str], Similarity], found: Collected, out: Path) -> Section:
    section = Section("Figure 3 and Table I: similarity of patches between and within images")
    section.notes = [
        f"Mars: {len(found.all_mars())} images ({found.splits}). Earth: {len(found.earth)} images "
        f"({found.earth_source}). Patches do not overlap; those with more than 1 % black are left out. Pairs are drawn "
        "at random with a fixed seed, images weighted equally. BT.601 luma, range 0 to 255. “Best” is the most similar "
        "pair.",
        "NCC is the correlation of mean-free patches; the cosine is the same without taking the mean away. The paper "
        "does not say which it uses. It prints RMSE below MAE for Mars, which no pair can have: compare the direction, "
        "not the numbers.",
    ]
    for inter, name in ((True, "inter"), (False, "intra")):
        rows = []
        for (side, is_inter, planet), s in table.items():
            if is_inter != inter:
                continue
            if not s.pairs:
                section.missing.append((f"{name}-image, {side} x {side}, {planet}", "no two patches of this size"))
                continue
            cells = [f"{value(m):.3f}" for m in MEASURES for value in (s.mean, s.best)]
            rows.append([f"{side} x {side}, {planet}", *cells, s.pairs, s.images])
        header = ["patches", *(f"{m}, {what}" for m in MEASURES for what in ("mean", "best")), "pairs", "images"]
        section.tables.append(Table(f"table1-{name}", f"{name.capitalize()}-image similarity", header, rows))
    path = out / "fig3.png"
    sides = [f"{s}" for s in SIDES]
    with charts.chart(path, 9, 6, 2, 3) as axes:
        for row, (inter, name) in enumerate(((True, "inter"), (False, "intra"))):
            for column, measure in enumerate(("NCC", "MAE", "RMSE")):
                series = {p: [table[s, inter, p].mean(measure) for s in SIDES] for p in ("Mars", "Earth")}
                charts.grouped_bars(axes[row, column], sides, series, measure, f"{name}-image")
    text = "Mean NCC, MAE and RMSE of pairs of patches, by side in pixels"
    section.figures.append(Figure(path, text, f"{text}; the numbers are in the tables above."))
    return section


def _compactness_section(found: Collected, out: Path) -> Section:
    section = Section("Figure 4: compactness of textures")
    textures = {k: np.concatenate([histograms(p) for p in v] or [np.empty((0, 59))]) for k, v in found.sets().items()}
    result = compactness(textures["Mars"], textures["Earth"])
    if result is None:
        section.missing.append(("PCA of LBP histograms", "fewer than three patches of 128 x 128 of Mars or of Earth"))
        return section
    section.notes.append(
        f"LBP (8, 1), 59 uniform codes, of {len(result.mars)} patches of 128 x 128 of each (the larger set thinned at "
        "random: a range grows with the number of patches); principal components of both together, "
        f"explaining {100 * result.explained[0]:.0f} % and {100 * result.explained[1]:.0f} % of the variance."
    )
    rows = []
    for name, histogram in textures.items():
        one = None if name == "Earth" else compactness(histogram, textures["Earth"])
        if one is not None:
            rows += [
                [
                    f"{name}, PC-{k + 1}",
                    f"{one.range_ratio[k]:.3f}",
                    f"{one.central_ratio[k]:.3f}",
                    paper,
                    len(one.mars),
                ]
                for k, paper in ((0, "0.363"), (1, "0.449"))
            ]
    header = ["component", "range over Earth's", "of the central 90 %", "paper (DIV2K)", "patches of each"]
    section.tables.append(Table("fig4", "Range of Martian textures over that of Earth's", header, rows))
    path = out / "fig4.png"
    with charts.chart(path, 7, 5) as ax:
        charts.clouds(ax, {"Mars": result.mars, "Earth": result.earth}, "PC-1", "PC-2")
    text = "Patches in the plane of two principal components of LBP; Earth spans -1 to 1"
    section.figures.append(Figure(path, text, f"{text}. The ratios of ranges are in the table above."))
    return section


def _class_section(found: Collected, out: Path) -> Section:
    section = Section("Figure 5b: how textures of the terrain classes differ")
    divergences = class_divergences(found.by_class)
    if not divergences:
        reason = found.class_reason or "no two patches of 128 x 128 of any class"
        section.missing.append(("JS divergence between classes", reason))
        return section
    values = np.full((len(CLASSES), len(CLASSES)), np.nan)
    rows = []
    for (first, second), (mean, count) in divergences.items():
        a, b = CLASSES.index(first), CLASSES.index(second)
        values[a, b] = values[b, a] = mean
        rows.append([f"{first} – {second}", f"{mean:.4f}", count])
    section.notes.append(
        f"Mean Jensen-Shannon divergence (nats, at most 0.693) between LBP histograms of patches of 128 x 128 of two "
        f"classes; a patch has the class of most of its pixels. Classes: {found.class_source}. {found.splits}. The "
        "paper: rock with rock 0.017, rock with sky 0.452."
    )
    absent = [c for c in CLASSES if not any(c in pair for pair in divergences)]
    section.missing += [(f"class {c}", "no patch has mostly this class") for c in absent]
    section.tables.append(Table("fig5b", "JS divergence between classes", ["classes", "mean (nats)", "pairs"], rows))
    path = out / "fig5b.png"
    with charts.chart(path, 5, 4) as ax:
        charts.matrix(ax, values, CLASSES, CLASSES, ".3f")
    text = "JS divergence of LBP histograms between classes, in nats"
    section.figures.append(Figure(path, text, f"{text}; the numbers are in the table above."))
    return section
