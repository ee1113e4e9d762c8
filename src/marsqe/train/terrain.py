"""Training of the terrain network: a budget of time, averaged weights, exact resumption.

``python -m marsqe.train.terrain --data DIR --out RUN --budget 1900`` trains;
``python -m marsqe.train.terrain_export`` makes the bundled weights of a finished run.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from marsqe.networks.segformer import SegFormer, SegFormerConfig
from marsqe.train.checkpoint import Average, Progress, load_checkpoint, save_checkpoint
from marsqe.train.clock import CLOCKS
from marsqe.train.terrain_augment import augmented
from marsqe.train.terrain_data import TerrainCorpus, labelled_images
from marsqe.train.terrain_encoder import imagenet_encoder
from marsqe.train.terrain_losses import terrain_loss
from marsqe.train.terrain_scores import scores

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run besides the data."""

    budget: float = 1900.0
    """Seconds of training (loading and validation not counted)."""
    batch: int = 8
    size: int = 256
    rate: float = 1.2e-3
    encoder_rate: float = 3e-4
    frozen: int = 2
    """Stem and first stages of the encoder that keep their ImageNet weights: their gradients cost the most."""
    weight_decay: float = 0.01
    warm_up: int = 60
    decay: float = 0.995
    seed: int = 1
    checkpoint_every: float = 120.0
    precision: str = "32-true"
    clock: str = "wall"
    """A name of ``marsqe.train.clock.CLOCKS``: what the budget's seconds are."""
    config: SegFormerConfig = field(default_factory=SegFormerConfig)


@dataclass(frozen=True)
class Report:
    """What the loop tells: steps taken, seconds spent, mean loss since the last report."""

    step: int
    elapsed: float
    loss: float


def batch_of(corpus: TerrainCorpus, recipe: Recipe, step: int) -> tuple[Tensor, Tensor]:
    """Inputs (B, 3, S, S) and targets (B, S, S) of one step; they depend on the seed and the step alone."""
    random = np.random.default_rng((recipe.seed, step))
    pairs = [augmented(corpus.crop(random), random, recipe.size) for _ in range(recipe.batch)]
    inputs = torch.from_numpy(np.stack([x for x, _ in pairs])).permute(0, 3, 1, 2)
    return inputs, torch.from_numpy(np.stack([t for _, t in pairs])).long()


def groups(network: SegFormer, recipe: Recipe) -> list[dict[str, Any]]:
    """Parameters in two groups, encoder and the rest; the first stages of the encoder are frozen."""
    for module in (network.encoder.stem, *network.encoder.stages[: recipe.frozen]) if recipe.frozen else ():
        module.requires_grad_(False)
    return [
        {"params": [p for p in network.encoder.parameters() if p.requires_grad], "peak": recipe.encoder_rate},
        {"params": [p for m in (network.context, network.decoder) for p in m.parameters()], "peak": recipe.rate},
    ]


def share_of_peak(recipe: Recipe, now: Progress) -> float:
    """Learning rate over its peak: linear warm-up over steps, cosine to zero over the budget's seconds."""
    done = min(1.0, now.elapsed / recipe.budget)
    return min(1.0, (now.step + 1) / recipe.warm_up) * 0.5 * (1 + math.cos(math.pi * done))


def train(
    network: SegFormer, corpus: TerrainCorpus, out: Path, recipe: Recipe, *, resume: bool = False
) -> Iterator[Report]:
    """Train until the budget is spent; yield a report at every checkpoint.

    Writes ``checkpoint.safetensors``, ``average.safetensors`` (averaged weights) and ``curve.csv`` to ``out``.
    """
    fabric = Fabric(accelerator="auto", devices=1, precision=recipe.precision)  # type: ignore[arg-type]
    torch.manual_seed(recipe.seed)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(groups(network, recipe), lr=recipe.rate, weight_decay=recipe.weight_decay)
    average = Average(network, recipe.decay)
    now = load_checkpoint(out, network, average, optimizer) if resume else Progress()
    model, optimizer = fabric.setup(network, optimizer)
    model.train()
    out.mkdir(parents=True, exist_ok=True)
    losses: list[float] = []
    clock = CLOCKS[recipe.clock]
    saved, started = now.elapsed, clock() - now.elapsed
    while now.elapsed < recipe.budget:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share_of_peak(recipe, now)
        inputs, target = (fabric.to_device(t) for t in batch_of(corpus, recipe, now.step))
        loss = terrain_loss(model(inputs.contiguous(memory_format=torch.channels_last)), target)
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        now.step += 1
        average.update(network, now.step)
        losses.append(loss.item())
        now.elapsed = clock() - started
        if now.elapsed >= recipe.budget or now.elapsed - saved >= recipe.checkpoint_every:
            saved = now.elapsed
            save_checkpoint(out, network, average, optimizer, now)
            save_file({k: v.contiguous() for k, v in average.values.items()}, out / "average.safetensors")
            report = Report(now.step, now.elapsed, sum(losses) / len(losses))
            _append(out / "curve.csv", report)
            losses = []
            yield report


def _append(path: Path, report: Report) -> None:
    new = not path.exists()
    with path.open("a", newline="") as stream:
        rows = csv.writer(stream)
        if new:
            rows.writerow(["step", "elapsed_s", "loss"])
        rows.writerow([report.step, round(report.elapsed, 1), round(report.loss, 5)])


def load_average(network: nn.Module, out: Path) -> None:
    """Give a network the averaged weights of a run."""
    network.load_state_dict(load_file(out / "average.safetensors"))
    network.eval()


def main(arguments: list[str] | None = None) -> None:
    """Train, then write the validation scores of the averaged weights to ``scores.json``."""
    parser = argparse.ArgumentParser(description="Train the terrain network.")
    parser.add_argument("--data", type=Path, required=True, help="folder with segmentation.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--budget", type=float, default=Recipe.budget, help="seconds of training")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--init", type=Path, help="start from these weights instead of an ImageNet encoder")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="count wall-clock or processor seconds")
    parser.add_argument("--threads", type=int, help="processor threads (default: all)")
    parser.add_argument("--recipe", type=json.loads, default={}, help="JSON object of further settings")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if given.threads:
        torch.set_num_threads(given.threads)
    recipe = replace(Recipe(budget=given.budget, clock=given.clock), **given.recipe)
    corpus = TerrainCorpus(list(labelled_images(given.data, "train")))
    log.info("loaded %d images; %s", len(corpus.images), {k: v for k, v in asdict(recipe).items() if k != "config"})
    network = SegFormer(recipe.config)
    if given.init:
        network.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in load_file(given.init).items()}
        )
    else:
        network.encoder.load_state_dict(imagenet_encoder())
    for report in train(network, corpus, given.out, recipe, resume=given.resume):
        log.info("step %d, %.0f s, loss %.4f", report.step, report.elapsed, report.loss)
    load_average(network, given.out)
    found = scores(network, labelled_images(given.data, "val"))
    (given.out / "scores.json").write_text(json.dumps(found, indent=1))
    log.info("%s", json.dumps(found))


if __name__ == "__main__":
    main()
