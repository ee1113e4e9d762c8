"""``marsqe train``: networks, the reference dictionary and bundles, from a folder of truth images (extra ``train``)."""

from __future__ import annotations

import argparse
import importlib.util
import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from marsqe.cli.output import say
from marsqe.cli.training_calibration import add_calibrate
from marsqe.errors import MissingExtraError, SettingError
from marsqe.export.atomic import write_whole
from marsqe.extras import from_extra
from marsqe.networks.registry import PRESETS
from marsqe.networks.rivals import RIVALS

if TYPE_CHECKING:
    from torch import nn

_OFF_GRID = "--validate-side takes a multiple of 8: squares begin on the JPEG grid"
_UNITS = {"s": 1, "m": 60, "h": 3600}

_TRAINED = {
    "marsqe-swift": (12, 96, 1e-3),
    "marsqe-swift-ref": (8, 128, 5e-4),
    "marsqe-lite": (16, 128, 5e-4),
    "marsqe": (8, 128, 5e-4),
}
"""Batch, side of a patch and peak rate of each preset; a rival learns as marsqe-swift does."""


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


def count(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of 1 or more")
    return int(text)


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; write a number from 0 to 1")
    return value


def quality(text: str) -> int:
    """A JPEG quality factor."""
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no quality factor; write a whole number from 1 to 100")
    return int(text)


def add_train(commands_of: Any) -> None:
    """Add the command and its parts to the command line."""
    top = commands_of.add_parser("train", help="train networks and build the reference dictionary (extra: train)")
    parts = top.add_subparsers(required=True, metavar="WHAT")

    data = argparse.ArgumentParser(add_help=False)
    data.add_argument(
        "--data", type=Path, required=True, metavar="DATA", help="folder with manifest.csv; for networks also a pack"
    )
    data.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write")

    rivals = {name: f"train {rival.title} ({rival.paper}) to compare with" for name, rival in RIVALS.items()}
    for name, purpose in {**{name: f"train {name}" for name in _TRAINED}, **rivals}.items():
        _add_network(parts.add_parser(name, parents=[data], help=purpose), name)

    p = parts.add_parser("pack", help="pack truth crops into one file, to train where the folder is not")
    p.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with manifest.csv")
    p.add_argument("--out", type=Path, required=True, metavar="FILE", help="for example mars.safetensors")
    p.add_argument("--most-mib", type=positive, default=60.0, metavar="MIB", help="size not to exceed (default: 60)")
    p.add_argument("--side", type=count, default=256, metavar="PIXELS", help="of a training crop (default: 256)")
    p.set_defaults(run=pack)

    p = parts.add_parser("marsqe-terrain", help="train the terrain network; its own options follow")
    p.add_argument("rest", nargs=argparse.REMAINDER)
    p.set_defaults(run=train_terrain)

    p = parts.add_parser("dictionary", parents=[data], help="choose the reference patches of each terrain class")
    p.add_argument("--per-class", type=int, default=6, metavar="N", help="patches for each class (default: 6)")
    p.add_argument("--choice", choices=["lbp", "learned", "random"], default="lbp", help="how they are chosen (lbp)")
    p.set_defaults(run=build)

    add_calibrate(parts, data)

    p = parts.add_parser("bundle", parents=[data], help="validate weights and write them with their model card")
    p.add_argument("preset", choices=list(PRESETS))
    p.add_argument("--weights", type=Path, required=True, metavar="FILE", help="average.safetensors of a run")
    p.add_argument("--origin", type=Path, required=True, metavar="JSON", help="command, hours, device and so on")
    p.add_argument("--validate-side", type=count, metavar="PIXELS", help="validate on central squares (default: whole)")
    p.set_defaults(run=bundle)


def _add_network(p: argparse.ArgumentParser, name: str) -> None:
    batch, size, rate = _TRAINED.get(name, _TRAINED["marsqe-swift"])
    p.add_argument("--budget", type=seconds, default=2700.0, help="time to train, for example 45m (default)")
    p.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: count processor time")
    p.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    p.add_argument("--init", type=Path, metavar="FILE", help="start from these weights, be they of a shallower network")
    p.add_argument("--rate", type=positive, default=rate, help=f"peak learning rate (default: {rate})")
    p.add_argument("--batch", type=count, default=batch, help=f"pairs in a step, on each device (default: {batch})")
    p.add_argument("--size", type=count, default=size, help=f"side of a patch in pixels (default: {size})")
    p.add_argument("--qualities", type=quality, nargs=2, metavar=("LOW", "HIGH"), help="train on these alone")
    p.add_argument("--loss", choices=["charbonnier", "squared"], default="charbonnier", help="distance to the truth")
    p.add_argument("--hevc", type=share, default=0.0, metavar="SHARE", help="HEVC pictures (extra: codecs; default: 0)")
    p.add_argument("--plain", type=share, default=0.0, metavar="SHARE", help="pairs as most files are (default: 0)")
    p.add_argument("--precision", choices=["bf16-mixed", "16-mixed", "32-true"], default="bf16-mixed")
    p.add_argument("--devices", type=count, default=1, help="processes on this machine (default: 1)")
    p.add_argument("--workers", type=count, default=1, help="processes that make pairs, on each device (default: 1)")
    p.add_argument("--warm-up", type=count, default=200, metavar="STEPS", help="growth of the rate (default: 200)")
    p.add_argument("--validate-side", type=count, metavar="PIXELS", help="validate on central squares (default: whole)")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=count, help="processor threads (default: all)")
    if name == "arcnn":
        p.add_argument("--residual", action="store_true", help="predict what is missing instead of the image")
    if name == "marsqe-swift-ref":
        p.add_argument("--trunk", type=Path, metavar="FILE", help="marsqe-swift's weights (default: the bundled ones)")
    if name == "marsqe":
        p.add_argument("--main", type=Path, metavar="FILE", help="marsqe-lite weights for the main network")
    p.set_defaults(run=train_network, preset=name)


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

    from marsqe.networks.registry import build_design
    from marsqe.train.evaluate import summarise
    from marsqe.train.growth import grow_from
    from marsqe.train.loop import Recipe, train

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    name = arguments.preset
    network = _rival(arguments) if name in RIVALS else build_design(name)
    if name == "marsqe-swift-ref":
        _give_trunk(network, arguments.trunk)
    if name == "marsqe" and arguments.main:
        grow_from(cast(Any, network).main, load_file(arguments.main))
        say(f"the main network begins as {arguments.main}")
    if arguments.init:
        added = grow_from(network, load_file(arguments.init))
        say(f"starting from {arguments.init}, with {added} new blocks")
    if arguments.hevc:
        from_extra("av", "codecs", "training on HEVC pictures")
    low, high = arguments.qualities or (1, 100)
    if low > high:
        raise SettingError(f"--qualities takes the lower one first; write --qualities {high} {low}")
    if (arguments.validate_side or 0) % 8:
        raise SettingError(_OFF_GRID)
    recipe = Recipe(
        budget=arguments.budget,
        clock=arguments.clock,
        batch=arguments.batch,
        size=arguments.size,
        rate=arguments.rate,
        warm_up=arguments.warm_up,
        validation_side=arguments.validate_side,
        seed=arguments.seed,
        workers=arguments.workers,
        precision=arguments.precision,
        qualities=(low, high) if arguments.qualities else None,
        loss=arguments.loss,
        hevc=arguments.hevc,
        plain=arguments.plain,
        devices=arguments.devices,
    )
    data = arguments.data if arguments.data.is_file() else _checked_data(arguments.data)
    for report in train(network, data, arguments.out, recipe, resume=arguments.resume):
        if report.gains:
            for split, row in summarise(report.gains).items():
                cells = ", ".join(f"QF {q} {mean:+.3f} (worst {worst:+.3f})" for q, (mean, worst) in row.items())
                say(f"  {split}: {cells}")
        else:
            say(f"step {report.step}, {report.elapsed:.0f} of {recipe.budget:.0f} s, loss {report.loss:.5f}")
    return 0


