"""Time, peak memory and throughput of every step and every model, beside what the machine can do at best.

    python benchmarks/speed.py [--models NAME ...] [--sizes HxW ...] [--device cpu] [--threads N] [--repeats N]

The image is a bundled sample, mirrored to the size and compressed at quality 30. Each step runs once to warm up and
then ``--repeats`` times; the fastest counts. *Processor* seconds are what the step costs on a machine that does nothing
else: on one thread they are its time there, whatever else runs meanwhile; *elapsed* seconds are what passed here. A
preset without bundled weights is timed with untrained ones of its design: the time does not depend on the numbers.
Ratios are to DnCNN (20 layers, of ``marsqe.networks.rivals``) in the same run, measured on a crop of 256 x 256 and
scaled to the image: its cost is the same for every pixel.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

import marsqe
import marsqe.weights
from marsqe.devices import half_precision
from marsqe.enhancement.networks import Job, loaded, run_windows
from marsqe.networks.conditioning import condition_vector
from marsqe.networks.registry import PRESETS, build_design
from marsqe.networks.rivals.dncnn import DnCNN
from marsqe.progress import run
from marsqe.samples import SAMPLES, sample_path

_GIB = 1024**3
_CROP = 256


@dataclass(frozen=True)
class Cost:
    """Elapsed and processor seconds of the fastest run, and the memory in bytes that the first one took."""

    elapsed: float
    processor: float
    memory: int


def _status(field: str) -> int:
    with suppress(OSError, IndexError):
        return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) * 1024
    return 0


def cost(work: Callable[[], object], repeats: int) -> Cost:
    """Run, measure, and keep the fastest; what the first run adds to the memory in use at its peak counts."""
    gc.collect()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    work()
    memory, times = _status("VmHWM") - before, []
    for _ in range(repeats):
        elapsed, processor = time.perf_counter(), time.process_time()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append((time.perf_counter() - elapsed, time.process_time() - processor))
    return Cost(min(t[0] for t in times), min(t[1] for t in times), memory)


@contextmanager
def untrained_where_missing() -> Iterator[None]:
    """All presets as if bundled: untrained weights of the design stand in for those that do not come with us."""
    home = Path(str(marsqe.weights._folder()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in home.iterdir():
            shutil.copy(file, folder)
        for preset in PRESETS.values():
            if not (folder / f"{preset.name}.json").exists():
                content = save({k: v.contiguous() for k, v in build_design(preset.name).state_dict().items()})
                digest = hashlib.sha256(content).hexdigest()
                card = {"name": preset.name, "kind": preset.kind, "config": preset.config, "weights_sha256": digest}
                (folder / f"{preset.name}.safetensors").write_bytes(content)
                (folder / f"{preset.name}.json").write_text(json.dumps(card))
        marsqe.weights._folder = lambda: folder  # type: ignore[assignment]
        yield


def ceiling(device: torch.device) -> tuple[float, float]:
    """What the machine does at best, per processor second: products of matrices in TFLOP/s, copying in GB/s."""
    side = 1024 if device.type == "cpu" else 8192
    a = torch.randn(side, side, device=device)
    product = cost(lambda: a @ a, 20)
    big = torch.empty(64 * 2**20 if device.type == "cpu" else 2**30, dtype=torch.uint8, device=device)
    copying = cost(big.clone, 10)
    pick = (lambda c: c.processor) if device.type == "cpu" else (lambda c: c.elapsed)
    return 2 * side**3 / pick(product) / 1e12, 2 * big.numel() / pick(copying) / 1e9


def image_of(height: int, width: int) -> tuple[marsqe.MarsImage, bytes]:
    """A sample mirrored to a size, as a JPEG of quality 30, and that file's bytes."""
    truth = marsqe.open_image(sample_path(SAMPLES[0].name, "truth")).pixels
    padding = [(0, max(0, height - truth.shape[0])), (0, max(0, width - truth.shape[1])), (0, 0)]
    while truth.shape[0] < height or truth.shape[1] < width:
        part = [(0, min(p[1], n - 1)) for p, n in zip(padding, truth.shape, strict=True)]
        truth = np.pad(truth, [*part[:2], (0, 0)], mode="reflect")
        padding = [(0, max(0, height - truth.shape[0])), (0, max(0, width - truth.shape[1])), (0, 0)]
    image = marsqe.simulate_downlink(np.ascontiguousarray(truth[:height, :width]), 30)
    return image, image.metadata["encoded"]


