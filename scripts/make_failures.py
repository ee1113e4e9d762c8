"""Where a model does worst on the bundled samples: ``python scripts/make_failures.py [--model NAME] [--out FILE]``.

Of each sample the square of 64 pixels whose PSNR gains least (or loses most), and over all the one whose structure is
smoothed most: truth, JPEG and enhanced, magnified. The model card shows the sheet.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

import marsqe
from marsqe.colour import as_rgb, luma
from marsqe.samples import SAMPLES, sample_path

ROOT: Final = Path(__file__).resolve().parents[1]
SIDE: Final = 64
ZOOM: Final = 3
GAP: Final = 8
LINE: Final = 22
Pixels = NDArray[np.uint8]


def squares(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of the squares of 64 pixels, row by row."""
    rows, columns = (n // SIDE for n in plane.shape)
    cut = plane[: rows * SIDE, : columns * SIDE]
    means: NDArray[np.float64] = cut.reshape(rows, SIDE, columns, SIDE).mean(axis=(1, 3))
    return means


def error(a: Pixels, truth: Pixels) -> NDArray[np.float64]:
    difference = as_rgb(a).astype(np.float64) - as_rgb(truth)
    return squares((difference**2).mean(axis=2))


def roughness(a: Pixels) -> NDArray[np.float64]:
    """Mean square of the differences between neighbours: what smoothing takes away."""
    level = luma(a).astype(np.float64)
    return squares(np.diff(level, axis=0, append=level[-1:]) ** 2 + np.diff(level, axis=1, append=level[:, -1:]) ** 2)


def worst(scores: NDArray[np.float64]) -> tuple[int, int]:
    row, column = np.unravel_index(int(np.argmin(scores)), scores.shape)
    return int(row) * SIDE, int(column) * SIDE


def strip(images: tuple[Pixels, ...], place: tuple[int, int]) -> list[Image.Image]:
    y, x = place
    crops = [as_rgb(image[y : y + SIDE, x : x + SIDE]) for image in images]
    low, high = float(crops[0].min()), float(crops[0].max())
    stretched = [np.clip((c - low) / max(high - low, 1) * 255, 0, 255).astype(np.uint8) for c in crops]
    return [Image.fromarray(c).resize((SIDE * ZOOM, SIDE * ZOOM), Image.Resampling.NEAREST) for c in stretched]


def found(model: str) -> list[tuple[str, list[Image.Image]]]:
    """Titles and pictures, one row each."""
    rows, smoothed = [], []
    for sample in SAMPLES:
        image = marsqe.open_image(sample_path(sample.name, "compressed"))
        with Image.open(sample_path(sample.name, "truth")) as opened:
            truth = np.asarray(opened)
        enhanced = marsqe.enhance(image, model, "cpu").pixels.astype(np.uint8)
        received = image.pixels.astype(np.uint8)
        gain = 10 * np.log10((error(received, truth) + 1e-3) / (error(enhanced, truth) + 1e-3))
        place = worst(gain)
        pictures = strip((truth, received, enhanced), place)
        value = gain[place[0] // SIDE, place[1] // SIDE]
        rows.append((f"{sample.mission}: least gain, {value:+.2f} dB".replace("-", "\N{MINUS SIGN}"), pictures))
        lost = roughness(enhanced) / (roughness(truth) + 4)
        place = worst(np.where(roughness(truth) > np.median(roughness(truth)), lost, np.inf))
        share = lost[place[0] // SIDE, place[1] // SIDE]
        smoothed.append((share, sample.mission, strip((truth, received, enhanced), place)))
    share, mission, pictures = min(smoothed, key=lambda row: row[0])
    rows.append((f"{mission}: most smoothed, {100 * share:.0f} % of the truth's local contrast left", pictures))
    return rows


def sheet(rows: list[tuple[str, list[Image.Image]]]) -> Image.Image:
    font = ImageFont.load_default(14)
    width, high = 3 * SIDE * ZOOM + 2 * GAP, SIDE * ZOOM + LINE + GAP
    page = Image.new("RGB", (width, LINE + high * len(rows)), "white")
    draw = ImageDraw.Draw(page)
    for column, title in enumerate(("truth", "JPEG, quality 30", "enhanced")):
        draw.text((column * (SIDE * ZOOM + GAP), 2), title, "black", font)
    for index, (title, pictures) in enumerate(rows):
        top = LINE + index * high
        draw.text((0, top + 2), title, (70, 70, 70), font)
        for column, picture in enumerate(pictures):
            page.paste(picture, (column * (SIDE * ZOOM + GAP), top + LINE))
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="marsqe-swift")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    name = f"{arguments.model.removeprefix('marsqe-')}-failures.png"
    page = sheet(found(arguments.model))
    out = arguments.out or ROOT / "docs" / "images" / name
    page.quantize(128, dither=Image.Dither.NONE).save(out, optimize=True)


if __name__ == "__main__":
    main()