def _give_trunk(network: Any, file: Path | None) -> None:
    """Give marsqe-swift-ref its trunk's weights, and let the branch alone learn."""
    from safetensors.torch import load_file

    from marsqe.networks.registry import default_weights
    from marsqe.train.growth import grow_from

    added = grow_from(network.trunk, default_weights("marsqe-swift") if file is None else load_file(file))
    network.freeze_trunk()
    say(f"the trunk is {file or 'the bundled marsqe-swift'}, with {added} new blocks; it stays as it is")


def _rival(arguments: Namespace) -> nn.Module:
    from marsqe.train.rivals import begin

    config = {"residual": True} if getattr(arguments, "residual", False) else {}
    if config:  # for those who use the weights
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_whole(arguments.out / "average.json", (json.dumps({"config": config}) + "\n").encode())
    network = RIVALS[arguments.preset].build(**config)
    begin(network)
    return network


def pack(arguments: Namespace) -> int:
    """Write a pack and say what is in it."""
    from collections import Counter

    from marsqe.train.pack import MIB, write_pack

    rows = write_pack(_checked_data(arguments.data), arguments.out, arguments.most_mib, arguments.side)
    for (split, scale), crops in sorted(Counter((row.split, row.scale) for row in rows).items()):
        say(f"{split} at 1/{scale}: {crops}")
    say(f"{arguments.out}: {len(rows)} crops, {arguments.out.stat().st_size / MIB:.1f} MiB")
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

    data = _checked_data(arguments.data, "segmentation.csv")
    build_dictionary(data, arguments.out, arguments.per_class, choice=arguments.choice)
    return 0


def bundle(arguments: Namespace) -> int:
    """Validate trained weights as the product uses them and write them with their card."""
    _need_extra()
    from marsqe.train.bundle import Origin
    from marsqe.train.bundle import bundle as write
    from marsqe.train.evaluate import summarise

    origin = Origin(**json.loads(arguments.origin.read_text(encoding="utf-8")))
    if (arguments.validate_side or 0) % 8:
        raise SettingError(_OFF_GRID)
    data, crop = _checked_data(arguments.data), arguments.validate_side
    gains = write(arguments.preset, arguments.weights, data, arguments.out, origin, crop=crop)
    for split, row in summarise(gains).items():
        for quality, (mean, worst) in row.items():
            say(f"{split} QF {quality}: {mean:+.3f} dB, worst {worst:+.3f} dB")
    return 0
