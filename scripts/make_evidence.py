"""Make the pictures of docs/evidence.md from the bundled samples alone: ``python scripts/make_evidence.py``.

Every number in a picture is measured while it is made.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

import marsqe
from marsqe.enhancement.confidence import luma
from marsqe.image import MarsImage
from marsqe.judgement import psnr, residual
from marsqe.judgement.quantization import change_in_steps
from marsqe.judgement.verification import verify
from marsqe.results import Enhancement
from marsqe.samples import sample_path
from marsqe.terrain import Terrain

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "benchmarks"))
from planted import STEP, Feature, seen, shape_of  # noqa: E402

WIDTH, DPI = 9.6, 100
MOST_BYTES = 150_000
ORANGE, INK = "#d55e00", "#333333"
Pixels = NDArray[np.uint8]


def truth_of(name: str) -> Pixels:
    with Image.open(sample_path(name, "truth")) as image:
        return np.asarray(image)


def enhanced(image: MarsImage, *, faithful: bool = True) -> Enhancement:
    # The model without references does not ask what the ground is.
    terrain = Terrain(np.full(image.shape, 3, np.uint8))
    return marsqe.enhance(image, "marsqe-swift", "cpu", terrain=terrain, faithful=faithful, precision="float32")


@contextmanager
def picture(path: Path, height: float, rows: int, columns: int) -> Iterator[NDArray[Any]]:
    """Axes of a picture without frames, written as WebP when the block ends."""
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.05, h_pad=0.05, wspace=0.01, hspace=0.02)
    axes = np.atleast_2d(figure.subplots(rows, columns, squeeze=False))
    for ax in axes.ravel():
        ax.set_axis_off()
    yield axes
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    drawn = Image.open(stream).convert("RGB")
    for quality in (90, 84, 78, 70):
        drawn.save(path, "WEBP", quality=quality, method=6)
        if path.stat().st_size <= MOST_BYTES:
            break
    sys.stdout.write(f"{path.name}: {drawn.width} x {drawn.height}, {path.stat().st_size / 1000:.0f} kB\n")


def show(ax: Any, pixels: NDArray[Any], title: str, **options: Any) -> Any:
    """One panel with its title."""
    shades = options or {"cmap": "gray", "vmin": 0, "vmax": 255}
    drawn = ax.imshow(pixels, interpolation="nearest", **shades)
    ax.set_title(title, fontsize=11, color=INK, loc="left")
    return drawn


def mark(ax: Any, mask: NDArray[np.bool_], colour: str, opacity: float = 0.85) -> None:
    """Colour what is marked over a panel."""
    ax.imshow(
        np.ma.masked_array(np.ones(mask.shape), np.logical_not(mask)), cmap=ListedColormap([colour]), alpha=opacity
    )


def crops(path: Path) -> None:
    """JPEG, enhanced and truth, close up."""
    places = (("perseverance-hazcam", 150, 385), ("curiosity-navcam", 250, 230))
    with picture(path, 5.3, 2, 3) as axes:
        for row, (name, y, x) in zip(axes, places, strict=True):
            truth = truth_of(name)
            image = marsqe.open_image(sample_path(name))
            result = enhanced(image)
            part = np.s_[y : y + 96, x : x + 128]
            for ax, pixels, what in zip(
                row, (image.pixels, result.pixels, truth), ("JPEG, quality 30", "enhanced", "truth"), strict=True
            ):
                gain = "" if pixels is truth else f"   {psnr(pixels[part], truth[part]):.1f} dB"
                show(ax, pixels[part], what + gain)


def blocks(path: Path, quality: int = 90) -> None:
    """Blocks that do not come back when compressed again."""
    truth = truth_of("perseverance-hazcam")[64:448, 64:576]
    image = marsqe.simulate_downlink(truth, quality, "4:2:0")
    data = image.metadata["encoded"]
    result = enhanced(image).pixels
    loose = enhanced(image, faithful=False).pixels
    titles = ("JPEG's own pixels", "enhanced, not held", "held and settled")
    with picture(path, 2.75, 1, 3) as axes:
        for ax, pixels, title in zip(axes[0], (image.pixels, loose, result), titles, strict=True):
            found = verify(image, data, pixels)
            mask = found.changed.repeat(8, axis=0).repeat(8, axis=1)[: truth.shape[0], : truth.shape[1]]
            show(ax, np.asarray(Image.fromarray(truth).convert("L")) // 2 + 110, f"{title}: {100 * found.blocks:.1f} %")
            mark(ax, mask, ORANGE, 0.75)


def confidence(path: Path) -> None:
    """The interval of every pixel, the residual, and where it is larger."""
    name = "perseverance-hazcam"
    truth, image = truth_of(name), marsqe.open_image(sample_path(name))
    result = enhanced(image)
    width, error = result.confidence, residual(result.pixels, truth)
    assert width is not None
    outside = error > width
    part = np.s_[64:304, 80:384]
    with picture(path, 2.95, 1, 3) as axes:
        for ax, values, title in (
            (axes[0, 0], width[part], "confidence: half width"),
            (axes[0, 1], error[part], "residual to the truth"),
        ):
            drawn = show(ax, values, title, cmap="magma", vmin=0, vmax=20)
            bar = ax.figure.colorbar(drawn, ax=ax, orientation="horizontal", shrink=0.75, pad=0.02, aspect=35)
            bar.set_label("DN", fontsize=9, color=INK, labelpad=0)
            bar.ax.tick_params(labelsize=9, colors=INK)
            bar.outline.set_visible(False)
        show(axes[0, 2], result.pixels[part] // 3 + 165, f"residual above it: {100 * outside.mean():.1f} %")
        mark(axes[0, 2], outside[part], ORANGE, 1.0)
        # As high as the other two with their scales.
        empty = axes[0, 2].figure.colorbar(
            drawn, ax=axes[0, 2], orientation="horizontal", shrink=0.75, pad=0.02, aspect=35
        )
        empty.set_label("DN", fontsize=9, color="white", labelpad=0)
        empty.ax.set_visible(False)


def steps(path: Path) -> None:
    """Largest change of each block in quantization steps, held and not."""
    image = marsqe.open_image(sample_path("perseverance-hazcam"))
    shades = [*colormaps["Blues"](np.linspace(0.05, 0.75, 128)), *colormaps["Oranges"](np.linspace(0.45, 0.95, 128))]
    colours = ListedColormap(shades)
    part = np.s_[64:304, 80:464]
    with picture(path, 3.85, 1, 2) as axes:
        for ax, faithful, title in ((axes[0, 0], True, "held to the JPEG"), (axes[0, 1], False, "not held")):
            change = change_in_steps(image, enhanced(image, faithful=faithful).pixels)
            above = f"{100 * (change > 0.5).mean():.1f} % of blocks above 0.5"
            drawn = show(ax, change[part], f"{title}: {above}", cmap=colours, vmin=0, vmax=1)
        bar = axes[0, 1].figure.colorbar(
            drawn, ax=list(axes[0]), orientation="horizontal", shrink=0.5, pad=0.02, aspect=40
        )
        bar.set_ticks([0, 0.25, 0.5, 0.75, 1])
        bar.set_label(
            "largest change of a block in quantization steps; the JPEG leaves open what is below 0.5", color=INK
        )
        bar.outline.set_visible(False)


def grains(path: Path, quality: int = 30) -> None:
    """Planted grains with their widths, in truth, JPEG and enhanced."""
    sizes: Sequence[int] = (2, 3, 4, 6, 8, 10)
    contrasts = (30.0, -30.0)
    ground = np.ascontiguousarray(truth_of("curiosity-mastcam")[88:168, 0:240])
    height, width = ground.shape[:2]
    padding = ((0, -height % 16), (0, -width % 16), (0, 0))
    ground = np.pad(ground, padding, mode="reflect")
    random = np.random.default_rng(3)
    planted, features = ground.astype(np.float64), []
    for row, contrast in enumerate(contrasts):
        for column, size in enumerate(sizes):
            shape = shape_of("grain", size, random)
            y, x = row * STEP, column * STEP
            planted[y : y + STEP, x : x + STEP] += contrast * shape[..., None]
            features.append(Feature("grain", size, contrast, y, x, shape))
    with_grains = np.rint(np.clip(planted, 0, 255)).astype(np.uint8)
    images = [marsqe.simulate_downlink(pixels, quality, "4:2:0") for pixels in (ground, with_grains)]
    results = [enhanced(image).pixels for image in images]
    rows = (
        ("truth", ground, with_grains),
        (f"JPEG, quality {quality}", images[0].pixels, images[1].pixels),
        ("enhanced", results[0], results[1]),
    )
    with picture(path, 10.4, 3, 1) as axes:
        for ax, (title, without, pixels) in zip(axes[:, 0], rows, strict=True):
            show(ax, pixels[:height, :width], title)
            difference = luma(pixels) - luma(without)
            for feature in features:
                found, size = seen(difference, feature)
                text = f"{size:.1f} px" if found else "not found"
                ax.text(
                    *(feature.x + STEP / 2, feature.y + STEP - 3, text),
                    **{"ha": "center", "va": "bottom", "fontsize": 11, "color": "white"},
                    bbox={"facecolor": "black", "alpha": 0.55, "edgecolor": "none", "pad": 2},
                )


PICTURES = {
    "evidence-crops": crops,
    "evidence-blocks": blocks,
    "evidence-confidence": confidence,
    "evidence-steps": steps,
    "evidence-grains": grains,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--only", nargs="+", choices=PICTURES, default=list(PICTURES))
    chosen = parser.parse_args()
    for name in chosen.only:
        PICTURES[name](chosen.out / f"{name}.webp")


if __name__ == "__main__":
    main()
