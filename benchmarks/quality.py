"""Gain of a bundled model over JPEG, by set of images and quality factor.

    python benchmarks/quality.py --data DIR [--splits val/msl_mastcam ...] [--qualities 20 30 50 85] [--csv FILE]

DIR holds ``manifest.csv``. Images are compressed by Pillow with 4:2:0 chroma, enhanced on the CPU exactly as the
product does (faithful mode on), and compared with the truth: PSNR over all channels of the whole image. Above
quality 90 truths are halved first, since many are themselves JPEGs of quality 95.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from marsqe.networks.registry import load
from marsqe.train.evaluate import TRUTH_QUALITY, summarise, validation_gains

VALIDATION = ["val/msl_mastcam", "val/m2020_hazcam"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="marsqe-swift")
    parser.add_argument("--splits", nargs="+", default=VALIDATION)
    parser.add_argument("--qualities", nargs="+", type=int, default=[20, 30, 40, 50, 65, 75, 85, 95])
    parser.add_argument("--no-faithful", action="store_true")
    parser.add_argument("--never-halve", action="store_true", help="full size even above quality 90")
    parser.add_argument("--csv", type=Path, help="also write every image's gain here")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    network = load(arguments.model)
    gains = []
    for gain in validation_gains(
        network,
        arguments.data,
        arguments.splits,
        arguments.qualities,
        faithful=not arguments.no_faithful,
        halve_above=None if arguments.never_halve else TRUTH_QUALITY,
    ):
        gains.append(gain)
        sys.stderr.write(f"{gain.split} {gain.file} QF {gain.quality}: {gain.gain:+.3f} dB\n")
    if arguments.csv:
        with arguments.csv.open("w", newline="") as stream:
            rows = csv.DictWriter(stream, list(asdict(gains[0])))
            rows.writeheader()
            rows.writerows(asdict(gain) for gain in gains)
    sys.stdout.write("| set | " + " | ".join(f"QF {q}" for q in arguments.qualities) + " |\n")
    sys.stdout.write("|---" * (len(arguments.qualities) + 1) + "|\n")
    for split, row in summarise(gains).items():
        cells = (f"{row[q][0]:+.2f} ({row[q][1]:+.2f})" for q in arguments.qualities)
        sys.stdout.write(f"| {split} | " + " | ".join(cells) + " |\n")


if __name__ == "__main__":
    main()
