"""``marsqe reproduce``: the paper's tables and figures for a folder of images (extra ``report``)."""

from __future__ import annotations

import argparse
import math
import os
import shlex
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any, TypeVar

from marsqe.cli.output import Outcome, emit, say
from marsqe.cli.training import seconds as duration
from marsqe.devices import DEVICES
from marsqe.progress import Steps

T = TypeVar("T")
_BUDGET = 3600.0
_MOST_JOBS = 8  # each holds an image, its metrics and a network: about a gigabyte
_EVERY = 30.0  # seconds between lines where nobody watches


def add_reproduce(commands_of: Any, shared: argparse.ArgumentParser) -> None:
    """Add the command to the command line."""
    p = commands_of.add_parser(
        "reproduce", parents=[shared], help="the paper's tables and figures for your images (extra: report)"
    )
    p.add_argument("--data", type=Path, metavar="DIR", help="folder of images; with --quick the samples by default")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="where CSV, PNG and index.html go")
    p.add_argument("--quick", action="store_true", help="central squares of a few images: a look, no result")
    p.add_argument("--systems", nargs="+", default=[], metavar="NAME", help="what to compare (default: all)")
    p.add_argument("--weights", nargs="+", default=[], type=_weights, metavar="NAME=FILE", help="weights of systems")
    p.add_argument("--qualities", nargs="+", type=int, default=None, metavar="QF", help="default: 20 30 40 50")
    p.add_argument("--qps", nargs="*", type=int, default=None, metavar="QP", help="of HEVC (default: 27 32 37 42)")
    p.add_argument("--earth", type=Path, metavar="DIR", help="photographs of the Earth (default: scikit-image's)")
    p.add_argument("--splits", nargs="+", default=[], metavar="NAME", help="default: the test splits, or all")
    p.add_argument("--most", type=int, metavar="N", help="at most so many images of each split")
    size = p.add_mutually_exclusive_group()
    size.add_argument("--side", type=int, metavar="N", help="only the central square of this side")
    size.add_argument("--whole", action="store_true", help="whole images, however long it takes")
    size.add_argument(
        "--budget",
        type=duration,
        default=_BUDGET,
        help="time; squares are chosen to fit, for example 90m (default: 1h)",
    )
    p.add_argument("--jobs", type=int, metavar="N", help="processes (default: one for each core; quick or on a GPU: 1)")
    p.add_argument("--device", choices=DEVICES, default="cpu", help="where the networks run (default: cpu)")
    p.set_defaults(run=reproduce)


def _weights(text: str) -> tuple[str, Path]:
    name, separator, path = text.partition("=")
    if not (name and separator and path):
        raise argparse.ArgumentTypeError(f"{text!r}: write NAME=FILE, for example arcnn=arcnn.safetensors")
    return name, Path(path)


def reproduce(arguments: Namespace) -> int:
    """Measure, write the page, and say where it is."""
    from marsqe.reproduce import Settings, reproduce_steps
    from marsqe.reproduce.settings import QPS, QUALITIES

    settings = Settings(
        data=arguments.data,
        out=arguments.out,
        quick=arguments.quick,
        systems=tuple(arguments.systems),
        qualities=QUALITIES if arguments.qualities is None else tuple(arguments.qualities),
        qps=QPS if arguments.qps is None else tuple(arguments.qps),
        earth=arguments.earth,
        most=arguments.most,
        jobs=_jobs(arguments),
        splits=tuple(arguments.splits),
        weights=dict(arguments.weights),
        device=arguments.device,
        side=arguments.side,
        budget=None if arguments.whole or arguments.quick else arguments.budget,
        command=command_line(sys.argv[1:]),
    )
    report = follow_with_eta(reproduce_steps(settings))
    for failure in report.failures:
        say(f"marsqe: {failure['input']}: {failure['error']}")
    if report.strays:
        say(f"marsqe: {len(report.strays)} files are no images and were left out, such as {report.strays[0]}")
    record = {
        "page": str(report.page),
        "files": [str(path) for path in report.files],
        "measurements": len(report.rows),
        "fresh": report.fresh,
        "strays": report.strays,
    }

    def line(r: dict[str, Any]) -> str:
        return f"{r['page']} ({r['measurements']} measurements, {r['fresh']} of them new)"

    return emit(Outcome([record], report.failures), arguments.json, line)


def _jobs(arguments: Namespace) -> int:
    if arguments.jobs is not None:
        return int(arguments.jobs)
    alone = arguments.quick or arguments.device != "cpu"
    return 1 if alone else min(os.cpu_count() or 1, _MOST_JOBS)


def command_line(words: list[str]) -> str:
    """A command as it was typed, with only the names of folders: pages travel further than machines."""
    return shlex.join(["marsqe", *map(_without_folders, words)])


def _without_folders(word: str) -> str:
    name, separator, path = word.rpartition("=")
    return f"{name}{separator}{Path(path).name}" if Path(path).is_absolute() else word


def follow_with_eta(steps: Steps[T]) -> T:
    """Drive long work to its end; progress and the time left on standard error, rarely where nobody watches."""
    watching = sys.stderr.isatty()
    step, begun, told = "", time.monotonic(), 0.0
    while True:
        try:
            now = next(steps)
        except StopIteration as stop:
            if watching:
                print(file=sys.stderr)
            return stop.value
        at = time.monotonic()
        fresh = now.step != step
        if fresh:
            step, begun = now.step, at
        text = f"{now.step} {now.done}/{now.total}{time_left(now.done, now.total, at - begun)}"
        if watching:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        elif fresh or at - told >= _EVERY:
            say(text)
            told = at


def time_left(done: int, total: int, elapsed: float) -> str:
    """For example ", about 3 min left"; empty before anything can be said."""
    if not 0 < done < total:
        return ""
    seconds = elapsed / done * (total - done)
    if seconds >= 90:
        return f", about {math.ceil(seconds / 60)} min left"
    return f", about {math.ceil(seconds)} s left"
