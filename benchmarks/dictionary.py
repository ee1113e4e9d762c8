"""Dictionaries chosen in different ways, compared by what their references bring.

    python benchmarks/dictionary.py --data DIR [--per-class 6 12] [--qualities 30 50] [--images 8] [--side 384]

Each is built from the labelled training images, and marsqe-swift-ref enhances central squares of the validation
images with it, references matched over the whole dictionary. Given are the mean divergence of Eq. 1 between a tile and
its reference, and PSNR over that of the trunk alone, without references, with a 95 % bootstrap interval over images.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, standard_tables
from marsqe.colour import as_rgb
from marsqe.enhancement.matched import run_with_references
from marsqe.enhancement.networks import Job, run_windows
from marsqe.image import Compression, MarsImage
from marsqe.judgement import psnr
from marsqe.matching import match
from marsqe.matching.dictionary import Dictionary, dictionary_from_sheet
from marsqe.networks.conditioning import condition_vector
from marsqe.networks.registry import load
from marsqe.networks.swift_ref import MarsQESwiftRef
from marsqe.progress import run
from marsqe.terrain import Terrain
from marsqe.train.corpus import central_square, listed_files, load_pixels
from marsqe.train.dictionary import CHOICES, Choice, build_dictionary


def built(data: Path, choice: Choice, per_class: int, seed: int) -> Dictionary:
    with tempfile.TemporaryDirectory() as folder:
        build_dictionary(data, Path(folder), per_class, seed=seed, choice=choice)
        listing = json.loads((Path(folder) / "dictionary.json").read_text())
        with Image.open(Path(folder) / "dictionary.png") as image:
            return dictionary_from_sheet(np.asarray(image), listing)


def rounded(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(values * 255, 0, 255)).astype(np.uint8)


class Case:
    """A validation square at one quality, and what the trunk alone makes of it."""

    def __init__(self, network: MarsQESwiftRef, truth: NDArray[np.uint8], quality: int) -> None:
        self.network, self.truth = network, truth
        pixels, tables = decode_jpeg(encode_jpeg(truth, quality=quality)), standard_tables(quality)
        self.compression = Compression("JPEG", True, tables, quality, True, (2, 2))
        self.image = MarsImage.from_array(pixels, compression=self.compression)
        condition = condition_vector(tables, (2, 2), colour=truth.ndim == 3)
        self.job = Job(as_rgb(pixels).astype(np.float32) / np.float32(255), condition, None, torch.device("cpu"))
        self.alone = psnr(rounded(run(run_windows(network.trunk, self.job))), as_rgb(truth))

    def with_references(self, dictionary: Dictionary) -> tuple[float, float]:
        """Mean divergence of the references, and PSNR over the trunk's in dB."""
        matches = match(self.image, Terrain(np.zeros(self.image.shape, np.uint8)), dictionary)
        steps = run_with_references(
            self.network, self.job, matches, dictionary, self.compression, None, colour=self.image.is_colour
        )
        return float(matches.divergences.mean()), psnr(rounded(run(steps)), as_rgb(self.truth)) - self.alone


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    random = np.random.default_rng(0)
    means = random.choice(values, (2000, len(values))).mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--splits", nargs="+", default=["val/msl_mastcam", "val/m2020_hazcam"])
    parser.add_argument("--choices", nargs="+", default=list(CHOICES), choices=list(CHOICES))
    parser.add_argument("--per-class", nargs="+", type=int, default=[6, 12])
    parser.add_argument("--qualities", nargs="+", type=int, default=[30, 50])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--side", type=int, default=384)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = load("marsqe-swift-ref")
    assert isinstance(network, MarsQESwiftRef)
    cases: dict[int, list[Case]] = {quality: [] for quality in arguments.qualities}
    for file in (f for split in arguments.splits for f in listed_files(arguments.data, split)[: arguments.images]):
        pixels = load_pixels(file)
        truth = np.ascontiguousarray(central_square(pixels, arguments.side))
        for quality, found in cases.items():
            found.append(Case(network, truth, quality))
    heads = "".join(f" QF {quality}: divergence | PSNR over none, dB |" for quality in cases)
    sys.stdout.write(f"| choice | per class |{heads}\n{'|---' * (2 + 2 * len(cases))}|\n")
    for per_class in arguments.per_class:
        for choice in arguments.choices:
            dictionary = built(arguments.data, choice, per_class, arguments.seed)
            row = f"| {choice} | {per_class} |"
            for found in cases.values():
                divergence, gain = np.array([case.with_references(dictionary) for case in found]).T
                low, high = interval(gain)
                row += f" {divergence.mean():.4f} | {gain.mean():+.4f} [{low:+.4f}, {high:+.4f}] |"
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
