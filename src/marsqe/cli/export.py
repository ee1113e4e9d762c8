"""How results are written: the options of ``marsqe enhance``, and ``marsqe replay``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import marsqe
from marsqe.cli.output import emit, follow, for_each
from marsqe.errors import SettingError
from marsqe.export.options import COMPRESSIONS, DEPTHS, LAYERS, SIDECARS, ExportOptions
from marsqe.image import MarsImage, Pixels
from marsqe.results import Enhancement, Judgement


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Options that say what the files hold."""
    group = parser.add_argument_group("what is written")
    group.add_argument(
        "--depth",
        choices=DEPTHS,
        default="source",
        help="numbers of the pixels (default: source, those of the image); float: "
        "32-bit numbers, every frequency within the JPEG's interval, not clipped",
    )
    group.add_argument(
        "--compression", choices=COMPRESSIONS, default="deflate", help="of TIFF, all lossless (default: deflate)"
    )
    group.add_argument(
        "--layers",
        nargs="+",
        choices=LAYERS,
        default=[],
        help="further pages of the TIFF, by name; residual needs --truth",
    )
    group.add_argument(
        "--truth",
        type=Path,
        metavar="FILE",
        help="the image before it was compressed: gains, also per terrain, are told, and go into json and report",
    )
    group.add_argument("--sidecars", nargs="+", choices=SIDECARS, default=[], help="files beside the image")
    group.add_argument("--pixel-size", type=float, metavar="METRES", help="what a pixel spans, where you know it")


def export_options(arguments: argparse.Namespace) -> ExportOptions:
    """The options that were given.

    Raises
    ------
    SettingError
        As :class:`ExportOptions`; if the residual is asked for without a truth, or one truth is given for many images.
    """
    if "residual" in arguments.layers and arguments.truth is None:
        raise SettingError("--layers residual is the difference to the truth; name it with --truth FILE")
    if arguments.truth is not None and len(arguments.inputs) > 1:
        raise SettingError(
            f"--truth is one file but there are {len(arguments.inputs)} inputs; enhance them one by one, or use "
            "`marsqe batch --truth DIR`"
        )
    return ExportOptions(
        depth=arguments.depth,
        compression=arguments.compression,
        layers=tuple(arguments.layers),
        sidecars=tuple(arguments.sidecars),
        pixel_size=arguments.pixel_size,
    )


def truth_for(image: MarsImage, path: Path | None) -> MarsImage | None:
    """The truth of an image, read before anything takes time.

    Where an image was cut to the blocks of a JPEG that its pixels tell of, its truth is cut alike.

    Raises
    ------
    ReadError
        If it cannot be opened.
    SettingError
        If it has another size, depth or number of channels.
    """
    if path is None:
        return None
    from marsqe.codecs.estimated import cut_alike

    truth = cut_alike(marsqe.open_image(path), image)
    if truth.pixels.shape != image.pixels.shape or truth.pixels.dtype != image.pixels.dtype:
        raise SettingError(
            f"the truth {path} is {_kind(truth.pixels)}, but {image.name} is {_kind(image.pixels)}; give the image "
            "that this one was compressed from, at its size and depth"
        )
    return truth


def _kind(pixels: Pixels) -> str:
    colour = "gray" if pixels.ndim == 2 else "colour"
    return f"{pixels.shape[1]} x {pixels.shape[0]}, {colour}, {8 * pixels.dtype.itemsize}-bit"


def judged(result: Enhancement, truth: MarsImage | None) -> Judgement | None:
    """How a result compares with its truth; None without one."""
    if truth is None:
        return None
    return marsqe.judge(result.pixels, truth, compressed=result.source.pixels, terrain=result.terrain)


def gains_in_words(result: dict[str, Any]) -> str:
    """For example ": +0.95 dB (soil +1.02, rock +0.88)"; empty where there was no truth."""
    if "metrics" not in result:
        return ""
    classes = ", ".join(f"{name} {gain:+.2f}" for name, gain in result["delta_psnr_per_class"].items())
    return f": {result['metrics']['delta_psnr']:+.2f} dB" + (f" ({classes})" if classes else "")


def add_replay(commands: Any, shared: argparse.ArgumentParser) -> None:
    """The command ``marsqe replay``."""
    p = commands.add_parser("replay", parents=[shared], help="make an exported image again from its own record")
    p.add_argument("image", type=Path, metavar="IMAGE", help="a TIFF or PNG that marsqe wrote")
    p.add_argument(
        "--source", type=Path, metavar="FILE", help="the file that was enhanced (default: looked for beside)"
    )
    p.add_argument(
        "--truth", type=Path, metavar="FILE", help="to make the page 'residual' again (default: it is left out)"
    )
    p.set_defaults(run=replay)


def replay(arguments: argparse.Namespace) -> int:
    """Make an exported image again; 0 if it is identical, 1 if it differs or cannot be made."""

    def work(path: Path) -> dict[str, Any]:
        found = follow(marsqe.replay_steps(path, arguments.source, arguments.truth), path.name)
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
