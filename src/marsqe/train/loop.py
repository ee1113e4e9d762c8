"""The training loop: a budget of time that the cosine schedule anneals to, averaged weights, exact resumption."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file
from torch import Tensor, nn

from marsqe.errors import SettingError
from marsqe.results import TILE
from marsqe.train.batches import batches
from marsqe.train.checkpoint import Average, Progress, load_checkpoint, save_checkpoint
from marsqe.train.clock import CLOCKS
from marsqe.train.degrade import Degradation
from marsqe.train.evaluate import Gain, validation_gains
from marsqe.train.objective import Trainee, batch_loss
from marsqe.train.outcome import add_to_curve, write_outcome
from marsqe.train.processes import agreed, leave, start_fabric
from marsqe.train.references import uses_references

_RUNAWAY = 2.5
_MOST_LOST = 20
VALIDATION_SPLITS = ("val/msl_mastcam", "val/m2020_hazcam")


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides the data."""

    budget: float = 900.0
    """Seconds of training (validation not counted)."""
    clock: str = "wall"
    """A name of ``marsqe.train.clock.CLOCKS``: what the budget's seconds are."""
    batch: int = 12
    """Pairs in a step, in each process."""
    size: int = 96
    """Side of a patch; with references a multiple of 128."""
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
    """Of the looks while training; at the end they are 20, 30, 50 and 85."""
    validation_side: int | None = None
    """Validate at the end on central squares of this side, a multiple of 8; None for whole images."""
    precision: str = "bf16-mixed"
    splits: tuple[str, ...] = field(default=VALIDATION_SPLITS)
    qualities: tuple[int, int] | None = None
    """Train on this range of quality factors alone."""
    loss: str = "charbonnier"
    """A name of ``marsqe.train.objective.LOSSES``; Eq. 7 for marsqe whatever it says."""
    hevc: float = 0.0
    """Share of HEVC pictures (extra ``codecs``)."""
    plain: float = 0.0
    """Share of pairs as most files are; see :class:`marsqe.train.degrade.Degradation`."""
    devices: int = 1
    """Processes on this machine, one a device; under ``torchrun`` its own count."""


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
    """Train a network; yield reports, of several processes in the first one only.

    The network maps (compressed, condition) to enhanced pixels. Where it has several outputs,
    ``exits(compressed, condition)``, all of them learn, with equal weight. ``MarsQELite`` and ``MarsQE`` are given
    matched references, and labels; ``MarsQE`` learns by Eq. 7. ``data`` is a folder with ``manifest.csv`` or a pack.

    Writes ``checkpoint.safetensors``, ``average.safetensors`` (the averaged weights), ``curve.csv`` and, at the end,
    ``validation.csv``, ``validation_images.csv`` and ``validation.json`` to ``out``.

    Raises
    ------
    SettingError
        If the loss runs away again and again, the data lacks images, or patches are no whole tiles.
    """
    recipe = recipe or Recipe()
    if uses_references(network) and recipe.size % TILE:
        raise SettingError(f"this network works on tiles of {TILE}: the size must be a multiple, not {recipe.size}")
    run = _begin(network, out, recipe, resume=resume)
    now = run.now
    saved = validated = now.elapsed
    recent: list[float] = []
    lost = 0
    loader = _loader(run, data)
    clock = CLOCKS[recipe.clock]
    started = clock() - now.elapsed
    for batch in loader:
        value = _step(run, batch, recent)
        if value is None:
            lost += 1
            _go_back(run, lost)
            continue
        lost = 0
        recent.append(value)
        now.elapsed = agreed(run.fabric, clock() - started)
        finished = now.elapsed >= recipe.budget
        if finished or now.elapsed - saved >= recipe.checkpoint_every:
            saved = now.elapsed
            if run.fabric.is_global_zero:
                yield _save(run, out, sum(recent) / len(recent))
            recent = []
        if finished or now.elapsed - validated >= recipe.validate_every:
            validated = now.elapsed
            pause = clock()
            if run.fabric.is_global_zero:
                gains = _look(run, data, whole=finished)
                if finished:
                    facts = {
                        "whole_images": data.is_dir() and recipe.validation_side is None,
                        "processes": run.fabric.world_size,
                        "recipe": asdict(recipe),
                    }
                    write_outcome(out, gains, now, facts)
                yield Report(now.step, now.elapsed, float("nan"), gains)
            run.fabric.barrier()
            started += clock() - pause
        if finished:
            del run.model, run.optimizer
            leave()
            return


