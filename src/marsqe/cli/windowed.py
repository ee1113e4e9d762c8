"""``marsqe enhance`` on images that are too large for the memory."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from marsqe.cli.output import follow, note_if_not_held
from marsqe.errors import SettingError
from marsqe.export.options import ExportOptions


def add_windowed(parser: ArgumentParser) -> ArgumentParser:
    """Add the option; returns the parser."""
    parser.add_argument(
        "--windowed",
        action=argparse.BooleanOptionalAction,
        help="read, enhance and write in windows, as a TIFF with smaller levels (default: above 24 megapixels)",
    )
    return parser


def checked_windowed(arguments: Namespace, options: ExportOptions) -> bool | None:
    """Whether to work in windows: True always, False never, None where the image is large.

    Raises
    ------
    SettingError
        If windows are asked for together with what they cannot do.
    """
    alone = (
        *(arguments.region is not None, arguments.forbid, arguments.estimate_tables, options != ExportOptions()),
        arguments.truth is not None,
    )
    whole = any(alone)
    if arguments.windowed and options.depth == "float":
        raise SettingError("--windowed writes no 32-bit numbers; leave it out, which takes memory for the whole image")
    if arguments.windowed and whole:
        raise SettingError(
            "--windowed goes with none of --region, --forbid, --estimate-tables, --truth and options of the file"
        )
    return False if whole else arguments.windowed


def in_windows(wanted: bool | None, path: Path, output: Path) -> bool:
    """Whether to enhance a file in windows."""
    if wanted is not None:
        return wanted
    from marsqe.read.large import is_large
    from marsqe.scale.mosaic import ENDINGS

    return output.suffix.lower() in ENDINGS and is_large(path)


def enhance_in_windows(arguments: Namespace, path: Path, output: Path) -> dict[str, Any]:
    """Enhance one file in windows; what is told of it."""
    from marsqe.scale.mosaic import enhance_large_steps

    steps = enhance_large_steps(
        *(path, output, arguments.model, arguments.device),
        faithful=not arguments.no_faithful,
        precision=arguments.precision,
    )
    result = follow(steps, path.name)
    note_if_not_held(str(path), result.provenance["settings"])
    return {
        "output": str(result.path),
        "model": result.model,
        "device": result.device,
        "seconds": round(result.seconds, 3),
        "faithful": result.provenance["settings"]["faithful"],
        "not_held": result.provenance["settings"].get("not_held"),
        "terrain": result.shares,
        "windowed": True,
    }
