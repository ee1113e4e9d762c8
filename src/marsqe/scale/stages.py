"""The three stages of one image: read, compute, write. Each runs in a thread of its own, so that they overlap."""

from __future__ import annotations

import hashlib
import math
import os
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import marsqe
from marsqe.errors import ExportError, MarsqeError, ReadError
from marsqe.export.options import ExportOptions
from marsqe.image import MarsImage
from marsqe.progress import Progress, Steps
from marsqe.results import Enhancement
from marsqe.scale.files import check_brings_tables, digest_of, earlier_result, pixels_of, size_in_bytes
from marsqe.scale.ledger import Record
from marsqe.scale.settings import Settings

DONE, KEPT, JUDGED, FAILED = "done", "kept", "judged", "failed"
"""Ends of a task: enhanced now, finished before, finished before but compared with a truth only now, failed."""


@dataclass(frozen=True)
class Task:
    """One image to be enhanced; small enough to be sent to other processes.

    Attributes
    ----------
    source : str
    name : str
        Of the result below the output folder.
    target, parts : str
        Where the result goes, and the folder in which it is written first.
    fingerprint : str
        Of the settings and weights.
    truth : str or None
    before : dict or None
        What the ledger says of a result of this name.
    windows_above : int or None
        Pixels above which the image is enhanced in windows; None for never.
    estimate : bool
        Whether its tables are estimated where it brings none.
    """

    source: str
    name: str
    target: str
    parts: str
    fingerprint: str
    truth: str | None = None
    before: Record | None = None
    windows_above: int | None = None
    estimate: bool = False


@dataclass(frozen=True)
class Loaded:
    """What reading gives: a record, where the result is there already, else the image to enhance.

    ``earlier`` holds the pixels of a finished result that is only to be compared with a truth. Of an image that is to
    be enhanced in windows nothing is read yet: ``large`` says what is to be done.
    """

    task: Task
    key: str
    image: MarsImage | None = None
    truth: MarsImage | None = None
    problem: str | None = None
    earlier: MarsImage | None = None
    record: Record | None = None
    large: Large | None = None


@dataclass(frozen=True)
class Large:
    """An image that is not to be held: whether its result is ``finished``, and the hash of its truth, if any."""

    finished: bool
    truth_sha256: str | None


@dataclass(frozen=True)
class Computed:
    """A record, and what writes the result, unless it was there before; ``file`` is the batch's own that holds it."""

    task: Task
    record: Record
    save: Callable[[Path], Any] | None = None
    file: Path | None = None


def read(task: Task) -> Loaded:
    """Read the source, unless its result is finished already, and the truth.

    Raises
    ------
    ReadError, MissingExtraError
        If the source cannot be opened.
    SettingError
        If its tables are to be estimated and cannot be.
    """
    source = Path(task.source)
    digest = digest_of(source)
    key = hashlib.sha256(f"{task.fingerprint}{digest}".encode()).hexdigest()
    before = task.before or {}
    finished = before.get("key") == key and size_in_bytes(Path(task.target)) == before.get("output_bytes")
    large = task.windows_above is not None and pixels_of(source) > task.windows_above
    truth, problem, truth_digest = _read_truth(task, whole=not large)
    if finished and (truth_digest is None or truth_digest == before.get("truth_sha256")) and problem is None:
        return Loaded(task, key, record=before | {"status": KEPT})
    if large:
        if task.estimate:
            check_brings_tables(source)
        return Loaded(task, key, problem=problem, large=Large(finished, truth_digest))
    image = marsqe.open_image(source)
    if task.estimate and image.compression.tables is None:
        from marsqe.codecs.estimated import cut_alike, with_estimated_tables

        image = with_estimated_tables(image)
        truth = None if truth is None else cut_alike(truth, image)
    earlier = earlier_result(Path(task.target), image) if finished else None
    return Loaded(task, key, image, truth, problem, earlier)


def compute(loaded: Loaded, settings: Settings) -> Steps[Computed]:
    """Enhance, and compare with the truth where there is one."""
    if loaded.record is not None:
        return Computed(loaded.task, loaded.record)
    if loaded.large is not None:
        from marsqe.scale.windowed import compute_large

        return (yield from compute_large(loaded, loaded.large, settings))
    assert loaded.image is not None
    image, problem = loaded.image, loaded.problem
    result: Enhancement | None = None
    if loaded.earlier is None:
        result = yield from marsqe.enhance_steps(
            image, settings.model, settings.device, faithful=settings.faithful, batch=settings.batch
        )
        facts = facts_of(image, loaded, settings) | {
            "status": DONE,
            "device": result.device,
            "seconds": round(result.seconds, 3),
            **{f"share_{name}": round(share, 4) for name, share in result.terrain.shares().items()},
        }
        pixels = result.pixels
    else:
        facts = (loaded.task.before or {}) | {"status": JUDGED}
        pixels = loaded.earlier.pixels
    yield Progress("Comparing", 0, 1)
    try:
        metrics = marsqe.judge(pixels, loaded.truth, compressed=image.pixels).metrics
    except MarsqeError as error:
        problem = str(error)
        metrics = marsqe.judge(pixels, compressed=image.pixels).metrics
    facts |= metrics
    facts |= about_truth(loaded.task, problem, None if loaded.truth is None else loaded.truth.sha256)
    options = ExportOptions(depth=settings.depth)
    return Computed(loaded.task, facts, None if result is None else partial(result.save, options=options))


