"""``marsqe batch``: whole folders."""

from __future__ import annotations

import argparse
import math
import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from marsqe.cli.output import Outcome, emit, say
from marsqe.errors import SettingError
from marsqe.export.options import DEPTHS
from marsqe.progress import Steps
from marsqe.read.limits import LARGE


def add_batch(commands: Any, *parents: ArgumentParser) -> None:
    """Add the command."""
    p = commands.add_parser(
        "batch",
        parents=[*parents],
        help="enhance folders of images; a run that was cut off goes on where it was",
        description="Enhance many images into one folder, with a table of what was done. Finished results are kept: "
        "the same command again does what is missing, and anew what was asked for with other settings.",
    )
    p.add_argument(
        "inputs", nargs="+", metavar="IN", help="files, folders, patterns in quotes, or lists (.txt, .csv with a file)"
    )
    p.add_argument("-o", "--out", required=True, type=Path, metavar="DIR", help="where results and summary.csv go")
    p.add_argument("-r", "--recursive", action="store_true", help="look into the folders of folders, too")
    p.add_argument("--truth", type=Path, metavar="DIR", help="uncompressed originals of the same names, for PSNR, SSIM")
    p.add_argument("--model", default="auto", metavar="NAME", help="a model of `marsqe models` (default: auto)")
    p.add_argument("--no-faithful", action="store_true", help="let coefficients leave their quantization cells")
    p.add_argument(
        "--estimate-tables",
        action="store_true",
        help="of images that bring none, take the JPEG's tables and grid from the pixels; where there is no trace of "
        "them the image fails",
    )
    p.add_argument("--ending", choices=(".tif", ".png"), default=".tif", help="of the results (default: .tif)")
    p.add_argument(
        "--depth",
        choices=DEPTHS,
        default="source",
        help="numbers of the results (default: source); float: 32-bit, every frequency within the JPEG's interval",
    )
    p.add_argument(
        "--windows-above",
        type=_megapixels,
        default=LARGE,
        metavar="MP",
        help="megapixels above which an image is read, enhanced and written in windows, in little memory, as a TIFF "
        f"with smaller levels (default: {LARGE // 10**6})",
    )
    who = p.add_mutually_exclusive_group()
    who.add_argument("--workers", type=_count, default=1, metavar="N", help="processes of this machine (default: 1)")
    who.add_argument("--scheduler", metavar="ADDRESS", help="a running Dask scheduler, for example tcp://host:8786")
    who.add_argument("--local-cluster", type=_count, metavar="N", help="start a Dask cluster of N workers here")
    p.set_defaults(run=run)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("give 1 or more")
    return value


def _megapixels(text: str) -> int:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError("give megapixels, 0 or more")
    return round(value * 1e6)


def run(arguments: Namespace) -> int:
    """Run the batch and return the exit code."""
    from marsqe.scale import Report, Settings, batch_steps
    from marsqe.scale.sources import collect

    settings = Settings(
        *(arguments.model, arguments.device),
        faithful=not arguments.no_faithful,
        ending=arguments.ending,
        depth=arguments.depth,
        windows_above=arguments.windows_above,
        estimate=arguments.estimate_tables,
    )
    sources = collect(
        arguments.inputs,
        arguments.out,
        ending=settings.ending,
        recursive=arguments.recursive,
        truth=arguments.truth,
    )
    if not sources:
        raise SettingError("there is no file in what was given; name files, or add --recursive for folders of folders")
    report: Report = _follow(batch_steps(sources, arguments.out, settings, _crew(arguments)))
    failures = [{"input": str(r["source"]), "error": str(r["problem"])} for r in report.failures]
    results = [{"input": r["source"]} | r for r in report.records if r["status"] != "failed"]
    for failed in failures:
        say(f"marsqe: {failed['input']}: {failed['error']}")
    say(_summary(report))
    return emit(Outcome(results, failures), arguments.json, _line)


def _crew(arguments: Namespace) -> Any:
    if arguments.scheduler or arguments.local_cluster:
        from marsqe.scale.cluster import Cluster

        return Cluster(arguments.scheduler, arguments.local_cluster)
    if arguments.workers > 1:
        from marsqe.scale.processes import Processes

        return Processes(arguments.workers)
    return None


def _follow(steps: Steps[Any]) -> Any:
    """Drive the batch; on a terminal one line that changes, elsewhere a line for each image."""
    from marsqe.scale import BatchProgress

    watching, started = sys.stderr.isatty(), time.monotonic()
    try:
        while True:
            try:
                now = next(steps)
            except StopIteration as stop:
                return stop.value
            update = now.update if isinstance(now, BatchProgress) else None
            if update is None or (update.record is None and not watching):
                continue
            text = f"{now.done}/{now.total} {update.name}: {update.stage}{_time_left(now)}"
            print(f"\r\033[K{text}" if watching else text, end="" if watching else "\n", file=sys.stderr, flush=True)
    finally:
        steps.close()
        if watching:
            print(f"\r\033[K{time.monotonic() - started:.1f} s", file=sys.stderr, flush=True)


def _time_left(now: Any) -> str:
    seconds: float | None = now.left
    if seconds is None or seconds < 1:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f", {hours} h {minutes:02} min left" if hours else f", {minutes}:{rest:02} min left"


def _summary(report: Any) -> str:
    counts = dict.fromkeys(("done", "kept", "judged", "failed"), 0)
    for record in report.records:
        counts[record["status"]] += 1
    words = {"done": "enhanced", "kept": "kept from before", "judged": "only compared", "failed": "failed"}
    said = ", ".join(f"{count} {words[status]}" for status, count in counts.items() if count)
    return f"marsqe: {said}; see {', '.join(map(str, report.summaries))}"


def _line(r: dict[str, Any]) -> str:
    gain = f", {r['delta_psnr']:+.2f} dB" if r.get("delta_psnr") is not None else ""
    return f"{r['input']} -> {r['output']} ({r['status']}, {r['model']}, {r['seconds']:.1f} s{gain})"
