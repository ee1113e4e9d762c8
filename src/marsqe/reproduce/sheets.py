"""Figures 9, 10 and 13: what the systems make of a detail, and what is left of the error."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.colour import as_rgb
from marsqe.errors import MarsqeError
from marsqe.image import Pixels
from marsqe.judgement import psnr, residual
from marsqe.judgement.residual import squared_error
from marsqe.reproduce import charts
from marsqe.reproduce.apply import apply
from marsqe.reproduce.content import compress
from marsqe.reproduce.page import Figure, Section
from marsqe.reproduce.settings import MAIN_QUALITY
from marsqe.reproduce.systems import ANCHOR, System
from marsqe.segmentation import segment
from marsqe.terrain import CLASSES, Terrain

SIDE: Final = 192
_MOST_RESIDUAL: Final = 24.0
_COLUMNS: Final = 4
_NOTHING: Final = ("pictures", "no image with a truth")


def sections(details: Sequence[tuple[str, Pixels]], systems: Sequence[System], device: str, out: Path) -> list[Section]:
    """Make the sheets of Figures 9 and 10.

    Parameters
    ----------
    details : sequence of (str, ndarray)
        Name and truth pixels of each detail; see :func:`detail`.
    """
    quality, residuals = Section("Figure 9: details"), Section("Figure 10: residual to raw")
    shown = [s for s in systems if s.reason is None and s.only is None]
    for n, (name, truth) in enumerate(details):
        made, problems = _enhanced(truth, shown, device)
        errors = [(f"{s.title}\nmean {residual(p, truth).mean():.2f}", residual(p, truth)) for s, p in made]
        quality.figures.append(_sheet(out / f"fig9-{n + 1}.png", name, truth, _with_truth(truth, made), None))
        residuals.figures.append(_sheet(out / f"fig10-{n + 1}.png", name, truth, errors, _MOST_RESIDUAL))
        for section in (quality, residuals):
            section.missing += problems
    residuals.notes.append(
        f"Mean absolute difference to the truth over channels, black 0 to bright {_MOST_RESIDUAL:.0f}."
    )
    if not details:
        for section in (quality, residuals):
            section.missing.append(_NOTHING)
    return [quality, residuals]


def mismatched(details: Sequence[tuple[str, Pixels]], systems: Sequence[System], device: str, out: Path) -> Section:
    """Figure 13: the same details with the references of one class only."""
    section = Section("Figure 13: details with references of a single class")
    bases = dict.fromkeys(s.base for s in systems if s.only in CLASSES and s.reason is None)
    if not bases:
        section.missing.append(("pictures", "no system with references has weights, or none was asked for by class"))
    elif not details:
        section.missing.append(_NOTHING)
    for base in bases:
        of = [s for s in systems if s.base == base and s.reason is None and s.only in (None, *CLASSES)]
        for n, (name, truth) in enumerate(details):
            made, problems = _enhanced(truth, of, device)
            path = out / f"fig13-{base}-{n + 1}.png"
            section.figures.append(_sheet(path, name, truth, _with_truth(truth, made), None))
            section.missing += problems
    return section


def _with_truth(truth: Pixels, made: Sequence[tuple[System, Pixels]]) -> list[tuple[str, Any]]:
    return [("truth", as_rgb(truth)), *((f"{s.title}\n{psnr(p, truth):.2f} dB", as_rgb(p)) for s, p in made)]


def _sheet(path: Path, name: str, truth: Pixels, pictures: Sequence[tuple[str, Any]], most: float | None) -> Figure:
    charts.sheet(path, pictures, _COLUMNS, most)
    where = f"the {truth.shape[1]} x {truth.shape[0]} pixels of {name} where its JPEG errs most"
    text = f"JPEG QF {MAIN_QUALITY}: {where}, compressed and enhanced by themselves"
    return Figure(path, text, f"{text}. " + "; ".join(title.replace("\n", " ") for title, _ in pictures))


def detail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The square, on a grid of 16 pixels, where the JPEG of an image errs most; all of a smaller image."""
    height, width = pixels.shape[:2]
    if height <= SIDE or width <= SIDE:
        return np.ascontiguousarray(pixels[:SIDE, :SIDE])
    error = squared_error(compress(pixels, "JPEG", MAIN_QUALITY)[0].pixels, pixels)
    sums = np.pad(error.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    y, x = (np.arange(0, n - SIDE + 1, 16) for n in (height, width))
    total = (
        sums[np.ix_(y + SIDE, x + SIDE)] - sums[np.ix_(y, x + SIDE)] - sums[np.ix_(y + SIDE, x)] + sums[np.ix_(y, x)]
    )
    row, column = np.unravel_index(int(total.argmax()), total.shape)
    return np.ascontiguousarray(pixels[y[row] : y[row] + SIDE, x[column] : x[column] + SIDE])


def _enhanced(
    truth: Pixels, systems: Sequence[System], device: str
) -> tuple[list[tuple[System, Pixels]], list[tuple[str, str]]]:
    image, _ = compress(truth, "JPEG", MAIN_QUALITY)
    made, problems = [], []
    for system in systems:
        try:
            known = system.uses_references
            terrain = segment(image, device) if known else Terrain(np.zeros(image.shape, np.uint8))
            made.append((system, image.pixels if system.name == ANCHOR else apply(system, image, terrain, device)))
        except MarsqeError as error:
            problems.append((system.title, str(error)))
    return made, problems
