"""Grains, laminae and veins of known size, planted into truths, compressed and enhanced: found, invented, how wide.

    python benchmarks/planted.py --data DIR [--splits val/...] [--qualities 30 50 75] [--weights arcnn=FILE ...]

Bright and dark grains of 2-10 pixels, laminae (straight strips) of 2-5 and veins (winding strips) of 1-3 pixels, 15 and
30 DN above or below the ground, stand 40 pixels apart. What a system makes of a feature is the difference between its
results with and without it, so that the ground does not count. A feature is found if that difference agrees with the
feature (correlation of 0.5 or more, a third of the contrast). Its width is that of a disc, or strip, whose area is the
difference summed over its fitted height, compared with the truth's measured alike. Invented are extrema of a difference
of Gaussians (1.5 and 3 pixels, 5 DN or more) that the truth does not have within 2 pixels with at least half the
height, per megapixel, on the truths themselves.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter, maximum_filter

from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, standard_tables
from marsqe.enhancement.confidence import luma
from marsqe.enhancement.faithful import cell_of_quality, hold
from marsqe.networks.conditioning import condition_vector
from marsqe.networks.registry import load
from marsqe.networks.rivals import RIVALS
from marsqe.reproduce.systems import card_beside
from marsqe.train.corpus import central_square, listed_files, load_pixels
from marsqe.train.evaluate import run_network

STEP, FINE = 40, 4
SIZES = {"grain": (2, 3, 4, 6, 8, 10), "lamina": (2, 3, 5), "vein": (1, 2, 3)}
SHARES = (0.5, 0.25, 0.25)
LENGTH = 24
System = Callable[[NDArray[np.uint8], bytes, int], NDArray[np.uint8]]


@dataclass(frozen=True)
class Feature:
    """One planted feature: size in pixels, contrast in DN, the corner of its cell, its coverage (STEP, STEP)."""

    kind: str
    size: int
    contrast: float
    y: int
    x: int
    shape: NDArray[np.float64]


def shape_of(kind: str, size: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Coverage (STEP, STEP) in 0-1 of a disc, or of a straight or winding strip, at a random place and angle."""
    axis = (np.arange(STEP * FINE) + 0.5) / FINE - STEP / 2
    y, x = np.meshgrid(axis - random.uniform(-1, 1), axis - random.uniform(-1, 1), indexing="ij")
    angle = random.uniform(0, np.pi)
    across, along = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    if kind == "grain":
        inside = np.hypot(y, x) <= size / 2
    else:
        turn, slope = (2.5, 2.5 * np.pi / 8) if kind == "vein" else (0.0, 0.0)  # a sine of 2.5 pixels, period of 16
        off = (across - turn * np.sin(np.pi * along / 8)) / np.hypot(1, slope * np.cos(np.pi * along / 8))
        inside = (np.abs(off) <= size / 2) & (np.abs(along) <= LENGTH / 2)
    return inside.reshape(STEP, FINE, STEP, FINE).mean(axis=(1, 3))