def scaled_up(part: Cost, image: marsqe.MarsImage, crop: Job) -> Cost:
    """The cost of an image from that of a crop."""
    share = crop.pixels.shape[0] * crop.pixels.shape[1] / (image.shape[0] * image.shape[1])
    return Cost(part.elapsed / share, part.processor / share, part.memory)


def table(image: marsqe.MarsImage, encoded: bytes, models: list[str], device: str, repeats: int) -> dict[str, Cost]:
    """The cost of every step, and of every model without and with what follows it."""
    from marsqe.enhancement.faithful import coefficients_of
    from marsqe.read import decode_image

    place = torch.device(device)
    terrain = marsqe.segment(image, device)
    matches = marsqe.match(image, terrain)
    scaled = image.pixels.astype(np.float32) / 255
    condition = condition_vector(image.compression.tables, (2, 2), colour=True)
    plain = DnCNN().to(place, memory_format=torch.channels_last).eval()
    crop = Job(np.ascontiguousarray(scaled[:_CROP, :_CROP]), condition, None, place)
    understood: dict[str, Any] = {"terrain": terrain, "matches": matches}
    rows = {
        "open": cost(lambda: decode_image(encoded), repeats),
        "segment": cost(lambda: marsqe.segment(image, device), repeats),
        "match": cost(lambda: marsqe.match(image, terrain), repeats),
        "coefficients of the JPEG": cost(lambda: coefficients_of(image), repeats),
        "DnCNN": scaled_up(cost(lambda: run(run_windows(lambda x, _: plain(x), crop)), repeats), image, crop),
    }
    for name in models:
        loaded.cache_clear()
        rows[name] = cost(lambda n=name: marsqe.enhance(image, n, device, faithful=False, **understood), repeats)
        rows[f"{name}, faithful"] = cost(lambda n=name: marsqe.enhance(image, n, device, **understood), repeats)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["marsqe-swift"], choices=list(PRESETS), metavar="NAME")
    parser.add_argument("--sizes", nargs="+", default=["1152x1600"], metavar="HxW")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda", "mps"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    place = torch.device(chosen.device)
    rate, bandwidth = ceiling(place)
    half = half_precision(place)
    sys.stdout.write(
        f"{chosen.device}, {chosen.threads} threads, precision {half or torch.float32}; at best {rate:.3f} TFLOP/s in "
        f"float32 products of matrices, {bandwidth:.1f} GB/s copied\n"
    )
    with untrained_where_missing():
        for size in chosen.sizes:
            height, width = map(int, size.split("x"))
            image, encoded = image_of(height, width)
            rows = table(image, encoded, chosen.models, chosen.device, chosen.repeats)
            base = rows["DnCNN"].processor
            sys.stdout.write(f"\n{height} x {width}: processor s, elapsed s, megapixels per processor s, GiB, DnCNNs\n")
            for name, c in rows.items():
                speed = height * width / 1e6 / max(c.processor, 1e-9)
                ratio = f"{c.processor / base:.2f}" if name.startswith(("marsqe", "DnCNN")) else ""
                line = f"{c.processor:9.3f} {c.elapsed:9.3f} {speed:8.2f} {c.memory / _GIB:6.2f} {ratio:>6}"
                sys.stdout.write(f"{name:<28}{line}\n")
            sys.stdout.flush()
    sys.stdout.write(f"\nthe process with Python and torch at its peak: {_peak_gib():.2f} GiB\n")


def _peak_gib() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / _GIB


if __name__ == "__main__":
    main()
