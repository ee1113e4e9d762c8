"""Tables, grid and subsampling estimated from decoded pixels: how often exact.

    python benchmarks/estimation.py --data DIR [--splits val/...] [--count 128] [--side 320] [--seed 0]

For each of gray, 4:4:4 and 4:2:0, ``count`` crops are compressed at qualities from 20 to 95 and decoded; pixels are cut
off at the top and left so that the grid begins at each of the 64 offsets in turn. Every second image is halved before:
those pixels were never a JPEG on this grid, the others may have been. Every crop counts, flat ones as well.

"exact" means the same tables, the same corner of whole coded units (of 16 pixels where chroma is halved) and the same
subsampling. What is not falls into three: "alike" (grid and subsampling are right, and the tables differ only at
frequencies that are zero in all blocks of the JPEG, of which pixels tell nothing), "none" (no estimate is given), and
"wrong". Halved images that were not compressed are tried as well: there "exact" is that no estimate is given.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.estimation import Estimate, estimate_tables
from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, standard_tables
from marsqe.train.corpus import listed_files, load_pixels

KINDS = ("gray", "4:4:4", "4:2:0")
NEVER = "never a JPEG"
BANDS = ((20, 39), (40, 59), (60, 79), (80, 95))
FATES = ("exact", "alike", "none", "wrong")


@dataclass(frozen=True)
class Trial:
    """A crop that was a JPEG, and what is to be found: quality, corner and subsampling."""

    kind: str
    quality: int
    pixels: NDArray[np.uint8]
    jpeg: bytes
    corner: tuple[int, int]
    subsampling: tuple[int, int] | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    splits = ["val/msl_mastcam", "val/m2020_hazcam", "train/mixed_colour", "train/msl_gray"]
    parser.add_argument("--splits", nargs="+", default=splits)
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    by_split = [listed_files(arguments.data, split) for split in arguments.splits]
    table, spent = defaultdict(Counter), 0.0
    for trial in trials(by_split, arguments.count, arguments.side, np.random.default_rng(arguments.seed)):
        started = time.process_time()
        found = estimate_tables(trial.pixels)
        spent += time.process_time() - started
        fate = fate_of(trial, found)
        for key in ((trial.kind, "all"), (trial.kind, band_of(trial)), ("all", "all")):
            table[key][fate] += 1
        if fate != "exact":
            got = found and (found.quality, *map(int, found.offset), found.subsampling, round(found.support, 1))
            wanted = (trial.quality, *trial.corner, trial.subsampling)
            sys.stderr.write(f"{trial.kind} {fate}: wanted {wanted}, found {got}\n")
    sys.stdout.write("| kind | quality | crops | exact | alike | none | wrong |\n|---|---|---|---|---|---|---|\n")
    for (kind, band), fates in sorted(table.items()):
        counts = " | ".join(str(fates[fate]) for fate in FATES[1:])
        share = fates["exact"] / fates.total()
        sys.stdout.write(f"| {kind} | {band} | {fates.total()} | {share:.1%} | {counts} |\n")
    sys.stdout.write(f"{spent / table['all', 'all'].total():.2f} processor seconds each\n")


def trials(by_split: list[list[Path]], count: int, side: int, random: np.random.Generator) -> Iterator[Trial]:
    """Crops of each kind; splits in turn, gray ones of colour images too."""
    for kind in (*KINDS, NEVER):
        done = number = 0
        while done < count:
            files = by_split[number % len(by_split)]
            pixels = load_pixels(files[number // len(by_split) % len(files)])
            number += 1
            if pixels.ndim == 3 and kind == "gray":
                pixels = np.ascontiguousarray(pixels[..., 1])
            large = min(pixels.shape[:2]) >= 2 * side
            if (pixels.ndim == 2 and kind in KINDS[1:]) or (kind == NEVER and not large):
                continue
            halved = large and (number % 8 >= 4 or kind == NEVER)
            pixels = np.asarray(Image.fromarray(pixels).reduce(2)) if halved else pixels
            yield _trial(pixels, kind, divmod(done % 64, 8), side, random)
            done += 1


def _trial(pixels: NDArray[np.uint8], kind: str, cut: tuple[int, int], side: int, random: np.random.Generator) -> Trial:
    y, x = (8 * int(random.integers(max(1, (n - side) // 8))) for n in pixels.shape[:2])
    crop = np.ascontiguousarray(pixels[y : y + side, x : x + side])
    if kind == NEVER:
        return Trial(kind, 0, np.ascontiguousarray(crop[cut[0] :, cut[1] :]), b"", (0, 0), None)
    quality, unit = int(random.integers(20, 96)), 16 if kind == "4:2:0" else 8
    jpeg = encode_jpeg(crop, quality=quality, subsampling="4:2:0" if kind == "4:2:0" else "4:4:4")
    down, across = (int(n + (8 * random.integers(2) if unit == 16 else 0)) for n in cut)
    decoded = np.ascontiguousarray(decode_jpeg(jpeg)[down:, across:])
    subsampling = {"gray": None, "4:4:4": (1, 1), "4:2:0": (2, 2)}[kind]
    return Trial(kind, quality, decoded, jpeg, (-down % unit, -across % unit), subsampling)


def band_of(trial: Trial) -> str:
    """The band of qualities that a trial counts in."""
    low, high = next(band for band in BANDS if trial.quality <= band[1])
    return "–" if trial.kind == NEVER else f"{low}-{high}"


def fate_of(trial: Trial, found: Estimate | None) -> str:
    """One of ``FATES``."""
    if trial.kind == NEVER:
        return "exact" if found is None else "wrong"
    if found is None:
        return "none"
    if (found.offset, found.subsampling) != (trial.corner, trial.subsampling):
        return "wrong"
    held = coefficients_from_bytes(trial.jpeg)
    true = standard_tables(trial.quality)
    wanted = (true[0], true[1], true[1])[: len(found.tables)]
    if all(np.array_equal(a, b) for a, b in zip(found.tables, wanted, strict=True)):
        return "exact"
    used = [(part != 0).any(axis=(0, 1)) for part in held.components]
    alike = all((a == b)[u].all() for a, b, u in zip(found.tables, wanted, used, strict=True))
    return "alike" if alike else "wrong"


if __name__ == "__main__":
    main()