def about_truth(task: Task, problem: str | None, sha256: str | None) -> Record:
    """What a record says of the truth: which it was, or why it could not be used."""
    return {
        "truth_sha256": None if problem else sha256,
        "problem": f"its truth {task.truth}: {problem}" if problem else None,
    }


def write(computed: Computed) -> Record:
    """Write the result whole under its name, and complete the record.

    Raises
    ------
    ExportError
        If it cannot be written, or a file of that name is none of ours.
    """
    if computed.save is None:
        return computed.record
    task, target = computed.task, Path(computed.task.target)
    try:
        _refuse_foreign(target, task, str(computed.record["source_sha256"]))
        place_whole(target, Path(task.parts), computed.save)
    finally:
        if computed.file is not None:
            computed.file.unlink(missing_ok=True)
    return computed.record | {"output_bytes": target.stat().st_size}


def place_whole(target: Path, parts: Path, save: Callable[[Path], Any]) -> None:
    """Let ``save`` write a file in the folder ``parts``, then give it its name."""
    part = parts / f"{uuid.uuid4().hex}{target.suffix}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save(part)
        os.replace(part, target)
    except OSError as error:
        raise ExportError(f"cannot write {target}: {error.strerror or error}; free space or choose another") from error
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def process(task: Task, settings: Settings, steps_done: Callable[[Progress], None] = lambda _: None) -> Record:
    """All three stages, one after the other."""
    loaded = read(task)
    steps = compute(loaded, settings)
    while True:
        try:
            steps_done(next(steps))
        except StopIteration as stop:
            return write(stop.value)


def failure(task: Task, error: BaseException) -> Record:
    """The record of a task that ended with an error."""
    if isinstance(error, MarsqeError):
        text = str(error)
    elif isinstance(error, MemoryError):
        text = "there was not enough memory; use fewer workers"
    else:
        text = f"something unexpected went wrong ({type(error).__name__}: {error})"
    return {"status": FAILED, "source": task.source, "output": task.name, "problem": text}


def _read_truth(task: Task, *, whole: bool) -> tuple[MarsImage | None, str | None, str | None]:
    """The truth, or what is wrong with it, and its hash; if not ``whole``, only the hash."""
    if task.truth is None:
        return None, None, None
    try:
        if not whole:
            return None, None, digest_of(Path(task.truth))
        truth = marsqe.open_image(task.truth)
    except MarsqeError as error:
        return None, str(error), None
    return truth, None, truth.sha256


def facts_of(image: MarsImage, loaded: Loaded, settings: Settings) -> Record:
    """What a summary says of an image and of how it was enhanced."""
    compression, product = image.compression, image.product
    height, width = image.shape
    bits = compression.bits_per_pixel
    return {
        "source": loaded.task.source,
        "warnings": "; ".join(image.warnings) or None,
        "output": loaded.task.name,
        "key": loaded.key,
        "source_sha256": image.sha256,
        "model": settings.model,
        "faithful": settings.faithful,
        "width": width,
        "height": height,
        "channels": 3 if image.is_colour else 1,
        "codec": compression.codec,
        "quality": compression.quality,
        "quality_exact": compression.quality_exact,
        "subsampling": compression.subsampling_name,
        "tables_estimated": "estimated" in image.metadata,
        "bits_per_pixel": round(bits, 4) if math.isfinite(bits) else None,
        "mission": product.mission,
        "camera": product.camera,
        "eye": product.eye,
        "filter": product.filter,
        "sol": product.sol,
        "clock": product.clock,
        "product_type": product.product_type,
        "onboard_compression": product.onboard_compression,
    }


def _refuse_foreign(target: Path, task: Task, source_sha256: str) -> None:
    """A file that is there already must be a result of ours: of the ledger, or of a run that was killed."""
    if task.before is not None or not target.exists():
        return
    from marsqe.export import read_provenance

    with suppress(ReadError):
        if read_provenance(target).get("source", {}).get("sha256") == source_sha256:
            return
    raise ExportError(
        f"cannot write {target}: there is a file of that name that no batch wrote; choose another output folder"
    )
