"""Where the squared error lies, before and after: chroma, luma that left something in the file, luma that left nothing.

    python benchmarks/remaining.py --data DIR [--model marsqe-swift] [--quality 30] [--images 8] [--side 384]

The luma error of every 8x8 block is taken apart by its DCT. A coefficient that was rounded to zero has left nothing in
the file: what a network can say of it comes from its surroundings alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dctn

from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, standard_tables
from marsqe.colour import LUMA_WEIGHTS
from marsqe.networks.conditioning import condition_vector
from marsqe.networks.registry import load
from marsqe.train.corpus import central_square
from marsqe.train.evaluate import run_network
from marsqe.train.packed import truths

PARTS = ("chroma", "luma, coefficients that arrived", "luma, coefficients rounded to zero")
BLOCK = 8


def parts(error: NDArray[np.float64], arrived: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Shares (3,) of an RGB error (H, W, 3) in its mean square, in the order of ``PARTS``.

    The same change of all three channels is luma; what is left is chroma, the mixed term included.
    """
    luma = error @ LUMA_WEIGHTS
    rows, columns = (n // BLOCK for n in luma.shape)
    blocks = luma.reshape(rows, BLOCK, columns, BLOCK).transpose(0, 2, 1, 3)
    energy = dctn(blocks, axes=(2, 3), norm="ortho") ** 2 / luma.size
    return np.array([(error**2).mean() - energy.sum(), energy[arrived].sum(), energy[~arrived].sum()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="marsqe-swift")
    parser.add_argument("--splits", nargs="+", default=["val/msl_mastcam", "val/m2020_hazcam"])
    parser.add_argument("--quality", type=int, default=30)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--side", type=int, default=384)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = load(options.model)
    condition = condition_vector(standard_tables(options.quality), (2, 2), colour=True)
    sys.stdout.write("| set | part | error of the JPEG | error of the result | gain, dB |\n|---|---|---|---|---|\n")
    for split in options.splits:
        before, after = np.zeros(len(PARTS)), np.zeros(len(PARTS))
        for _, whole in truths(options.data, split, options.images):
            truth = central_square(whole, options.side)
            data = encode_jpeg(truth, quality=options.quality)
            jpeg = decode_jpeg(data)
            arrived = coefficients_from_bytes(data).components[0] != 0
            before += parts(jpeg.astype(np.float64) - truth, arrived)
            after += parts(run_network(network, jpeg, condition) - truth, arrived)
        for name, old, new in zip(PARTS, before, after, strict=True):
            shares = f"{old / before.sum():.1%} | {new / after.sum():.1%}"
            sys.stdout.write(f"| {split} | {name} | {shares} | {10 * np.log10(old / new):+.2f} |\n")
        sys.stdout.write(f"| {split} | all | 100 % | 100 % | {10 * np.log10(before.sum() / after.sum()):+.2f} |\n")


if __name__ == "__main__":
    main()
