"""Figures of a judgement: gain per terrain, rate and distortion, residuals; each with its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qtpy.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from marsqe.export.tables import Cell, write_csv
from marsqe.image import MarsImage
from marsqe.judgement.histogram import residual_histogram
from marsqe.results import Judgement
from napari_marsqe.labels import Words
from napari_marsqe.session import Session
from napari_marsqe.views.charts import Draw, gain_chart, rate_chart, residual_chart
from napari_marsqe.views.plot import Plot
from napari_marsqe.views.saving import CSV, PICTURES, ask_and_write

if TYPE_CHECKING:
    from napari_marsqe.workbench import Workbench

KEY = "figures"
GAIN, RATE, RESIDUAL = "gain", "rate", "residuals"
TITLES: Final = {GAIN: "Gain per terrain", RATE: "Rate and quality", RESIDUAL: "Residuals, before and after"}
JUDGE = "Judge an enhanced image first: its figures are shown here."
NO_TRUTH = (
    "This needs the true image, which alone tells what was gained: choose one under <b>Open</b>, then judge again."
)
NO_RATE = "The file's size is not known, so its rate is not either: open the image from its own file."
NO_ERROR = "The compressed image equals the truth: there was nothing to gain."
_EXPLAINED: Final = {
    GAIN: "Decibels closer to the truth, over all pixels of each terrain; below zero is further away.",
    RATE: "Up is closer to the truth, left is a smaller file. Enhancing costs no bits.",
    RESIDUAL: "How many pixels are off by how much. More at the left is better.",
}
Table = tuple[Sequence[str], Sequence[Sequence[Cell]]]


class Figures(QWidget):
    """One figure at a time, in the colours of the theme."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench = bench
        self._drawn: object = None
        self.choice = QComboBox()
        for key, title in TITLES.items():
            self.choice.addItem(title, key)
        self.choice.setToolTip("Choose what is drawn.")
        self.words = Words()
        self.plot = Plot(bench.viewer)
        self.save_numbers = QPushButton("Save numbers…")
        self.save_numbers.setToolTip("Write what the figure shows as CSV.")
        self.save_picture = QPushButton("Save picture…")
        self.save_picture.setToolTip("Write the figure as PNG, PDF or SVG, black on white.")
        buttons = QHBoxLayout()
        buttons.addWidget(self.save_numbers)
        buttons.addWidget(self.save_picture)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.choice, self.words, self.plot):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        self.choice.currentIndexChanged.connect(self._on_choice)
        self.save_numbers.clicked.connect(self._save_numbers)
        self.save_picture.clicked.connect(self._save_picture)
        self.refresh(bench.session, False)

    @property
    def chosen(self) -> str:
        """Which figure is shown: "gain", "rate" or "residuals"."""
        return str(self.choice.currentData())

    def refresh(self, session: Session, busy: bool) -> None:
        """Draw the figure of the current image's judgement, if it is another one."""
        case = session.case
        judgement = None if case is None else case.judgement
        if judgement is not None and judgement is self._drawn:
            return
        self._drawn = judgement
        reason = JUDGE
        chart: Draw | None = None
        if case is not None and judgement is not None:
            reason = why_not(self.chosen, case.image, judgement)
            chart = None if reason else chart_of(self.chosen, case.image, judgement)
        self.words.say(*((reason, "Hint") if reason else (_EXPLAINED[self.chosen], "Hint")))
        self.choice.setEnabled(judgement is not None)
        for button in (self.save_numbers, self.save_picture):
            button.setVisible(chart is not None)
        self.plot.show_chart(chart)

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        self.plot.disconnect_viewer()

    def _on_choice(self) -> None:
        self._drawn = None
        self.refresh(self._bench.session, False)

    def _save_numbers(self) -> None:
        case = self._bench.session.case
        if case is not None and case.judgement is not None:
            header, rows = numbers_of(self.chosen, case.image, case.judgement)

            def write(path: Path) -> None:
                write_csv(path, header, rows)

            ask_and_write(self._bench, KEY, case, self.chosen, CSV, write)

    def _save_picture(self) -> None:
        case = self._bench.session.case
        if case is not None:
            ask_and_write(self._bench, KEY, case, self.chosen, PICTURES, self.plot.save)


def why_not(figure: str, image: MarsImage, judgement: Judgement) -> str:
    """Why a figure cannot be drawn and what to do; empty where it can."""
    if figure == RESIDUAL:
        return ""
    if not judgement.has_truth:
        return NO_TRUTH
    if math.isnan(judgement.metrics["delta_psnr"]) or not math.isfinite(judgement.metrics["psnr_compressed"]):
        return NO_ERROR
    return NO_RATE if figure == RATE and not math.isfinite(image.compression.bits_per_pixel) else ""


def chart_of(figure: str, image: MarsImage, judgement: Judgement) -> Draw:
    """The chart of a figure that can be drawn."""
    if figure == GAIN:
        return gain_chart(judgement)
    return rate_chart(image, judgement) if figure == RATE else residual_chart(judgement)


def numbers_of(figure: str, image: MarsImage, judgement: Judgement) -> Table:
    """What a figure shows: header and rows."""
    metrics = judgement.metrics
    if figure == GAIN:
        return ("terrain", "ΔPSNR in dB"), [*judgement.per_class.items(), ("image", metrics["delta_psnr"])]
    if figure == RATE:
        rate = image.compression.bits_per_pixel
        rows = [(name, rate, metrics[f"psnr_{name}"]) for name in ("compressed", "enhanced")]
        return ("image", "bits per pixel", "PSNR in dB"), rows
    found = residual_histogram(judgement)
    header = ("from DN", "to DN", *(f"share of pixels, {name}" for name in found.shares))
    bounds = zip(found.edges[:-1].tolist(), found.edges[1:].tolist(), strict=True)
    shares = zip(*(values.tolist() for values in found.shares.values()), strict=True)
    return header, [(*bound, *share) for bound, share in zip(bounds, shares, strict=True)]
