"""One process or many: how a run is spread, and what its processes must agree on."""

from __future__ import annotations

import gc
import os

import torch
from lightning_fabric import Fabric

from marsqe.errors import SettingError


def start_fabric(precision: str, devices: int) -> Fabric:
    """Fabric with its processes running: those that ``torchrun`` has started, else ``devices`` of this machine.

    Raises
    ------
    SettingError
        If there are fewer devices.
    """
    local, world = (int(os.environ.get(name, "0")) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    launched = torch.distributed.is_torchelastic_launched()
    per_node, nodes = (local, world // local) if launched and local else (devices, 1)
    if torch.cuda.is_available() and per_node > torch.cuda.device_count():
        raise SettingError(
            f"{per_node} devices are asked for, but there are {torch.cuda.device_count()}; ask for fewer"
        )
    # Networks have parts without influence on the loss (marsqe-lite's features for the post-enhancement).
    strategy = "ddp_find_unused_parameters_true" if per_node * nodes > 1 else "auto"
    fabric = Fabric(
        accelerator="auto",
        devices=per_node,
        num_nodes=nodes,
        strategy=strategy,
        precision=precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def agreed(fabric: Fabric, value: float) -> float:
    """The mean over all processes, the same number in each: what they decide upon must not differ."""
    if fabric.world_size == 1:
        return value
    number = torch.tensor(value, dtype=torch.float64, device=fabric.device)
    mean = fabric.all_reduce(number, reduce_op="mean")
    assert isinstance(mean, torch.Tensor)
    return mean.item()


def leave() -> None:
    """End the group of processes, if there is one: its threads could abort a process that exits before the others.

    Nothing may refer to the wrapped network any more. The group waits for its threads when its last reference goes;
    if that were the wrapped network's, it would wait with the interpreter's lock, which a thread that is just ending
    may need: both would wait for ever.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        gc.collect()
        torch.distributed.destroy_process_group()