def planted(truth: NDArray[np.uint8], random: np.random.Generator) -> tuple[NDArray[np.uint8], list[Feature]]:
    out, features = truth.astype(np.float64), []
    for y, x in np.ndindex(truth.shape[0] // STEP, truth.shape[1] // STEP):
        kind = str(random.choice(list(SIZES), p=SHARES))
        size, contrast = int(random.choice(SIZES[kind])), float(random.choice([-30, -15, 15, 30]))
        shape = shape_of(kind, size, random)
        place = np.s_[y * STEP : (y + 1) * STEP, x * STEP : (x + 1) * STEP]
        out[place] += contrast * (shape if truth.ndim == 2 else shape[..., None])
        features.append(Feature(kind, size, contrast, y * STEP, x * STEP, shape))
    return np.rint(np.clip(out, 0, 255)).astype(np.uint8), features


def seen(difference: NDArray[np.float32], feature: Feature) -> tuple[bool, float]:
    """Whether a feature is found in the difference that it made, and its width in pixels."""
    part = np.sign(feature.contrast) * difference[feature.y : feature.y + STEP, feature.x : feature.x + STEP]
    shape = feature.shape
    agreement = float(np.corrcoef(part.ravel(), shape.ravel())[0, 1]) if part.std() else 0.0
    height = float((part * shape).sum() / (shape**2).sum())
    near = maximum_filter(shape, 9) > 0
    level = max(height, 1e-6)
    area = float(np.clip(part / level, 0, 1)[near & (part > 0.2 * level)].sum())
    # Along its windings a vein is longer than its ends are apart.
    length = LENGTH * (1.21 if feature.kind == "vein" else 1)
    width = 2 * np.sqrt(area / np.pi) if feature.kind == "grain" else area / length
    return agreement >= 0.5 and height >= abs(feature.contrast) / 3, width


def extrema(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Signed height in DN of the extrema of a difference of Gaussians, zero elsewhere."""
    level = luma(pixels)
    response = gaussian_filter(level, 1.5) - gaussian_filter(level, 3)
    size = np.abs(response)
    return np.where(size == maximum_filter(size, 5), response, 0)


def invented(pixels: NDArray[np.uint8], truth: NDArray[np.uint8], least: float = 5.0) -> int:
    own, real = extrema(pixels), extrema(truth)
    count = 0
    for sign in (1, -1):
        there = maximum_filter(np.maximum(sign * real, 0), 5)
        height = sign * own
        count += int(((height >= least) & (there < height / 2)).sum())
    return count


def systems(model: str, weights: list[str]) -> Iterator[tuple[str, System]]:
    yield "JPEG", lambda jpeg, data, quality: jpeg
    yield model, _enhancer(load(model), faithful=True)
    for text in weights:
        name, _, path = text.partition("=")
        network = RIVALS[name].build(**card_beside(Path(path)).get("config", {}))
        network.load_state_dict({key: value.float() for key, value in load_file(path).items()})
        yield name, _enhancer(network.eval(), faithful=False)


def _enhancer(network: Any, *, faithful: bool) -> System:
    def run(jpeg: NDArray[np.uint8], data: bytes, quality: int) -> NDArray[np.uint8]:
        condition = condition_vector(standard_tables(quality), (2, 2), colour=jpeg.ndim == 3)
        values = run_network(network, jpeg, condition)
        if faithful:
            return hold(values, jpeg, coefficients_from_bytes(data), (2, 2), cell_of_quality(quality))
        return np.rint(np.clip(values, 0, 255)).astype(np.uint8)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="marsqe-swift")
    parser.add_argument("--splits", nargs="+", default=["val/msl_mastcam", "val/m2020_hazcam"])
    parser.add_argument("--qualities", nargs="+", type=int, default=[30, 50, 75])
    parser.add_argument("--images", type=int, default=4, help="of each split")
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--weights", nargs="*", default=[], metavar="NAME=FILE", help="rivals, for example arcnn=FILE")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[Any, list[Any]] = defaultdict(list)
    for name, system in systems(arguments.model, arguments.weights):
        for split in arguments.splits:
            for number, file in enumerate(listed_files(arguments.data, split)[: arguments.images]):
                pixels = load_pixels(file)
                truth = np.ascontiguousarray(central_square(pixels, arguments.side))
                with_features, features = planted(truth, np.random.default_rng(number))
                for quality in arguments.qualities:
                    results = []
                    for image in (truth, with_features):
                        data = encode_jpeg(image, quality=quality)
                        results.append(system(decode_jpeg(data), data, quality))
                    found = luma(results[1]) - luma(results[0])
                    real = luma(with_features) - luma(truth)
                    rows[name, quality, "invented"].append(1e6 * invented(results[0], truth) / luma(truth).size)
                    for feature in features:
                        is_there, own = seen(real, feature)
                        if not is_there:
                            continue  # where the ground is black or white it could not be planted
                        is_found, width = seen(found, feature)
                        bias = width - own
                        rows[name, quality, feature.kind].append((is_found, bias))
                        rows[name, quality, feature.kind, feature.size].append((is_found, bias))
    write(rows)
    write_by_size(rows)


def write(rows: dict[Any, list[Any]]) -> None:
    head = [word for kind in ("grains", "laminae", "veins") for word in (f"{kind} found", "width bias, px")]
    head = ["system", "QF", *head, "invented per MP"]
    sys.stdout.write(f"| {' | '.join(head)} |\n{'|---' * len(head)}|\n")
    for name, quality in dict.fromkeys(key[:2] for key in rows):
        cells = [" | ".join(_cells(rows[name, quality, kind])) for kind in SIZES]
        cells.append(f"{np.mean(rows[name, quality, 'invented']):.0f}")
        sys.stdout.write(f"| {name} | {quality} | {' | '.join(cells)} |\n")


def write_by_size(rows: dict[Any, list[Any]]) -> None:
    sys.stdout.write(
        "\n| system | QF | feature | size, px | number | found | width bias, px |\n|---|---|---|---|---|---|---|\n"
    )
    for name, quality in dict.fromkeys(key[:2] for key in rows):
        for kind, size in ((kind, size) for kind, sizes in SIZES.items() for size in sizes):
            measured = rows[name, quality, kind, size]
            if measured:
                cells = " | ".join([name, str(quality), kind, str(size), str(len(measured)), *_cells(measured)])
                sys.stdout.write(f"| {cells} |\n")


def _cells(measured: list[tuple[bool, float]]) -> tuple[str, str]:
    """Share that was found, and the mean bias of the widths of those."""
    bias = [width for is_found, width in measured if is_found]
    return f"{np.mean([is_found for is_found, _ in measured]):.1%}", f"{np.mean(bias):+.2f}" if bias else "-"


if __name__ == "__main__":
    main()
