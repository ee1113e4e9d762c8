"""Measured coverage of the confidence, by set of images, quality factor and terrain class.

    python benchmarks/confidence.py --data DIR [--splits test/msl_mastcam ...] [--images 6] [--side 256] [--terrain]

DIR holds ``manifest.csv``. Crops are compressed, enhanced and given their intervals as the product does. "covered" is
the share of pixels whose residual-to-raw is at most the half width, to be compared with 90 %. Truths that are JPEGs
themselves serve up to the quality that their set allows; above quality 90 all are halved. "beyond" is the share of
pixels whose change the JPEG speaks against, and how many of these came nearer to the truth all the same. Each crop
counts the same; terrain is that of the segmenter on the compressed crop, where a class has more than 500 pixels.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from marsqe.enhancement.confidence import calibration_of, file_facts, mean_difference, predictors
from marsqe.image import MarsImage
from marsqe.networks.registry import load
from marsqe.progress import run
from marsqe.segmentation import segment_steps
from marsqe.terrain import CLASSES
from marsqe.train.calibrate import QUALITIES, Example, Source, examples
from marsqe.train.corpus import listed_files
from marsqe.weights import read_card

MOST = {"test/mars32k": 60, "test/ai4mars": 80}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="marsqe-swift")
    parser.add_argument("--splits", nargs="+", default=["val/msl_mastcam", "val/m2020_hazcam"])
    parser.add_argument("--qualities", nargs="+", type=int, default=QUALITIES)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--terrain", action="store_true", help="also by terrain class")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    calibration = calibration_of(arguments.model, read_card(arguments.model)["weights_sha256"])
    if calibration is None:
        sys.exit(f"{arguments.model} has no calibration for its weights: marsqe train calibrate makes one")
    network, table = load(arguments.model), defaultdict(list)
    for split in arguments.splits:
        source = Source(split, listed_files(arguments.data, split), most=MOST.get(split, 100))
        for e in examples(network, source, arguments.images, arguments.side, arguments.qualities):
            row = measured(e, calibration)
            table[split, "all"].append(row)
            table[split, f"QF {e.quality}"].append(row)
            if arguments.terrain:
                labels = run(segment_steps(MarsImage.from_array(e.jpeg), "cpu")).labels
                for index, name in enumerate(CLASSES, 1):
                    if (labels == index).sum() > 500:
                        row = measured(e, calibration, labels == index)
                        table[split, name].append(row)
                        table["all sets", name].append(row)
    columns = (
        "set",
        "part",
        "crops",
        "covered",
        "lowest",
        "half width, DN",
        "residual, DN",
        "beyond",
        "of these nearer",
    )
    sys.stdout.write(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n")
    for (split, part), rows in sorted(table.items()):
        mean = {key: _mean([row[key] for row in rows]) for key in rows[0]}
        nearer = "–" if np.isnan(mean["nearer"]) else f"{mean['nearer']:.0%}"
        lowest = min(row["covered"] for row in rows)
        sys.stdout.write(
            f"| {split} | {part} | {len(rows)} | {mean['covered']:.1%} | {lowest:.0%} | "
            f"{mean['width']:.1f} | {mean['error']:.1f} | "
            f"{mean['beyond']:.2%} | {nearer} |\n"
        )


def _mean(values: list[float]) -> float:
    """Mean of those that are known; NaN where none is."""
    known = [value for value in values if np.isfinite(value)]
    return sum(known) / len(known) if known else float("nan")


def measured(e: Example, calibration: Any, where: Any = ...) -> dict[str, float]:
    facts = file_facts(e.jpeg, e.tables)
    width = calibration.enhanced.half_widths(predictors(e.enhanced, e.jpeg, facts))
    allowed = calibration.received.half_widths(predictors(e.jpeg, None, facts))
    error, before = mean_difference(e.enhanced, e.truth), mean_difference(e.jpeg, e.truth)
    beyond = (mean_difference(e.enhanced, e.jpeg) > allowed)[where]
    nearer = (error < before)[where][beyond]
    return {
        "covered": float((error <= width)[where].mean()),
        "width": float(width[where].mean()),
        "error": float(error[where].mean()),
        "beyond": float(beyond.mean()),
        "nearer": float(nearer.mean()) if nearer.size else float("nan"),
    }


if __name__ == "__main__":
    main()
