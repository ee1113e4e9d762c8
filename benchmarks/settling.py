"""How much of a JPEG comes back when an enhanced image is compressed again: rounded only, settled, the JPEG itself.

python benchmarks/settling.py --data DIR [--splits val/...] [--qualities 20 50 75 85 95] [--images 3] [--side 320]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.jpeg import encode_jpeg, standard_tables
from marsqe.enhancement.faithful import cell_of_quality, project
from marsqe.enhancement.settling import settle
from marsqe.judgement import psnr
from marsqe.networks.conditioning import condition_vector
from marsqe.networks.registry import load
from marsqe.read import decode_image
from marsqe.train.calibrate import RATIOS, Source, examples
from marsqe.train.corpus import listed_files
from marsqe.train.evaluate import run_network


def blocks(data: bytes, pixels: NDArray[np.uint8], quality: int, name: str) -> float:
    again = coefficients_from_bytes(encode_jpeg(pixels, quality=quality, subsampling=name))
    pairs = zip(coefficients_from_bytes(data).components, again.components, strict=True)
    return float(np.concatenate([(a == b).all(axis=(2, 3)).ravel() for a, b in pairs]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="marsqe-swift")
    parser.add_argument("--splits", nargs="+", default=["val/msl_mastcam", "val/m2020_hazcam"])
    parser.add_argument("--qualities", nargs="+", type=int, default=[20, 50, 75, 85, 95])
    parser.add_argument("--images", type=int, default=3)
    parser.add_argument("--side", type=int, default=320)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    network = load(arguments.model)
    sys.stdout.write("| chroma | QF | JPEG itself | rounded | settled | PSNR by settling, dB | s per megapixel |\n")
    sys.stdout.write(f"{'|---' * 7}|\n")
    for name, ratios in RATIOS.items():
        for quality in arguments.qualities:
            rows = []
            for split in arguments.splits:
                source = Source(split, listed_files(arguments.data, split))
                for e in examples(network, source, arguments.images, arguments.side, [quality]):
                    data = encode_jpeg(e.truth, quality=quality, subsampling=name)
                    jpeg = np.asarray(decode_image(data).pixels, np.uint8)
                    condition = condition_vector(standard_tables(quality), ratios, colour=jpeg.ndim == 3)
                    held = coefficients_from_bytes(data)
                    values = project(run_network(network, jpeg, condition), held, ratios, cell_of_quality(quality))
                    rounded = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
                    started = time.process_time()
                    settled = settle(values, jpeg, held, ratios)
                    seconds = 1e6 * (time.process_time() - started) / (jpeg.shape[0] * jpeg.shape[1])
                    shares = [blocks(data, p, quality, name) for p in (jpeg, rounded, settled)]
                    rows.append([*shares, psnr(settled, e.truth) - psnr(rounded, e.truth), seconds])
            own, before, after, gain, seconds = np.mean(rows, axis=0)
            cells = f"{own:.2%} | {before:.2%} | {after:.3%} | {gain:+.4f} | {seconds:.2f}"
            sys.stdout.write(f"| {name} | {quality} | {cells} |\n")


if __name__ == "__main__":
    main()
