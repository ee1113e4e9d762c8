"""Time and peak memory of every step on one image of 1152 x 1600.

    python benchmarks/speed.py [--model NAME] [--device cpu] [--threads N] [--size H W]

The image is a bundled sample, mirrored to the size and compressed at quality 30. Each step runs once to warm up and
then three times; the median counts. Peak memory is that of the process, the interpreter and torch included.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

import marsqe
from marsqe.samples import SAMPLES, sample_path

_REPEATS = 3


def timed(work: Callable[[], object]) -> float:
    """Median seconds of three runs after one to warm up."""
    work()
    seconds = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="marsqe-swift")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--size", nargs=2, type=int, default=(1152, 1600), metavar=("H", "W"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    truth = marsqe.open_image(sample_path(SAMPLES[0].name, "truth")).pixels
    height, width = arguments.size
    padding = [(0, max(0, height - truth.shape[0])), (0, max(0, width - truth.shape[1])), (0, 0)]
    pixels = np.pad(truth, padding, mode="symmetric")[:height, :width]
    image = marsqe.simulate_downlink(pixels, 30)
    terrain = marsqe.segment(image, arguments.device)
    matches = marsqe.match(image, terrain)
    steps = {
        "segment": lambda: marsqe.segment(image, arguments.device),
        "match": lambda: marsqe.match(image, terrain),
        "enhance": lambda: marsqe.enhance(
            image, arguments.model, arguments.device, terrain=terrain, matches=matches, faithful=False
        ),
        "enhance, faithful": lambda: marsqe.enhance(
            image, arguments.model, arguments.device, terrain=terrain, matches=matches
        ),
    }
    sys.stdout.write(f"{arguments.model} on {arguments.device}, {arguments.threads} threads, {width} x {height}\n")
    for name, work in steps.items():
        sys.stdout.write(f"{name}: {timed(work):.2f} s\n")
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**3
    sys.stdout.write(f"peak memory: {peak:.2f} GiB\n")


if __name__ == "__main__":
    main()
