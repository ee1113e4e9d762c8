"""The workbench's charts, drawn by matplotlib in the colours of a theme. Functions of the engine's values alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from marsqe.image import MarsImage
from marsqe.judgement.histogram import residual_histogram
from marsqe.judgement.profile import Profile
from marsqe.results import Judgement
from marsqe.terrain import COLOURS
from napari_marsqe.views.hand import COMPRESSED, ENHANCED, TRUTH
from napari_marsqe.wording import signed

Draw = Callable[[Any, "Palette"], None]
"""Draws on matplotlib axes."""

STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that charts look alike everywhere
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
}
SIZE: Final = (3.2, 2.2)
"""Inches, of a chart that is saved or compared."""


@dataclass(frozen=True)
class Palette:
    """Colours of a chart: what it is written in and on, and those of the images."""

    text: str
    background: str
    images: Mapping[str, str]

    @classmethod
    def of(cls, theme_id: str) -> Palette:
        """The palette of a theme of napari's."""
        from napari.utils.theme import get_theme

        theme = get_theme(theme_id)
        return cls.on(theme.text.as_hex("long"), theme.background.as_hex("long"))

    @classmethod
    def on(cls, text: str, background: str) -> Palette:
        """A palette for a text colour and a background. The images' hues are told apart by colour-blind readers."""
        return cls(text, background, {COMPRESSED: "#d55e00", ENHANCED: "#3f9bd8", TRUTH: text, "change": "#3f9bd8"})


def style(figure: Any, ax: Any, palette: Palette) -> None:
    """Give a figure and its axes the palette's colours."""
    figure.set_facecolor(palette.background)
    ax.set_facecolor(palette.background)
    ax.tick_params(colors=palette.text)
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
        label.set_color(palette.text)
    for spine in ax.spines.values():
        spine.set_color(palette.text)
    legend = ax.get_legend()
    if legend is not None:
        legend.get_frame().set(facecolor=palette.background, edgecolor="none", alpha=0.7)
        for text in legend.get_texts():
            text.set_color(palette.text)


def draw(figure: Any, chart: Draw, palette: Palette) -> None:
    """Draw one chart on an empty figure."""
    from matplotlib import rc_context

    with rc_context(STYLE):
        figure.clear()
        figure.set_layout_engine("constrained")
        ax = figure.add_subplot()
        chart(ax, palette)
        style(figure, ax, palette)


def profile_chart(line: Profile) -> Draw:
    """Intensity along a line in every image."""

    def chart(ax: Any, palette: Palette) -> None:
        for name, values in line.values.items():
            width = 1.8 if name == ENHANCED else 1.2
            ax.plot(line.distance, values, color=palette.images[name], linewidth=width, label=name)
        ax.set_xlabel("pixels along the line")
        ax.set_ylabel(f"{line.channel}, DN")
        ax.margins(x=0)
        ax.legend(loc="best", handlelength=1.2)

    return chart


def gain_chart(judgement: Judgement) -> Draw:
    """ΔPSNR of every terrain and of the whole image, as bars with their numbers."""
    gains = {name: judgement.per_class[name] for name in COLOURS if name in judgement.per_class}
    gains["image"] = judgement.metrics["delta_psnr"]

    def chart(ax: Any, palette: Palette) -> None:
        fills = [_hex(COLOURS[name]) if name in COLOURS else palette.text for name in gains]
        # Bars end where numbers do: a class without error after it is drawn, and named, as infinite.
        finite = [gain if np.isfinite(gain) else 0.0 for gain in gains.values()]
        bars = ax.bar(list(gains), finite, color=fills, edgecolor=palette.text, linewidth=0.6, width=0.65)
        shown = [signed(gain) if np.isfinite(gain) else "∞" for gain in gains.values()]
        ax.bar_label(bars, shown, padding=2, color=palette.text)
        ax.axhline(0, color=palette.text, linewidth=0.8)
        ax.margins(y=0.18)
        ax.set_ylabel("ΔPSNR, dB")

    return chart


def rate_chart(image: MarsImage, judgement: Judgement) -> Draw:
    """The image's place among rate and distortion: bits per pixel and PSNR, as it came down and enhanced."""
    rate = image.compression.bits_per_pixel
    points = {COMPRESSED: judgement.metrics["psnr_compressed"], ENHANCED: judgement.metrics["psnr_enhanced"]}

    def chart(ax: Any, palette: Palette) -> None:
        ax.plot([rate, rate], list(points.values()), color=palette.text, linewidth=0.8, linestyle=":")
        for (name, value), marker in zip(points.items(), ("o", "^"), strict=True):
            ax.plot([rate], [value], marker, color=palette.images[name], markersize=8)
            ax.annotate(
                f"{name}\n{value:.2f} dB", (rate, value), (10, 0), textcoords="offset points", color=palette.text,
                va="center",
            )  # fmt: skip
        low, high = sorted(points.values())
        room = max(0.5, (high - low) * 0.6)
        ax.set_ylim(low - room, high + room)
        ax.set_xlim(0, 2 * rate)
        ax.set_xlabel("bits per pixel")
        ax.set_ylabel("PSNR, dB")

    return chart


def residual_chart(judgement: Judgement) -> Draw:
    """How often residuals of each size occur, before and after; without a truth how often changes do."""
    found = residual_histogram(judgement)

    def chart(ax: Any, palette: Palette) -> None:
        for name, shares in found.shares.items():
            label = f"{name}, mean {found.means[name]:.1f} DN"
            ax.stairs(100 * shares, found.edges, color=palette.images[name], label=label, linewidth=1.4)
        ax.set_xlabel("residual to the truth, DN" if judgement.has_truth else "change, DN")
        ax.set_ylabel("share of pixels, %")
        ax.margins(x=0)
        ax.set_ylim(0, 130 * max(float(shares.max()) for shares in found.shares.values()))  # room for the legend
        ax.legend(loc="upper right", handlelength=1.2)

    return chart


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
