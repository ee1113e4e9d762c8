"""``marsqe train calibrate``: measure how wide the confidence of a model's weights has to be."""

from __future__ import annotations

import argparse
from argparse import Namespace
from pathlib import Path
from typing import Any

from marsqe.cli.output import say


def add_calibrate(parts: Any, data: argparse.ArgumentParser) -> None:
    """Add the command; ``data`` holds --data and --out."""
    p = parts.add_parser("calibrate", parents=[data], help="measure the confidence of bundled weights")
    p.add_argument("--model", default="marsqe-swift", help="a preset with bundled weights (default: marsqe-swift)")
    p.add_argument("--images", type=int, default=4, metavar="N", help="images of each set (default: 4)")
    p.add_argument("--side", type=int, default=256, metavar="PIXELS", help="side of the crops (default: 256)")
    p.add_argument("--threads", type=int, default=1, help="processor threads (default: 1)")
    p.set_defaults(run=calibrate)


def calibrate(arguments: Namespace) -> int:
    """Calibrate, write ``NAME.json`` into --out, and say what sets left out would have been covered."""
    import torch

    from marsqe.enhancement.confidence import FILE
    from marsqe.export.atomic import write_whole
    from marsqe.networks.registry import load
    from marsqe.train import calibrate as parts
    from marsqe.weights import read_card

    torch.set_num_threads(arguments.threads)
    network, samples = load(arguments.model), {}
    for source in parts.calibration_sources(arguments.data):
        found = list(parts.examples(network, source, arguments.images, arguments.side))
        samples[source.name] = parts.draw(found)
        say(f"{source.name}: {len(found)} crops")
    card = parts.calibration_card(arguments.model, read_card(arguments.model)["weights_sha256"], samples)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path: Path = arguments.out / FILE.format(arguments.model)
    write_whole(path, parts.card_text(card).encode())
    for name, row in card["left_out"].items():
        say(f"{name}, left out: {100 * row['coverage']:.1f} % covered, half width {row['half_width']:.1f} DN")
    say(str(path))
    return 0
