"""``marsqe train``: networks, the reference dictionary and bundles, from a folder of truth images (extra ``train``)."""

from __future__ import annotations

import argparse
import importlib.util
from argparse import Namespace
from pathlib import Path
from typing import Any

from marsqe.cli.output import say
from marsqe.errors import MissingExtraError, SettingError
from marsqe.networks.rivals import RIVALS

_UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: str) -> float:
    """Seconds of a duration such as ``45m``, ``2h`` or ``900``."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        value = float(number) * _UNITS[unit]
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration; write for example 900s, 45m or 2h")
    return value


def add_train(commands_of: Any) -> None:
    """Add the command and its parts to the command line."""
    top = commands_of.add_parser("train", help="train networks and build the reference dictionary (extra: train)")
    parts = top.add_subparsers(required=True, metavar="WHAT")

    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with manifest.csv")
    data.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")

    rivals = {name: f"train {rival.title} ({rival.paper}) to compare with" for name, rival in RIVALS.items()}
    for name, purpose in {"marsqe-swift": "train marsqe-swift", **rivals}.items():
        p = parts.add_parser(name, parents=[data], help=purpose)
        p.add_argument("--budget", type=seconds, default=2700.0, help="wall-clock time, for example 45m (default)")
        p.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
        p.add_argument("--init", type=Path, metavar="FILE", help="start from these weights (safetensors)")
        p.add_argument("--rate", type=float, default=1e-3, help="peak learning rate (default: 0.001)")
        p.add_argument("--seed", type=int, default=1)
        p.add_argument("--threads", type=int, help="processor threads (default: all)")
        p.set_defaults(run=train_network, preset=name)

    p = parts.add_parser("marsqe-terrain", help="train the terrain network; its own options follow")
    p.add_argument("rest", nargs=argparse.REMAINDER)
    p.set_defaults(run=train_terrain)

    p = parts.add_parser("dictionary", parents=[data], help="choose the reference patches of each terrain class")
    p.add_argument("--per-class", type=int, default=6, metavar="N", help="patches for each class (default: 6)")
    p.set_defaults(run=build)

    p = parts.add_parser("bundle", parents=[data], help="validate weights and write them with their model card")
    p.add_argument("preset", choices=["marsqe-swift"])
    p.add_argument("--weights", type=Path, required=True, metavar="FILE", help="average.safetensors of a run")
    p.add_argument("--origin", type=Path, required=True, metavar="JSON", help="command, hours, device and so on")
    p.set_defaults(run=bundle)


def _need_extra() -> None:
    missing = [name for name in ("lightning_fabric",) if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"training needs {missing[0]}; install it with: pip install 'napari-marsqe[train]'")


def _checked_data(folder: Path, listing: str = "manifest.csv") -> Path:
    if not (folder / listing).is_file():
        raise SettingError(f"{folder} holds no {listing}; give the folder of the training images with --data")
    return folder


def train_network(arguments: Namespace) -> int:
    """Train a network to the end of its budget; report as it goes."""
    _need_extra()
    import torch
    from safetensors.torch import load_file

    from marsqe.networks.registry import build as build_preset
    from marsqe.train.evaluate import summarise
    from marsqe.train.loop import Recipe, train

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    name = arguments.preset
    network = RIVALS[name].build() if name in RIVALS else build_preset(name)
    if arguments.init:
        network.load_state_dict(load_file(arguments.init))
    recipe = Recipe(budget=arguments.budget, rate=arguments.rate, seed=arguments.seed)
    for report in train(network, _checked_data(arguments.data), arguments.out, recipe, resume=arguments.resume):
        if report.gains:
            for split, row in summarise(report.gains).items():
                cells = ", ".join(f"QF {q} {mean:+.3f} (worst {worst:+.3f})" for q, (mean, worst) in row.items())
                say(f"  {split}: {cells}")
        else:
            say(f"step {report.step}, {report.elapsed:.0f} of {recipe.budget:.0f} s, loss {report.loss:.5f}")
    return 0


def train_terrain(arguments: Namespace) -> int:
    """Hand over to the terrain network's own trainer."""
    _need_extra()
    from marsqe.train.terrain import main

    main(arguments.rest)
    return 0


def build(arguments: Namespace) -> int:
    """Choose the reference patches and write the dictionary."""
    from marsqe.train.dictionary import build_dictionary

    build_dictionary(_checked_data(arguments.data, "segmentation.csv"), arguments.out, arguments.per_class)
    return 0


def bundle(arguments: Namespace) -> int:
    """Validate trained weights as the product uses them and write them with their card."""
    _need_extra()
    import json

    from marsqe.train.bundle import Origin
    from marsqe.train.bundle import bundle as write
    from marsqe.train.evaluate import summarise

    origin = Origin(**json.loads(arguments.origin.read_text(encoding="utf-8")))
    gains = write(arguments.preset, arguments.weights, _checked_data(arguments.data), arguments.out, origin)
    for split, row in summarise(gains).items():
        for quality, (mean, worst) in row.items():
            say(f"{split} QF {quality}: {mean:+.3f} dB, worst {worst:+.3f} dB")
    return 0
