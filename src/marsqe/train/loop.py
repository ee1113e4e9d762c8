"""The training loop: a wall-clock budget that the cosine schedule anneals to, averaged weights, exact resumption."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule
from safetensors.torch import save_file
from torch import Tensor, nn

from marsqe.errors import SettingError
from marsqe.train.batches import batches
from marsqe.train.checkpoint import Average, Progress, load_checkpoint, save_checkpoint
from marsqe.train.evaluate import Gain, validation_gains
from marsqe.train.losses import relative_charbonnier

_RUNAWAY = 2.5
_MOST_LOST = 20
VALIDATION_SPLITS = ("val/msl_mastcam", "val/m2020_hazcam")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides the data."""

    budget: float = 900.0
    """Seconds of training (validation not counted)."""
    batch: int = 12
    size: int = 96
    rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-4
    warm_up: int = 200
    """Steps of linear growth of the rate."""
    decay: float = 0.999
    seed: int = 1
    workers: int = 1
    checkpoint_every: float = 120.0
    validate_every: float = 600.0
    validation_qualities: tuple[int, ...] = (30, 85)
    precision: str = "bf16-mixed"
    splits: tuple[str, ...] = field(default=VALIDATION_SPLITS)


@dataclass(frozen=True)
class Report:
    """What the loop tells while it runs."""

    step: int
    elapsed: float
    loss: float
    gains: tuple[Gain, ...] = ()


def learning_rate(recipe: Recipe, now: Progress) -> float:
    """Linear warm-up over steps, then a cosine over the budget's seconds down to zero."""
    done = min(1.0, now.elapsed / recipe.budget)
    warm = min(1.0, (now.step + 1) / recipe.warm_up)
    return recipe.rate * warm * 0.5 * (1 + math.cos(math.pi * done))


def train(
    network: nn.Module, data: Path, out: Path, recipe: Recipe | None = None, *, resume: bool = False
) -> Iterator[Report]:
    """Train a network that maps (compressed, condition) to enhanced pixels; yield reports.

    Where the network has several outputs, ``exits(compressed, condition)``, all of them learn, with equal weight.
    Writes ``checkpoint.safetensors``, ``average.safetensors`` (the averaged weights) and ``curve.csv`` to ``out``.

    Raises
    ------
    SettingError
        If the loss runs away again and again, or the data lacks images.
    """
    recipe = recipe or Recipe()
    fabric = Fabric(accelerator="auto", devices=1, precision=recipe.precision)  # type: ignore[arg-type]
    torch.manual_seed(recipe.seed)
    network.train()
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.rate, betas=recipe.betas, weight_decay=recipe.weight_decay
    )
    model, optimizer = fabric.setup(network, optimizer)
    # After the network has moved to its device: the average and the optimizer's state belong beside it.
    average = Average(network, recipe.decay)
    now = load_checkpoint(out, network, average, optimizer) if resume else Progress()
    average.values = {name: value.to(fabric.device) for name, value in average.values.items()}
    loader = fabric.setup_dataloaders(
        batches(
            data,
            batch=recipe.batch,
            size=recipe.size,
            seed=recipe.seed,
            first_step=now.step,
            workers=recipe.workers,
        )
    )
    out.mkdir(parents=True, exist_ok=True)
    if not resume:
        (out / "curve.csv").unlink(missing_ok=True)
    saved = validated = now.elapsed
    recent: list[float] = []
    lost = 0
    started = time.monotonic() - now.elapsed
    for compressed, raw, condition in loader:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, now)
        x, y = (t.float().div(255).contiguous(memory_format=torch.channels_last) for t in (compressed, raw))
        loss = torch.stack([relative_charbonnier(output, x, y) for output in _outputs(model, x, condition)]).mean()
        value = loss.item()
        lost = lost + 1 if _has_run_away(value, recent) else 0
        if lost:
            _go_back(network, average, optimizer, lost)
            now.step += 1
            continue
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        now.step += 1
        average.update(network, now.step)
        recent.append(value)
        now.elapsed = time.monotonic() - started
        finished = now.elapsed >= recipe.budget
        if finished or now.elapsed - saved >= recipe.checkpoint_every:
            saved = now.elapsed
            save_checkpoint(out, network, average, optimizer, now)
            save_file({k: v.contiguous() for k, v in average.values.items()}, out / "average.safetensors")
            yield _report(out, now, recent)
            recent = []
        if finished or now.elapsed - validated >= recipe.validate_every:
            validated = now.elapsed
            pause = time.monotonic()
            yield Report(now.step, now.elapsed, float("nan"), _look(network, average, data, recipe, whole=finished))
            started += time.monotonic() - pause
        if finished:
            return


def _outputs(model: _FabricModule, compressed: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
    if not hasattr(model.module, "exits"):
        return (model(compressed, condition),)
    # Else Fabric would run the method outside its precision.
    model.mark_forward_method("exits")
    outputs: tuple[Tensor, ...] = model.exits(compressed, condition)
    return outputs


def _has_run_away(value: float, recent: list[float]) -> bool:
    return not math.isfinite(value) or (bool(recent) and value >= _RUNAWAY * sum(recent) / len(recent))


def _go_back(network: nn.Module, average: Average, optimizer: torch.optim.Optimizer, lost: int) -> None:
    """Take the averaged weights with fresh moments, rather than lose the run."""
    if lost == _MOST_LOST:
        raise SettingError(f"the loss ran away {lost} times in a row; train again with a lower learning rate")
    network.load_state_dict(average.values)
    optimizer.state.clear()


def _report(out: Path, now: Progress, losses: list[float]) -> Report:
    report = Report(now.step, now.elapsed, sum(losses) / max(1, len(losses)))
    path = out / "curve.csv"
    new = not path.exists()
    with path.open("a", newline="") as stream:
        rows = csv.writer(stream)
        if new:
            rows.writerow(["step", "elapsed_s", "loss"])
        rows.writerow([report.step, round(report.elapsed, 1), round(report.loss, 6)])
    return report


def _look(network: nn.Module, average: Average, data: Path, recipe: Recipe, *, whole: bool) -> tuple[Gain, ...]:
    """Validate the averaged weights: a quick look at crops, or all of it at the end."""
    kept = {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(average.values)
    network.eval()
    qualities = (20, 30, 50, 85) if whole else recipe.validation_qualities
    crop, most = (None, None) if whole else (320, 6)
    gains = tuple(validation_gains(network, data, recipe.splits, qualities, crop=crop, most=most))
    network.load_state_dict(kept)
    network.train()
    return gains
