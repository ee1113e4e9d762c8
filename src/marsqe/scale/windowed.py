"""The computing stage of an image that is too large for the memory: read, enhanced, written and compared in parts."""

from __future__ import annotations

import os
import tempfile
import uuid
from functools import partial
from pathlib import Path

from marsqe.errors import MarsqeError
from marsqe.image import MarsImage
from marsqe.judgement.bands import judge_in_bands_steps
from marsqe.judgement.fidelity import check_alike
from marsqe.progress import Steps
from marsqe.read.large import open_large
from marsqe.read.rows import Rows
from marsqe.scale.ledger import Record
from marsqe.scale.mosaic import enhance_large_steps
from marsqe.scale.settings import Settings
from marsqe.scale.stages import DONE, JUDGED, Computed, Large, Loaded, about_truth, facts_of


def compute_large(loaded: Loaded, large: Large, settings: Settings) -> Steps[Computed]:
    """Enhance in windows into a file of the batch's own, and compare with the truth where there is one."""
    task = loaded.task
    if large.finished:
        facts = (task.before or {}) | {"status": JUDGED}
        facts |= yield from _compared(loaded, large, Path(task.target))
        return Computed(task, facts)
    file = Path(task.parts) / f"{uuid.uuid4().hex}.tif"
    try:
        result = yield from enhance_large_steps(
            *(Path(task.source), file, settings.model, settings.device),
            faithful=settings.faithful,
            batch=settings.batch,
        )
        facts = facts_of(result.header, loaded, settings) | {
            "status": DONE,
            "device": result.device,
            "seconds": round(result.seconds, 3),
            **{f"share_{name}": round(share, 4) for name, share in result.shares.items()},
            "mean_change": result.mean_change,
            "largest_change": result.largest_change,
        }
        facts |= yield from _compared(loaded, large, file)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return Computed(task, facts, partial(os.replace, file), file)


def _compared(loaded: Loaded, large: Large, enhanced: Path) -> Steps[Record]:
    """Metrics of a written result against the truth; without one, only what the record says of it."""
    task, problem, metrics = loaded.task, loaded.problem, {}
    if task.truth is not None and problem is None:
        try:
            metrics = yield from _against(Path(task.truth), Path(task.source), enhanced, Path(task.parts))
        except MarsqeError as error:
            problem = str(error)
    return metrics | about_truth(task, problem, large.truth_sha256)


def _against(truth: Path, source: Path, enhanced: Path, parts: Path) -> Steps[dict[str, float]]:
    with tempfile.TemporaryDirectory(dir=parts) as name:

        def opened(path: Path, role: str) -> tuple[MarsImage, Rows]:
            scratch = Path(name) / role
            scratch.mkdir()
            return open_large(path, scratch)

        (original, raw), (_, received), (made, written) = (
            opened(path, role) for path, role in ((truth, "truth"), (source, "source"), (enhanced, "enhanced"))
        )
        check_alike(original.pixels, made.pixels, "truth")
        return (yield from judge_in_bands_steps(made.pixels.shape, written.read, received.read, raw.read))
