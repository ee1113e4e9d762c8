"""``kill -9`` at random moments of a batch and of an export: nothing is half-written or lost, and resuming completes.

    python benchmarks/kill.py [--kills 200] [--seed 0] [--images 12]

Kills are divided between the two. Networks are tiny ones with random weights, so that most of the time goes where
files are written. A batch is killed and run again until it is complete, then begun in a new folder. After each kill
every file under a final name must hold what an undisturbed run writes, every line of the ledger must have its file,
and nothing that the ledger knows may be done again. An export overwrites one file over and over with two images in
turn: it must always be one of the two. How many kills met a file that was being written is told. Needs ``fork``.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save

import marsqe.weights
from marsqe.codecs.jpeg import encode_jpeg
from marsqe.enhancement import pipeline
from marsqe.export import save_pixels
from marsqe.image import MarsImage
from marsqe.networks.build import build_network
from marsqe.progress import Progress, Steps, run
from marsqe.scale import Settings, batch_steps
from marsqe.scale.ledger import FOLDER
from marsqe.scale.sources import collect
from marsqe.terrain import Terrain

MODEL = "marsqe-swift"
CONFIG = {"widths": [4, 4, 4], "encoder": [1, 1], "middle": 1, "decoder": [1, 1], "unshuffle": 2}
SETTINGS = Settings(MODEL, "cpu")


def use_tiny_network(folder: Path) -> None:
    """Replace the bundled weights by tiny random ones, and the terrain network by a rule."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(1)
    content = save({k: v.contiguous() for k, v in build_network("swift", CONFIG).state_dict().items()})
    card = {
        "name": MODEL,
        "kind": "enhancement",
        "config": CONFIG,
        "weights_sha256": hashlib.sha256(content).hexdigest(),
    }
    (folder / f"{MODEL}.safetensors").write_bytes(content)
    (folder / f"{MODEL}.json").write_text(json.dumps(card))
    marsqe.weights._folder = lambda: folder
    pipeline.segment_steps = soil


def soil(image: MarsImage, device: str = "auto") -> Steps[Terrain]:
    """Terrain of one class."""
    yield Progress("Recognising terrain", 0, 1)
    return Terrain(np.full(image.shape, 3, np.uint8))


def make_images(folder: Path, count: int) -> None:
    folder.mkdir()
    noise = np.random.default_rng(0)
    for index in range(count):
        pixels = noise.integers(90, 170, (40, 60, 3)).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)
        (folder / f"{index:03}.jpg").write_bytes(encode_jpeg(pixels, quality=30))


def killed(work: Callable[[], None], after: float) -> bool:
    """Run work in a process and kill it after so many seconds; whether it had not ended before."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
    end = time.monotonic() + after
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert status == 0, "the work itself failed"
            return False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def results(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.tif")}


def lines(out: Path) -> list[str]:
    """Names in the ledger, as often as they are there."""
    found = []
    with suppress(FileNotFoundError):
        for line in (out / FOLDER / "ledger.jsonl").read_bytes().splitlines():
            with suppress(ValueError):
                found.append(json.loads(line)["output"])
    return found


class Batches:
    """Batches that are killed and resumed."""

    def __init__(self, folder: Path, images: int) -> None:
        self.folder = folder
        make_images(folder / "in", images)
        self.number, self.completed, self.torn, self.writing = itertools.count(), 0, 0, 0
        run(self.steps(folder / "warm-up"))
        started = time.perf_counter()
        run(self.steps(folder / "undisturbed"))
        self.seconds = time.perf_counter() - started
        self.truth = results(folder / "undisturbed")
        assert len(self.truth) == images
        self.out = self.next_folder()

    def next_folder(self) -> Path:
        """Where the next batch goes."""
        return self.folder / f"out{next(self.number)}"

    def steps(self, out: Path) -> Steps[object]:
        """The batch, to be run."""
        return batch_steps(collect([self.folder / "in"], out), out, SETTINGS)

    def round(self, after: float) -> bool:
        """One run, killed or not; checks what it leaves."""
        hit = killed(lambda: run(self.steps(self.out)) and None, after)
        found, ledger = results(self.out), lines(self.out)
        wrong = [name for name, content in found.items() if content != self.truth[name]]
        assert not wrong, f"half-written under a final name: {wrong}"
        lost = set(ledger) - set(found)
        assert not lost, f"finished but lost: {lost}"
        assert len(ledger) == len(set(ledger)), f"done twice: {ledger}"
        if hit:
            content = self.out / FOLDER / "ledger.jsonl"
            self.torn += content.is_file() and not content.read_bytes().endswith(b"\n") and content.stat().st_size > 0
            self.writing += any((self.out / FOLDER / "parts").glob("*"))
        else:
            assert set(found) == set(ledger) == set(self.truth), "a resumption that does not complete"
            self.completed += 1
            self.out = self.next_folder()
        return hit


class Exports:
    """One file, written over and over."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "export.tif"
        self.writing = 0
        noise = np.random.default_rng(1)
        self.images = [noise.integers(0, 256, (300, 400, 3)).astype(np.uint8) for _ in range(2)]
        self.whole = []
        for image in self.images:
            save_pixels(image, self.path)
            self.whole.append(self.path.read_bytes())

    def write(self) -> None:
        """Write without end."""
        for image in itertools.cycle(self.images):
            save_pixels(image, self.path)

    def round(self, after: float) -> bool:
        """One run that is killed; checks what it leaves."""
        hit = killed(self.write, after)
        left = list(self.path.parent.glob(".marsqe-*"))
        self.writing += bool(left)
        assert self.path.read_bytes() in self.whole, "half-written under a final name"
        save_pixels(self.images[0], self.path)
        assert not list(self.path.parent.glob(".marsqe-*")), "a temporary file that the next write does not remove"
        return hit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=12)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="marsqe-kill-") as name:
        use_tiny_network(Path(name) / "weights")
        batches, exports = Batches(Path(name), arguments.images), Exports(Path(name))
        kills = {"batch": 0, "export": 0}
        while sum(kills.values()) < arguments.kills:
            if kills["batch"] <= kills["export"]:
                kills["batch"] += batches.round(chance.uniform(0, batches.seconds))
            else:
                kills["export"] += exports.round(chance.uniform(0, 0.3))
        while batches.round(600):  # the last one, to its end
            pass
    sys.stdout.write(
        f"{kills['batch']} kills of a batch of {arguments.images} images, {kills['export']} of an export: no file "
        f"half-written, no finished result lost or done twice; {batches.completed} batches completed, "
        f"{batches.torn} torn lines in the ledger; a file was being written at {batches.writing} kills of the batch "
        f"and {exports.writing} of the export\n"
    )


if __name__ == "__main__":
    main()
