"""A sheet of validation images beside the network's terrain and, where there are some, the annotators' labels.

``python -m marsqe.train.terrain_sheet --data DIR --out docs/images/terrain-val.png``
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.image import MarsImage
from marsqe.segmentation import segment
from marsqe.segmentation.prepare import stretch_limits, stretched, to_rgb8
from marsqe.terrain import CLASSES, COLOURS
from marsqe.train.corpus import listed_files, load_pixels
from marsqe.train.terrain_data import Labelled, labelled_images

CELL: Final = (420, 300)
"""Width and height of a picture on the sheet."""

GAP: Final = 6


def overlay(rgb: NDArray[np.uint8], labels: NDArray[np.uint8], strength: float = 0.45) -> NDArray[np.uint8]:
    """Tint an (H, W, 3) image by its labels (0 unlabelled: dimmed)."""
    palette = np.array([(0, 0, 0), *(COLOURS[name] for name in CLASSES)], np.float32)
    return np.rint(rgb * (1 - strength) + palette[labels] * strength).astype(np.uint8)


def shown(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image with the contrast that the network sees."""
    return np.rint(stretched(rgb, stretch_limits(rgb)) * 255).astype(np.uint8)


def cell(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of a picture, filling a cell."""
    height, width = picture.shape[:2]
    wide = min(width, round(height * CELL[0] / CELL[1]))
    high = min(height, round(wide * CELL[1] / CELL[0]))
    y, x = (height - high) // 2, (width - wide) // 2
    return np.asarray(Image.fromarray(picture[y : y + high, x : x + wide]).resize(CELL, Image.Resampling.LANCZOS))


def row(pixels: NDArray[np.uint8], truth: NDArray[np.uint8] | None) -> list[NDArray[np.uint8]]:
    """Image, network, annotators; the last one blank where there are no labels."""
    rgb = shown(to_rgb8(pixels))
    found = cell(overlay(rgb, segment(MarsImage.from_array(pixels)).labels))
    if truth is None:
        return [cell(rgb), found, np.full_like(found, 255)]
    known = np.where(truth < len(CLASSES), truth + 1, 0).astype(np.uint8)
    return [cell(rgb), found, cell(overlay(rgb, known))]


def sheet(rows: list[list[NDArray[np.uint8]]], columns: int = 2) -> Image.Image:
    """Rows of cells, ``columns`` rows side by side."""
    width, height = CELL
    down = -(-len(rows) // columns)
    page = Image.new("RGB", (columns * (3 * (width + GAP)) + GAP, down * (height + GAP) + GAP), "white")
    for number, cells in enumerate(rows):
        across, line = number // down, number % down
        for place, picture in enumerate(cells):
            at = (GAP + (across * 3 + place) * (width + GAP), GAP + line * (height + GAP))
            page.paste(Image.fromarray(picture), at)
    return page


def chosen(images: list[Labelled], source: str, count: int) -> list[Labelled]:
    """Some images of a source, evenly spread."""
    of_source = [image for image in images if image.source == source]
    return [of_source[i] for i in np.linspace(0, len(of_source) - 1, min(count, len(of_source))).round().astype(int)]


def main(arguments: list[str] | None = None) -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description="Draw validation images with their terrain.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--width", type=int, default=880, help="of the sheet, in pixels")
    parser.add_argument("--colours", type=int, default=64, help="size of the palette of the PNG")
    given = parser.parse_args(arguments)
    images = list(labelled_images(given.data, "val"))
    rows = [row(i.rgb, i.target) for i in chosen(images, "marsscapes", 6) + chosen(images, "ai4mars", 3)]
    rows += [row(load_pixels(path), None) for path in listed_files(given.data, "val/m2020_hazcam")[:3]]
    given.out.parent.mkdir(parents=True, exist_ok=True)
    page = sheet(rows)
    page = page.resize((given.width, round(page.height * given.width / page.width)), Image.Resampling.LANCZOS)
    page.quantize(given.colours, dither=Image.Dither.NONE).save(given.out, optimize=True)


if __name__ == "__main__":
    main()
