"""Arguments of the command ``marsqe``. Exit codes: 0 all done, 1 some inputs failed, 2 wrong usage."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import marsqe
from marsqe.cli import commands, judging
from marsqe.cli.batch import add_batch
from marsqe.cli.export import add_export_options, add_replay
from marsqe.cli.models import add_models
from marsqe.cli.output import say
from marsqe.cli.references import add_references, forbidding
from marsqe.cli.reproduce import add_reproduce
from marsqe.cli.training import add_train
from marsqe.cli.windowed import add_windowed
from marsqe.codecs.jpeg import SUBSAMPLINGS
from marsqe.devices import DEVICES, PRECISIONS
from marsqe.errors import MarsqeError, SettingError


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser("marsqe", description="Enhance compressed Martian images, and show the evidence.")
    top.add_argument("--version", action="version", version=f"marsqe {marsqe.__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON document on standard output")
    device = argparse.ArgumentParser(add_help=False)
    device.add_argument("--device", choices=DEVICES, default="auto", help="where the networks run (default: auto)")
    many = argparse.ArgumentParser(add_help=False)
    many.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="image files")
    out = argparse.ArgumentParser(add_help=False)
    out.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="a file, or a folder for several")
    commands_of = top.add_subparsers(required=True, metavar="COMMAND")

    commands_of.add_parser(
        "info", parents=[many, shared], help="what each file says of its compression and origin"
    ).set_defaults(run=commands.info)

    add_models(commands_of, shared)

    p = commands_of.add_parser(
        "enhance", parents=[many, out, device, forbidding(), shared], help="enhance images to TIFF or PNG"
    )
    p.add_argument("--model", default="auto", metavar="NAME", help="a model of `marsqe models` (default: auto)")
    p.add_argument("--region", nargs=4, type=int, metavar=("X", "Y", "W", "H"), help="enhance only this rectangle")
    p.add_argument(
        "--estimate-tables", action="store_true", help="of a PNG or TIFF that was a JPEG: find its tables in its pixels"
    )
    p.add_argument("--no-faithful", action="store_true", help="let coefficients leave their quantization cells")
    add_export_options(p)
    p.add_argument("--precision", choices=PRECISIONS, default="auto", help="float32 never computes in 16 bits")
    add_windowed(p).set_defaults(run=commands.enhance)

    p = commands_of.add_parser("segment", parents=[many, out, device, shared], help="terrain classes as 8-bit PNG")
    p.set_defaults(run=commands.segment)

    p = commands_of.add_parser(
        "match", parents=[many, device, forbidding(), shared], help="the reference matched to every tile"
    )
    p.set_defaults(run=commands.match)

    p = commands_of.add_parser("compress", parents=[many, out, shared], help="compress images to JPEG")
    p.add_argument("--qf", type=_quality, required=True, metavar="N", help="quality factor, 1-100")
    p.add_argument("--subsampling", choices=SUBSAMPLINGS, default="4:2:0", help="of chroma (default: 4:2:0)")
    p.set_defaults(run=commands.compress)

    p = commands_of.add_parser("judge", parents=[shared], help="compare an enhanced image with its truth")
    p.add_argument("enhanced", type=Path, metavar="ENHANCED")
    p.add_argument("--truth", required=True, type=Path, metavar="RAW")
    p.add_argument("--compressed", type=Path, metavar="JPEG", help="the compressed image, for gains")
    p.set_defaults(run=judging.judge)

    p = commands_of.add_parser("verify", parents=[shared], help="compress an enhanced image again and compare")
    p.add_argument("jpeg", type=Path, metavar="JPEG", help="the file that was enhanced, be it one of estimated tables")
    p.add_argument("enhanced", type=Path, metavar="ENHANCED")
    p.add_argument("--mask", type=Path, metavar="PNG", help="write where blocks differ, in white")
    p.set_defaults(run=judging.verify)

    add_replay(commands_of, shared)

    p = commands_of.add_parser("demo", parents=[device, shared], help="the main job on a bundled sample, with a report")
    p.add_argument("--sample", metavar="NAME", help="which sample (default: the first)")
    p.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where to write (default: out)")
    p.add_argument("--open", action="store_true", help="then open it all in napari")
    p.set_defaults(run=commands.demo)

    add_references(commands_of, shared, device)
    add_batch(commands_of, device, shared)
    add_train(commands_of)
    add_reproduce(commands_of, shared)
    return top


def _quality(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100:
        raise argparse.ArgumentTypeError("the quality factor must lie in 1-100")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parsed = parser().parse_args(arguments)
    try:
        code = int(parsed.run(parsed))
        sys.stdout.flush()
        return code
    except SettingError as error:
        # A setting that no input could be done with; what one input cannot do is told with that input.
        say(f"marsqe: {error}")
        return 2
    except MarsqeError as error:
        say(f"marsqe: {error}")
        return 1
    except KeyboardInterrupt:
        say("marsqe: stopped")
        return 130
    except BrokenPipeError:
        # The reader of standard output has gone (for example `head`): nothing more to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
