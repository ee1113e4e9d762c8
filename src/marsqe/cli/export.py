"""How results are written: the options of ``marsqe enhance``, and ``marsqe replay``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import marsqe
from marsqe.cli.output import emit, follow, for_each
from marsqe.export.options import COMPRESSIONS, DEPTHS, LAYERS, SIDECARS, ExportOptions


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Options that say what the files hold."""
    group = parser.add_argument_group("what is written")
    group.add_argument(
        "--depth", choices=DEPTHS, default="source", help="numbers of the pixels (default: source, those of the image)"
    )
    group.add_argument(
        "--compression", choices=COMPRESSIONS, default="deflate", help="of TIFF, all lossless (default: deflate)"
    )
    layers = [name for name in LAYERS if name != "residual"]  # which needs a truth
    group.add_argument("--layers", nargs="+", choices=layers, default=[], help="further pages of the TIFF, by name")
    group.add_argument("--sidecars", nargs="+", choices=SIDECARS, default=[], help="files beside the image")
    group.add_argument("--pixel-size", type=float, metavar="METRES", help="what a pixel spans, where you know it")


def export_options(arguments: argparse.Namespace) -> ExportOptions:
    """The options that were given; raises as :class:`ExportOptions`."""
    return ExportOptions(
        depth=arguments.depth,
        compression=arguments.compression,
        layers=tuple(arguments.layers),
        sidecars=tuple(arguments.sidecars),
        pixel_size=arguments.pixel_size,
    )


def add_replay(commands: Any, shared: argparse.ArgumentParser) -> None:
    """The command ``marsqe replay``."""
    p = commands.add_parser("replay", parents=[shared], help="make an exported image again from its own record")
    p.add_argument("image", type=Path, metavar="IMAGE", help="a TIFF or PNG that marsqe wrote")
    p.add_argument(
        "--source", type=Path, metavar="FILE", help="the file that was enhanced (default: looked for beside)"
    )
    p.set_defaults(run=replay)


def replay(arguments: argparse.Namespace) -> int:
    """Make an exported image again; 0 if it is identical, 1 if it differs or cannot be made."""

    def work(path: Path) -> dict[str, Any]:
        found = follow(marsqe.replay_steps(path, arguments.source), path.name)
        return {
            "source": str(found.source),
            "identical": found.identical,
            "same_file": found.same_file,
            "different_pixels": found.different_pixels,
            "pixels": found.pixels,
            "largest_difference": found.largest_difference,
            "differences": [vars(difference) for difference in found.differences],
        }

    outcome = for_each([arguments.image], work)
    code = emit(outcome, arguments.json, _line)
    return code or int(not all(result["identical"] for result in outcome.results))


def _line(r: dict[str, Any]) -> str:
    if r["different_pixels"]:
        share = f"{r['different_pixels']} of {r['pixels']} pixels differ, by {r['largest_difference']:g} DN at most"
    else:
        share = "the whole file is the same, byte for byte" if r["same_file"] else "every pixel is the same"
    head = f"{r['input']}: {'identical' if r['identical'] else 'differs'}: {share} (made again from {r['source']})"
    facts = (
        f"    {d['fact']}: {_short(d['recorded'])} recorded, {_short(d['found'])} now"
        + ("" if d["matters"] else " (no fault by itself)")
        for d in r["differences"]
    )
    return "\n".join([head, *facts])


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
