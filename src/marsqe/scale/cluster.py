"""A Dask cluster: one that runs already, or one started on this machine with one worker per graphics card."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any, Final

from marsqe.errors import MarsqeError, SettingError
from marsqe.extras import from_extra
from marsqe.progress import run
from marsqe.scale.crew import AHEAD, Emit, Update
from marsqe.scale.ledger import Record
from marsqe.scale.settings import Settings
from marsqe.scale.stages import Task, compute, failure, read, write

RETRIES: Final = 3
"""How often an image is tried again when its worker dies."""

_CONNECT: Final = "20s"
_STAGES_AT_ONCE: Final = 2
"""Threads of a worker started here: one computes, the other reads and writes."""

_COMPUTING = threading.Lock()


class Cluster:
    """Workers of a Dask cluster. They and this process must see the same files under the same names.

    Parameters
    ----------
    scheduler : str or None
        Address of a running scheduler, for example "tcp://host:8786".
    local : int or None
        Instead, the number of workers to start here, on addresses of this machine that no other can reach. With
        graphics cards each worker gets one of them.

    Raises
    ------
    MissingExtraError
        If the extra ``scale`` is not installed.
    """

    def __init__(self, scheduler: str | None, local: int | None = None) -> None:
        if (scheduler is None) == (local is None):
            raise SettingError("give either the address of a scheduler or a number of local workers")
        self._dask = from_extra("distributed", "scale", "Work on a Dask cluster")
        self._scheduler, self._local = scheduler, local
        self._stop = threading.Event()

    def stop(self) -> None:
        """See :class:`marsqe.scale.crew.Crew`."""
        self._stop.set()

    def work(self, tasks: Iterator[Task], settings: Settings, emit: Emit) -> None:
        """See :class:`marsqe.scale.crew.Crew`."""
        with ExitStack() as stack:
            client = self._client(stack, settings)
            finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
            flying: dict[str, tuple[Any, Task]] = {}

            def fill() -> None:
                # Only so many at once: the scheduler's memory must not grow with the batch.
                while len(flying) < AHEAD * max(1, len(client.nthreads())):
                    task = next(tasks, None)
                    if task is None:
                        return
                    future = client.submit(on_worker, task, settings, pure=False, retries=RETRIES)
                    flying[future.key] = future, task
                    emit(Update(task.name, "enhancing"))
                    future.add_done_callback(finished.put)

            fill()
            while flying and not self._stop.is_set():
                with suppress(queue.Empty):
                    future = finished.get(timeout=0.2)
                    record = _record_of(future, flying.pop(future.key)[1])
                    emit(Update(str(record["output"]), str(record["status"]), record))
                    fill()
            client.cancel([future for future, _ in flying.values()])

    def _client(self, stack: ExitStack, settings: Settings) -> Any:
        address = self._scheduler
        if self._local is not None:
            address = stack.enter_context(local_cluster(self._dask, self._local, settings)).scheduler_address
        try:
            return stack.enter_context(self._dask.Client(address, timeout=_CONNECT, set_as_default=False))
        except (OSError, ValueError) as error:
            raise SettingError(f"no Dask scheduler answers at {address}; check the address and that it runs") from error


def on_worker(task: Task, settings: Settings) -> Record:
    """One image on a worker of the cluster; images share the model, and are computed one after another.

    Errors that another try would not mend become a record. Others are raised, and the cluster tries again.
    """
    try:
        loaded = read(task)
        with _COMPUTING:
            computed = run(compute(loaded, settings))
        return write(computed)
    except MarsqeError as error:
        return failure(task, error)


def _record_of(future: Any, task: Task) -> Record:
    try:
        record: Record = future.result()
    except Exception as error:  # whatever a worker raised, or that its workers died again and again
        return failure(task, error)
    return record


def local_cluster(dask: Any, count: int, settings: Settings) -> Any:
    """Start a scheduler and workers on this machine, reachable from it alone; a context manager.

    Raises
    ------
    SettingError
        If there are graphics cards, but fewer than workers: two would fight for the memory of one.
    """
    here, quiet = {"host": "127.0.0.1"}, {"dashboard": False, "silence_logs": logging.CRITICAL}
    environments = worker_environments(count, visible_cards() if settings.device in ("auto", "cuda") else [])
    workers = {
        index: {
            "cls": dask.Nanny,
            "options": here | quiet | {"nthreads": _STAGES_AT_ONCE, "env": environment, "memory_limit": 0},
        }
        for index, environment in enumerate(environments)
    }
    scheduler = {"cls": dask.Scheduler, "options": here | {"port": 0, "dashboard": False}}
    return dask.SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL)


def worker_environments(count: int, cards: list[str]) -> list[dict[str, str]]:
    """Environment variables of each worker: its share of the cores, and one card where there are any.

    Raises
    ------
    SettingError
        As :func:`local_cluster`.
    """
    if cards and count > len(cards):
        raise SettingError(
            f"{count} workers are asked for, but there are {len(cards)} graphics cards; ask for as many or fewer, or "
            "choose --device cpu"
        )
    share = str(max(1, (os.cpu_count() or 1) // count))
    threads = {"OMP_NUM_THREADS": share, "MKL_NUM_THREADS": share}
    return [threads | ({"CUDA_VISIBLE_DEVICES": cards[index]} if cards else {}) for index in range(count)]


def visible_cards() -> list[str]:
    """Names of the CUDA devices that this process may use, as ``CUDA_VISIBLE_DEVICES`` takes them."""
    import torch

    if not torch.cuda.is_available():
        return []
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return named or [str(index) for index in range(torch.cuda.device_count())]
