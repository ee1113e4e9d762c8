"""The same input, model, device and settings give the same bytes: again, and with other numbers of threads."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import equal_within, jpeg_bytes, truth_crop

import marsqe

SCRIPT = """
import hashlib, sys
from pathlib import Path
import torch, marsqe
from marsqe.cli import main
torch.set_num_threads(int(sys.argv[2]))
folder = Path(sys.argv[1])
assert main(["enhance", str(folder / "a.jpg"), "-o", str(folder / "a.tif"), "--device", "cpu"]) == 0
assert main(["segment", str(folder / "a.jpg"), "-o", str(folder / "a.png"), "--device", "cpu"]) == 0
from marsqe.export.images import read_provenance
record = read_provenance(folder / "a.tif")
assert record.pop("machine")["threads"] == int(sys.argv[2])  # the one thing that a file tells of the threads
for name in ("a.tif", "a.png"):
    print("HASH", name, hashlib.sha256(marsqe.open_image(folder / name).pixels.tobytes()).hexdigest())
print("HASH record", sorted(record.items()))
"""


def hashes(folder: Path, threads: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), str(threads)],
        env=os.environ | {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("HASH")]


def test_files_are_the_same_in_another_process_and_with_more_threads(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg_bytes(truth_crop(200, 260), 30))
    first = hashes(tmp_path, 1)
    assert len(first) == 3
    assert hashes(tmp_path, 2) == first


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("model", ["marsqe-swift", "marsqe-lite", "marsqe"])
@pytest.mark.parametrize("batch", [8, 1])
def test_the_same_again(model: str, batch: int) -> None:
    image = marsqe.simulate_downlink(truth_crop(150, 170), 40)
    terrain = marsqe.Terrain(np.full(image.shape, 2, np.uint8))
    runs = [marsqe.enhance(image, model, "cpu", terrain=terrain, batch=batch) for _ in range(2)]
    assert len({hashlib.sha256(run.pixels.tobytes()).hexdigest() for run in runs}) == 1
    assert runs[0].provenance == runs[1].provenance


@pytest.mark.usefixtures("tiny")
def test_tiles_and_references_in_smaller_batches_change_nothing_that_is_seen() -> None:
    """Where memory is short both are computed a few at a time.

    Sums are then taken in another order, and where two places of a reference fit alike, another one may be taken.
    """
    image = marsqe.simulate_downlink(truth_crop(260, 270), 40)
    labels = (np.indices(image.shape).sum(axis=0) // 70 % 4 + 1).astype(np.uint8)
    whole, parts = (
        marsqe.enhance(image, "marsqe-lite", "cpu", terrain=marsqe.Terrain(labels), batch=batch, faithful=False)
        for batch in (32, 1)
    )
    assert (np.abs(whole.pixels.astype(int) - parts.pixels) > 1).mean() < 1e-3


@pytest.mark.usefixtures("tiny")
def test_parts_are_made_only_for_who_looks() -> None:
    """They cost time, and change nothing in the result."""
    image = marsqe.simulate_downlink(truth_crop(150, 170), 40)
    terrain = marsqe.Terrain(np.full(image.shape, 2, np.uint8))

    def seen(parts: bool) -> tuple[int, marsqe.Enhancement]:
        steps = marsqe.enhance_steps(image, "marsqe-swift", "cpu", terrain=terrain, parts=parts)
        count = 0
        while True:
            try:
                count += len(next(steps).parts)
            except StopIteration as stop:
                return count, stop.value

    (some, shown), (none, hidden) = seen(True), seen(False)
    assert some > 0
    assert none == 0
    np.testing.assert_array_equal(shown.pixels, hidden.pixels)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_gpu_agrees_with_cpu_within_one_dn() -> None:
    image = marsqe.simulate_downlink(truth_crop(300, 400), 30)
    terrain = marsqe.segment(image, "cpu")
    found = [marsqe.enhance(image, "marsqe-swift", d, terrain=terrain, precision="float32") for d in ("cpu", "cuda")]
    assert equal_within(found[0].pixels, found[1].pixels)
    labels = marsqe.segment(image, "cuda").labels
    assert (labels == terrain.labels).mean() > 0.999