@dataclass
class _Run:
    """What a run changes: the network, what is wrapped around it, its average, and where it stands."""

    recipe: Recipe
    fabric: Fabric
    network: nn.Module
    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: Average
    now: Progress


def _begin(network: nn.Module, out: Path, recipe: Recipe, *, resume: bool) -> _Run:
    fabric = start_fabric(recipe.precision, recipe.devices)
    torch.manual_seed(recipe.seed)
    network.train()
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    bare = torch.optim.AdamW(network.parameters(), lr=recipe.rate, betas=recipe.betas, weight_decay=recipe.weight_decay)
    model, optimizer = fabric.setup(Trainee(network), bare)
    # After the network has moved to its device: the average and the optimizer's state belong beside it.
    average = Average(network, recipe.decay)
    now = load_checkpoint(out, network, average, optimizer) if resume else Progress()
    average.values = {name: value.to(fabric.device) for name, value in average.values.items()}
    if fabric.is_global_zero:
        out.mkdir(parents=True, exist_ok=True)
        if not resume:
            (out / "curve.csv").unlink(missing_ok=True)
    return _Run(recipe, fabric, network, model, optimizer, average, now)


def _loader(run: _Run, data: Path) -> Iterable[list[Tensor]]:
    recipe = run.recipe
    pairs = batches(
        data,
        batch=recipe.batch,
        size=recipe.size,
        seed=recipe.seed,
        first_step=run.now.step,
        workers=recipe.workers,
        how=Degradation(recipe.qualities, recipe.hevc, recipe.plain),
        references=uses_references(run.network),
        rank=run.fabric.global_rank,
        world=run.fabric.world_size,
    )
    return cast(Iterable[list[Tensor]], run.fabric.setup_dataloaders(pairs, use_distributed_sampler=False))


def _step(run: _Run, batch: Sequence[Tensor], recent: Sequence[float]) -> float | None:
    """Learn from a batch; its loss, or None where that has run away and nothing was learned."""
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(run.recipe, run.now)
    run.now.step += 1
    compressed, raw, condition, *more = batch
    x, y = (_unit(t).contiguous(memory_format=torch.channels_last) for t in (compressed, raw))
    loss = batch_loss(run.network, run.model(x, condition, *map(_unit, more[:2]), *more[2:]), x, y, run.recipe.loss)
    value = agreed(run.fabric, loss.item())
    if _has_run_away(value, recent):
        return None
    run.fabric.backward(loss)
    run.fabric.clip_gradients(run.model, run.optimizer, max_norm=1.0)
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    run.average.update(run.network, run.now.step)
    return value


def _unit(pixels: Tensor) -> Tensor:
    return pixels.float().div(255)


def _has_run_away(value: float, recent: Sequence[float]) -> bool:
    return not math.isfinite(value) or (bool(recent) and value >= _RUNAWAY * sum(recent) / len(recent))


def _go_back(run: _Run, lost: int) -> None:
    """Take the averaged weights with fresh moments, rather than lose the run."""
    if lost == _MOST_LOST:
        raise SettingError(f"the loss ran away {lost} times in a row; train again with a lower learning rate")
    run.network.load_state_dict(run.average.values)
    run.optimizer.state.clear()


def _save(run: _Run, out: Path, loss: float) -> Report:
    save_checkpoint(out, run.network, run.average, run.optimizer, run.now)
    save_file({k: v.contiguous() for k, v in run.average.values.items()}, out / "average.safetensors")
    add_to_curve(out, run.now, loss)
    return Report(run.now.step, run.now.elapsed, loss)


def _look(run: _Run, data: Path, *, whole: bool) -> tuple[Gain, ...]:
    """Validate the averaged weights: a quick look at crops, or all of it at the end."""
    network, recipe = run.network, run.recipe
    kept = {k: v.clone() for k, v in network.state_dict().items()}
    network.load_state_dict(run.average.values)
    network.eval()
    qualities = (20, 30, 50, 85) if whole else recipe.validation_qualities
    crop, most = (recipe.validation_side, None) if whole else (320, 6)
    gains = tuple(validation_gains(network, data, recipe.splits, qualities, crop=crop, most=most))
    network.load_state_dict(kept)
    network.train()
    return gains
