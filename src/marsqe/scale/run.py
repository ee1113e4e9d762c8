"""A batch from beginning to end, as a generator of progress."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from marsqe.errors import ExportError
from marsqe.progress import Progress, Steps
from marsqe.scale.crew import Crew, Inline, Update
from marsqe.scale.ledger import Ledger, Record
from marsqe.scale.settings import Settings, fingerprint, resolved, windows_above
from marsqe.scale.sources import Source
from marsqe.scale.stages import FAILED, KEPT, Task
from marsqe.scale.summary import write_summaries

STEP = "Enhancing images"


@dataclass(frozen=True)
class BatchProgress(Progress):
    """Progress in images.

    Attributes
    ----------
    update : Update or None
        What has just happened to which image.
    left : float or None
        Seconds that the rest will take, as far as the images done so far tell.
    """

    update: Update | None = None
    left: float | None = None


@dataclass(frozen=True)
class Report:
    """What a batch leaves.

    Attributes
    ----------
    records : list of dict
        One for each source, in the order of the outputs' names. "status" is "done", "kept" (finished in an earlier
        run), "judged" (finished earlier, compared with a truth now) or "failed", which has its "problem".
    summaries : list of Path
        Tables of all finished results of the folder and the failures of this run.
    """

    records: list[Record]
    summaries: list[Path] = field(default_factory=list)

    @property
    def failures(self) -> list[Record]:
        """Records of what did not go well: failed images, and truths that could not be used."""
        return [record for record in self.records if record.get("problem")]


def batch_steps(
    sources: Sequence[Source], out: Path, settings: Settings | None = None, crew: Crew | None = None
) -> Steps[Report]:
    """Enhance all sources into a folder, with progress; leaving the generator cancels.

    Results that the folder holds already are kept where source, weights and settings are the same. Every finished
    image is in the ledger before it is reported, so that a run that ends at any moment goes on where it was.

    Parameters
    ----------
    sources : sequence of Source
        As :func:`marsqe.scale.sources.collect` finds them.
    out : Path
        Made where it is missing.
    settings : Settings, optional
    crew : Crew, optional
        Who does the work; this process by default.

    Yields
    ------
    BatchProgress

    Raises
    ------
    SettingError, WeightsError, DeviceError
        If nothing can be enhanced with these settings.
    ExportError
        If the folder cannot be written, is in use by another batch, or the disk is full. An image that fails raises
        nothing: it is in the report.
    """
    yield BatchProgress("Looking at the folder", 0, 0)
    chosen = resolved(settings or Settings())
    workers = crew or Inline()
    with Ledger(out) as ledger:
        tasks = _tasks(sources, out, ledger, chosen)
        records: dict[str, Record] = {}
        try:
            yield from _follow(tasks, chosen, workers, ledger, records)
        finally:
            # Also of a run that is left early: what is finished is in the tables.
            ordered = [records[name] for name in sorted(records)]
            summaries = write_summaries(out, ledger, ordered)
    return Report(ordered, summaries)


def _tasks(sources: Sequence[Source], out: Path, ledger: Ledger, settings: Settings) -> list[Task]:
    mark, above = fingerprint(settings), windows_above(settings)
    return [
        Task(
            source=str(source.path),
            name=source.output,
            target=str(out.absolute() / source.output),
            parts=str(ledger.parts.absolute()),
            fingerprint=mark,
            truth=None if source.truth is None else str(source.truth),
            before=ledger.latest.get(source.output),
            windows_above=above,
            estimate=settings.estimate,
        )
        for source in sources
    ]


class _Recorder:
    """Takes the crew's updates, in whatever thread they come: to the ledger first, then to the one who waits."""

    def __init__(self, ledger: Ledger, crew: Crew) -> None:
        self.updates: queue.SimpleQueue[Update | None] = queue.SimpleQueue()
        self.error: Exception | None = None
        self._ledger, self._crew = ledger, crew

    def emit(self, update: Update) -> None:
        record = update.record
        try:
            if record is not None and record["status"] not in (FAILED, KEPT) and self.error is None:
                self._ledger.append(record)
        except ExportError as error:
            # Without a ledger nothing more may be done: it would be lost.
            self.error = error
            self._crew.stop()
            return
        self.updates.put(update)

    def run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self.error = self.error or error
        finally:
            self.updates.put(None)

    def waiting(self) -> Iterator[Update | None]:
        """Updates as they come, until the crew has gone; None now and then, so that the one who waits can leave."""
        while True:
            try:
                # A wait without end would not notice Ctrl-C on every system.
                update = self.updates.get(timeout=0.5)
            except queue.Empty:
                yield None
                continue
            if update is None:
                return
            yield update


def _follow(
    tasks: list[Task], settings: Settings, crew: Crew, ledger: Ledger, records: dict[str, Record]
) -> Iterator[BatchProgress]:
    """Let the crew work, and tell how far it is; ``records`` fills up on the way."""
    recorder, pace = _Recorder(ledger, crew), _Pace(len(tasks))
    worker = threading.Thread(
        target=recorder.run, args=(lambda: crew.work(iter(tasks), settings, recorder.emit),), daemon=True
    )
    yield BatchProgress(STEP, 0, len(tasks))
    worker.start()
    try:
        for update in recorder.waiting():
            if update is not None and update.record is not None:
                records[update.name] = update.record
                pace.count(update.stage)
            yield BatchProgress(STEP, len(records), len(tasks), update=update, left=pace.left(len(records)))
    finally:
        crew.stop()
        worker.join()
        for update in recorder.waiting() if recorder.updates.qsize() else ():
            if update is not None and update.record is not None:
                records[update.name] = update.record
    if recorder.error is not None:
        raise recorder.error


class _Pace:
    """Time left, from the images that took time: those kept from an earlier run did not."""

    def __init__(self, total: int) -> None:
        self._total, self._start, self._counted = total, time.monotonic(), 0

    def count(self, status: str) -> None:
        if status == KEPT and self._counted == 0:
            self._start = time.monotonic()
        self._counted += status != KEPT

    def left(self, finished: int) -> float | None:
        if self._counted == 0:
            return None
        return (time.monotonic() - self._start) / self._counted * (self._total - finished)
