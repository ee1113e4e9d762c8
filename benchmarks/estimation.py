"""Tables, grid and subsampling estimated from decoded pixels: how often exact.

    python benchmarks/estimation.py --data DIR [--splits val/...] [--count 128] [--side 320]

Each trial compresses a crop at a random quality from 20 to 95, 4:2:0 and 4:4:4 in turn, decodes it and cuts it so that
its grid begins at the next of 64 offsets; every third is made gray. Exact means quality, offset (of the 16 pixels of
a unit where chroma is halved) and subsampling.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from marsqe.codecs.estimation import estimate_tables
from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg
from marsqe.train.corpus import listed_files, load_pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--splits", nargs="+", default=["val/msl_mastcam", "val/m2020_hazcam", "train/msl_gray"])
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--side", type=int, default=320)
    arguments = parser.parse_args()
    files = [file for split in arguments.splits for file in listed_files(arguments.data, split)]
    random, table, started = np.random.default_rng(0), defaultdict(list), time.process_time()
    for number in range(arguments.count):
        pixels = load_pixels(files[number % len(files)])
        y, x = (8 * int(random.integers(max(1, (n - arguments.side) // 8))) for n in pixels.shape[:2])
        crop = np.ascontiguousarray(pixels[y : y + arguments.side, x : x + arguments.side])
        if number % 3 == 2 and crop.ndim == 3:
            crop = np.ascontiguousarray(crop[..., 1])
        quality, name = int(random.integers(20, 96)), ("4:2:0", "4:4:4")[number % 2]
        down, across = np.array(divmod(number % 64, 8)) + 8 * random.integers(2, size=2)
        decoded = decode_jpeg(encode_jpeg(crop, quality=quality, subsampling=name))
        found = estimate_tables(np.ascontiguousarray(decoded[down:, across:]))
        halved = crop.ndim == 3 and name == "4:2:0"
        unit = 16 if halved else 8
        wanted = (quality, (-down % unit, -across % unit), ((2, 2) if halved else (1, 1)) if crop.ndim == 3 else None)
        exact = found is not None and (found.quality, found.offset, found.subsampling) == wanted
        table["gray" if crop.ndim == 2 else name].append(exact)
        if not exact:
            sys.stderr.write(f"wanted {wanted}, found {found and (found.quality, found.offset, found.subsampling)}\n")
    for name, exact in table.items():
        sys.stdout.write(f"{name}: {sum(exact)} of {len(exact)} exact\n")
    sys.stdout.write(f"{(time.process_time() - started) / arguments.count:.2f} processor seconds each\n")


if __name__ == "__main__":
    main()
