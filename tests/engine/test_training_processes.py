"""Training by several processes: other pairs in each, one set of weights, the result of one process with all pairs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from marsqe.errors import SettingError
from marsqe.train import processes
from marsqe.train.batches import batches
from marsqe.train.processes import start_fabric

SCRIPT = """
import gc, json, os, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from torch import nn
from marsqe.train import loop

class Clock:
    now = 0.0
    def __call__(self):
        self.now += 1
        return self.now

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.unused = nn.Conv2d(3, 3, 1)
        self.seen = []
    def forward(self, compressed, condition):
        if self.training:
            self.seen.append(float(compressed.sum()))
        return compressed + 0.1 * self.conv(compressed)

end, left = torch.distributed.destroy_process_group, []
def watched():
    left.append(sum(isinstance(o, nn.parallel.DistributedDataParallel) for o in gc.get_objects()))
    end()
torch.distributed.destroy_process_group = watched

data, out, batch = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
rank = int(os.environ.get("RANK", "0"))
torch.manual_seed(rank)
network = Tiny()
loop.CLOCKS = {"wall": Clock()}
recipe = loop.Recipe(budget=4, batch=batch, size=24, warm_up=2, workers=0, checkpoint_every=2, validate_every=1e9,
                     rate=1e-2, precision="32-true", validation_qualities=(30,))
reports = [report.step for report in loop.train(network, data, out, recipe)]
save_file({k: v.contiguous() for k, v in network.state_dict().items()}, out / f"rank{rank}.safetensors")
(out / f"rank{rank}.json").write_text(json.dumps({"seen": network.seen, "reports": reports, "left": left}))
"""


def run(folder: Path, data: Path, count: int, batch: int) -> list[dict[str, Any]]:
    """Train in so many processes; what each of them saw and reported."""
    script, out = folder / "script.py", folder / f"out{count}"
    script.write_text(SCRIPT)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)] if count > 1 else []
    root = Path(__file__).parents[2]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root / "src")}
    command = [sys.executable, *launcher, str(script), str(data), str(out), str(batch)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((out / f"rank{rank}.json").read_text()) for rank in range(count)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs libuv there, which the wheels lack")
def test_two_processes_do_what_one_does_with_both_their_pairs(data: Path, tmp_path: Path) -> None:
    first, second = run(tmp_path, data, 2, batch=1)
    (alone,) = run(tmp_path, data, 1, batch=2)
    assert len(first["seen"]) == len(second["seen"]) == 4
    assert not set(first["seen"]) & set(second["seen"]), "each has its own pairs"
    together = [a + b for a, b in zip(first["seen"], second["seen"], strict=True)]
    assert together == pytest.approx(alone["seen"], rel=1e-5)
    assert first["reports"] == alone["reports"] == [2, 4, 4]
    assert second["reports"] == []
    assert first["left"] == second["left"] == [0], "the group goes after the wrapped network, or both may wait for ever"

    out = tmp_path / "out2"
    weights = [load_file(out / f"rank{rank}.safetensors") for rank in range(2)]
    one = load_file(tmp_path / "out1" / "rank0.safetensors")
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name
        torch.testing.assert_close(value, one[name], atol=1e-5, rtol=1e-4)
    assert (out / "curve.csv").read_text().count("\n") == 3
    assert json.loads((out / "validation.json").read_text())["processes"] == 2


def test_processes_share_the_pairs_of_a_step(data: Path) -> None:
    """Two processes with two pairs each hold, step by step, what one with four pairs holds; also after a resumption."""

    def take(first_step: int, batch: int, rank: int, world: int) -> list[Any]:
        loader = batches(data, batch=batch, size=24, seed=4, first_step=first_step, workers=0, rank=rank, world=world)
        return list(islice(loader, 2))

    alone, parts = take(3, 4, 0, 1), [take(3, 2, rank, 2) for rank in range(2)]
    for step, whole in enumerate(alone):
        for place, tensor in enumerate(whole):
            assert torch.equal(tensor, torch.cat([part[step][place] for part in parts]))


def test_more_devices_than_there_are_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(processes.torch.cuda, "device_count", lambda: 1)
    with pytest.raises(SettingError, match="ask for fewer"):
        start_fabric("32-true", 2)
