"""Checkpoints without pickle: one safetensors file for every tensor, one JSON document for the rest."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer


@dataclass
class Progress:
    """Where a run stands: steps taken and seconds of training spent."""

    step: int = 0
    elapsed: float = 0.0


class Average:
    """Exponential moving average of a network's parameters; short at first, so that it never holds the start."""

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.values = {name: p.detach().clone() for name, p in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the network's parameters after ``step`` steps."""
        keep = min(self.decay, (1 + step) / (10 + step))
        for name, p in network.state_dict().items():
            if p.is_floating_point():
                self.values[name].lerp_(p, 1 - keep)
            else:
                self.values[name].copy_(p)


def save_checkpoint(folder: Path, network: nn.Module, average: Average, optimizer: Optimizer, now: Progress) -> None:
    """Write the state of a run; the previous one stays until the new one is whole."""
    tensors: dict[str, Tensor] = {f"network.{k}": v.contiguous() for k, v in network.state_dict().items()}
    tensors |= {f"average.{k}": v.contiguous() for k, v in average.values.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v.contiguous() for k, v in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "checkpoint.safetensors.part"
    save_file(tensors, temporary, metadata={"progress": json.dumps(asdict(now))})
    os.replace(temporary, folder / "checkpoint.safetensors")


def load_checkpoint(folder: Path, network: nn.Module, average: Average, optimizer: Optimizer) -> Progress:
    """Restore what :func:`save_checkpoint` wrote."""
    from safetensors import safe_open

    path = folder / "checkpoint.safetensors"
    with safe_open(path, framework="pt") as stream:
        now = Progress(**json.loads(stream.metadata()["progress"]))
    tensors = load_file(path)
    network.load_state_dict({k.removeprefix("network."): v for k, v in tensors.items() if k.startswith("network.")})
    average.values = {k.removeprefix("average."): v for k, v in tensors.items() if k.startswith("average.")}
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return now
