"""How results are written: the options of ``marsqe enhance``, and ``marsqe replay``."""

from __future__ import annotations

import argparse

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
