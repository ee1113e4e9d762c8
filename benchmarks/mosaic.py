"""Time and peak memory of an image enhanced in windows.

    python benchmarks/mosaic.py [--megapixels 100] [--model marsqe-swift] [--device cpu] [--kind tiff] [--threads 1]

A bundled sample's truth, mirrored to a square of that size, is written as a striped TIFF or a JPEG of quality 75, and
enhanced by ``marsqe enhance --windowed``'s own function in a fresh process. Time is that of the whole, terrain and
writing included; memory is the largest resident set of the process, the interpreter and torch included.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from marsqe.samples import SAMPLES, sample_path

_CHILD = """
import resource, sys, time
from pathlib import Path
import torch
torch.set_num_threads(int(sys.argv[5]))
from marsqe.progress import run
from marsqe.scale.mosaic import enhance_large_steps
started, used = time.perf_counter(), time.process_time()
result = run(enhance_large_steps(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1024**3
print(f"{time.perf_counter() - started:.1f} s ({time.process_time() - used:.1f} s of processor), "
      f"{result.seconds:.1f} s of it the network; peak memory {peak:.2f} GiB")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=100)
    parser.add_argument("--model", default="marsqe-swift")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--kind", choices=("tiff", "jpeg"), default="tiff")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    side = round(math.sqrt(arguments.megapixels * 1e6))
    with Image.open(sample_path(SAMPLES[0].name, "truth")) as image:
        truth = np.asarray(image)
    times = [-(-side // n) for n in truth.shape[:2]]
    both = np.concatenate([truth, truth[::-1]])
    both = np.concatenate([both, both[:, ::-1]], axis=1)
    pixels = np.tile(both, (-(-times[0] // 2), -(-times[1] // 2), 1))[:side, :side]
    with tempfile.TemporaryDirectory(prefix="marsqe-mosaic-") as name:
        source = Path(name) / ("mosaic.tif" if arguments.kind == "tiff" else "mosaic.jpg")
        options = {"compression": "tiff_lzw"} if arguments.kind == "tiff" else {"quality": 75}
        Image.fromarray(pixels).save(source, **options)
        del pixels
        started = time.strftime("%H:%M")
        command = [sys.executable, "-c", _CHILD, source, Path(name) / "out.tif", arguments.model, arguments.device]
        done = subprocess.run([*map(str, command), str(arguments.threads)], capture_output=True, text=True, check=True)
        size = (Path(name) / "out.tif").stat().st_size / 1e6
    sys.stdout.write(f"{side} x {side} {arguments.kind}, {arguments.model} on {arguments.device}, begun {started}\n")
    sys.stdout.write(f"{done.stdout.strip()}; {size:.0f} MB written\n")


if __name__ == "__main__":
    main()
