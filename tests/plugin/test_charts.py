"""Charts against pictures of them, and in numbers.

A chart that was changed on purpose: ``MARSQE_BASELINES=write pytest tests/plugin/test_charts.py`` writes the pictures
anew; look at them before you commit.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from marsqe.image import Compression, MarsImage
from marsqe.judgement import judge, profile
from marsqe.results import Judgement
from marsqe.terrain import Terrain
from napari_marsqe.views import figures
from napari_marsqe.views.charts import Draw, Palette, draw, gain_chart, profile_chart, rate_chart, residual_chart

BASELINES = Path(__file__).parent / "baseline"
DARK, LIGHT = Palette.on("#f0f1f2", "#262930"), Palette.on("#3b3a39", "#efebe9")
TOLERANCE = 6.0
"""Mean difference of a chart's pixels from its baseline in DN; another chart differs by ten and more."""


def scene() -> tuple[MarsImage, Judgement, dict[str, NDArray[np.uint8]]]:
    """An image of two terrains, one gaining and one losing, and an edge in every picture."""
    y, x = np.mgrid[:96, :128]
    truth = np.where(x < 64, 60, 140 + 40 * np.sin(y / 7)).astype(np.uint8)
    compressed = (truth + 9 * np.sin(x / 3) * np.cos(y / 4)).astype(np.uint8)
    enhanced = np.where(y < 60, (truth.astype(int) * 3 + compressed) // 4, compressed + 3).astype(np.uint8)
    labels = np.where(y < 60, 4, 2).astype(np.uint8)
    image = MarsImage.from_array(compressed, compression=Compression("JPEG", True, bits_per_pixel=0.62))
    judgement = judge(enhanced, truth, compressed=compressed, terrain=Terrain(labels))
    return image, judgement, {"compressed": compressed, "enhanced": enhanced, "truth": truth}


def charts() -> dict[str, tuple[Draw, Palette]]:
    image, judgement, pictures = scene()
    alone = judge(pictures["enhanced"], compressed=pictures["compressed"])
    return {
        "gain": (gain_chart(judgement), DARK),
        "rate": (rate_chart(image, judgement), LIGHT),
        "residuals": (residual_chart(judgement), DARK),
        "change": (residual_chart(alone), LIGHT),
        "profile": (profile_chart(profile(pictures, (20, 40), (30, 90), width=3)), LIGHT),
    }


def picture(chart: Draw, palette: Palette) -> NDArray[np.uint8]:
    figure = Figure(figsize=(3.2, 2.2), dpi=80)
    canvas = FigureCanvasAgg(figure)
    draw(figure, chart, palette)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(int) - b).mean()) if a.shape == b.shape else float("inf")


@pytest.mark.parametrize("name", ["gain", "rate", "residuals", "change", "profile"])
def test_charts_look_as_they_did(name: str) -> None:
    drawn, path = picture(*charts()[name]), BASELINES / f"{name}.png"
    if os.environ.get("MARSQE_BASELINES") == "write":
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(drawn).quantize(32).save(path, optimize=True)
    with Image.open(path) as stored:
        assert difference(drawn, np.asarray(stored.convert("RGB"))) < TOLERANCE
    assert path.stat().st_size < 15_000


def test_the_comparison_tells_charts_apart() -> None:
    """What the tolerance lets pass is less than any change worth seeing."""
    image, judgement, _ = scene()
    judgement.metrics["delta_psnr"] = -5.0
    with Image.open(BASELINES / "gain.png") as stored:
        baseline = np.asarray(stored.convert("RGB"))
    assert difference(picture(gain_chart(judgement), DARK), baseline) > TOLERANCE
    assert difference(picture(rate_chart(image, judgement), LIGHT), baseline) > 10 * TOLERANCE


def test_bars_carry_signed_numbers_and_the_layers_colours() -> None:
    _, judgement, _ = scene()
    figure = Figure()
    draw(figure, gain_chart(judgement), DARK)
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["sand", "rock", "image"]
    sand, rock = judgement.per_class["sand"], judgement.per_class["rock"]
    assert sand < 0 < rock
    assert [text.get_text() for text in ax.texts] == [
        f"−{-sand:.2f}",
        f"+{rock:.2f}",
        f"{judgement.metrics['delta_psnr']:+.2f}".replace("-", "−"),
    ]
    assert [bar.get_height() for bar in ax.patches[:2]] == pytest.approx([sand, rock])
    assert ax.patches[0].get_facecolor()[:3] == pytest.approx(np.array([240, 228, 66]) / 255)


def test_an_infinite_gain_is_named_and_not_drawn_as_one() -> None:
    _, judgement, _ = scene()
    judgement.per_class["rock"] = float("inf")
    figure = Figure()
    draw(figure, gain_chart(judgement), DARK)
    assert "∞" in [text.get_text() for text in figure.axes[0].texts]
    assert np.isfinite(figure.axes[0].get_ylim()).all()


def test_numbers_of_every_figure() -> None:
    image, judgement, _ = scene()
    header, rows = figures.numbers_of("gain", image, judgement)
    assert dict(rows) == judgement.per_class | {"image": judgement.metrics["delta_psnr"]}
    header, rows = figures.numbers_of("rate", image, judgement)
    assert rows == [(name, 0.62, judgement.metrics[f"psnr_{name}"]) for name in ("compressed", "enhanced")]
    header, rows = figures.numbers_of("residuals", image, judgement)
    assert header == ("from DN", "to DN", "share of pixels, compressed", "share of pixels, enhanced")
    assert np.sum(rows, axis=0)[2:] == pytest.approx([1, 1])


@pytest.mark.parametrize("figure", ["gain", "rate", "residuals"])
def test_what_cannot_be_drawn_says_what_to_do(figure: str) -> None:
    image, judgement, pictures = scene()
    assert figures.why_not(figure, image, judgement) == ""
    alone = judge(pictures["enhanced"], compressed=pictures["compressed"])
    same = judge(pictures["enhanced"], pictures["compressed"], compressed=pictures["compressed"])
    unknown = MarsImage.from_array(pictures["compressed"])
    reasons = [figures.why_not(figure, *case) for case in ((image, alone), (image, same), (unknown, judgement))]
    assert (
        reasons
        == {
            "gain": [figures.NO_TRUTH, figures.NO_ERROR, ""],
            "rate": [figures.NO_TRUTH, figures.NO_ERROR, figures.NO_RATE],
            "residuals": ["", "", ""],
        }[figure]
    )


def test_matplotlib_waits_for_the_first_chart() -> None:
    tools = "magnifier, line_profile, figures, tiles"
    code = f"from napari_marsqe import workbench; from napari_marsqe.views import {tools}; import sys; "
    code += "sys.exit('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
