"""Do many tasks, here or in several processes, as a generator of progress."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from marsqe.errors import DeviceError
from marsqe.progress import Progress, Steps
from marsqe.reproduce.measure import Result, Task, measure

STEP = "Measuring"


def threads_of(jobs: int) -> int:
    """Threads of each of so many processes."""
    return max(1, (os.cpu_count() or 1) // jobs)


def measure_steps(tasks: Sequence[Task], jobs: int) -> Steps[Result]:
    """Do all tasks; leaving the generator cancels those that have not begun.

    Raises
    ------
    DeviceError
        If a process was ended from outside, as systems do that run out of memory. What was done is in the cache.
    """
    total = Result()
    yield Progress(STEP, 0, len(tasks))
    if jobs == 1:
        for done, task in enumerate(tasks, 1):
            _add(total, measure(task))
            yield Progress(STEP, done, len(tasks))
        return total
    # Forked copies of a process that has torch's threads hang: each is started afresh.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_start, initargs=(threads_of(jobs),))
    try:
        futures = {pool.submit(measure, task): n for n, task in enumerate(tasks)}
        results: dict[int, Result] = {}
        for done, future in enumerate(as_completed(futures), 1):
            results[futures[future]] = future.result()
            yield Progress(STEP, done, len(tasks))
    except BrokenProcessPool as error:
        raise DeviceError(
            "a process was ended from outside, probably for want of memory; run the same command again with fewer "
            "--jobs: what was done is kept"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    for n in sorted(results):
        _add(total, results[n])
    return total


def _add(total: Result, part: Result) -> None:
    total.rows += part.rows
    total.failures += part.failures
    total.fresh += part.fresh


def _start(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
