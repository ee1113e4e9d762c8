"""Charts as PNG files, by matplotlib (extra ``report``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.export.atomic import atomic
from marsqe.extras import from_extra

# Okabe and Ito's palette, told apart by colour-blind readers; shapes differ too.
COLOURS: Final = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
_MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")


def need_matplotlib() -> None:
    """Raise ``MissingExtraError`` where matplotlib is not installed."""
    _pyplot()


def _pyplot() -> Any:
    purpose = "The report's charts"
    from_extra("matplotlib", "report", purpose)
    # Figures are made without pyplot's state and without a screen: backends are never switched under a caller.
    return from_extra("matplotlib.figure", "report", purpose)


@contextmanager
def chart(path: Path, width: float = 8, height: float = 4.5, rows: int = 1, columns: int = 1) -> Iterator[Any]:
    """Axes (an array for several) of a figure that is written when the block ends."""
    figure = _pyplot().Figure(figsize=(width, height), layout="constrained")
    backend = from_extra("matplotlib.backends.backend_agg", "report", "The report's charts")
    backend.FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns)
    for ax in np.atleast_1d(axes).ravel():
        ax.grid(visible=True, alpha=0.3)
        ax.set_axisbelow(True)
    yield axes
    with atomic(path) as part:
        figure.savefig(part, format="png", dpi=110, metadata={"Software": None})


def grouped_bars(
    ax: Any, groups: Sequence[str], series: Mapping[str, Sequence[float]], ylabel: str, title: str = ""
) -> None:
    """Bars of several series side by side in every group; NaN leaves a gap."""
    width = 0.8 / max(1, len(series))
    for n, (name, values) in enumerate(series.items()):
        at = np.arange(len(groups)) + (n - (len(series) - 1) / 2) * width
        ax.bar(at, values, width, label=name, color=COLOURS[n % len(COLOURS)], hatch="" if n < len(COLOURS) else "//")
    ax.set_xticks(np.arange(len(groups)), groups)
    ax.set_ylabel(ylabel)
    ax.set_title(title)
    _legend(ax)


def curves(ax: Any, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], xlabel: str, ylabel: str) -> None:
    """Lines with markers, by name: (x, y)."""
    style = zip(cycle(COLOURS), cycle(_MARKERS), strict=False)
    for (name, (x, y)), (colour, marker) in zip(lines.items(), style, strict=False):
        ax.plot(x, y, marker=marker, color=colour, label=name, markersize=5, linewidth=1.3)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    _legend(ax)


def _legend(ax: Any) -> None:
    """One legend for the whole figure, below, where it covers nothing."""
    figure = ax.figure
    if not figure.legends:
        handles, names = ax.get_legend_handles_labels()
        if not names:
            return
        figure.legend(handles, names, loc="outside lower center", ncols=min(4, len(names)), fontsize="small")


def scatter_named(ax: Any, points: Mapping[str, tuple[float, float]], xlabel: str, ylabel: str) -> None:
    """Points with their names beside them."""
    for n, (name, (x, y)) in enumerate(points.items()):
        ax.scatter([x], [y], color=COLOURS[n % len(COLOURS)], marker=_MARKERS[n % len(_MARKERS)], s=60)
        ax.annotate(name, (x, y), xytext=(6, 4), textcoords="offset points", fontsize="small")
    ax.margins(0.2)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)


def clouds(ax: Any, sets: Mapping[str, NDArray[np.float64]], xlabel: str, ylabel: str) -> None:
    """Clouds of points (n, 2), by name; the last one lies beneath."""
    for n, (name, points) in enumerate(sets.items()):
        ax.scatter(
            points[:, 0],
            points[:, 1],
            s=8,
            alpha=0.5,
            label=name,
            color=COLOURS[n + 1],
            marker=_MARKERS[n],
            zorder=3 - n,
        )
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.legend()


def matrix(ax: Any, values: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str], form: str) -> None:
    """A table of numbers on a scale of blue; NaN is left blank."""
    ax.grid(visible=False)
    ax.imshow(values, cmap="Blues", aspect="auto")
    middle = np.nanmean(values) if np.isfinite(values).any() else 0.0
    for y, x in np.ndindex(*values.shape):
        if np.isfinite(values[y, x]):
            colour = "white" if values[y, x] > middle else "black"
            ax.text(x, y, format(values[y, x], form), ha="center", va="center", color=colour)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)


def sheet(
    path: Path, pictures: Sequence[tuple[str, NDArray[Any]]], columns: int, grey_most: float | None = None
) -> None:
    """Pictures with a line of text above each; gray ones on a scale of 0 to ``grey_most`` (255 by default)."""
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    with chart(path, 2.6 * columns, 3.15 * rows, rows, columns) as axes:
        for ax in np.atleast_1d(axes).ravel():
            ax.set_axis_off()
        for ax, (title, pixels) in zip(np.atleast_1d(axes).ravel(), pictures, strict=False):
            ax.imshow(pixels, cmap="gray" if grey_most is None else "magma", vmin=0, vmax=grey_most or 255)
            ax.set_title(title, fontsize="small")
