"""Several processes of this machine, each with its own model, each an :class:`Inline` crew of its own."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final

from marsqe.errors import SettingError
from marsqe.scale.crew import AHEAD, Emit, Inline, Update
from marsqe.scale.settings import Settings
from marsqe.scale.stages import FAILED, Task

MOST: Final = 64
"""Workers of one machine."""

_TRIES: Final = 2
"""How often a task may take its process down, when it is alone in it."""
_GRACE: Final = 20.0
"""Seconds in which a process that was asked to stop may finish what it writes."""
_STOP: Final = "stop"


class Processes:
    """A fixed number of processes. One that dies is replaced, and what it held is done again."""

    def __init__(self, count: int) -> None:
        if not 1 <= count <= MOST:
            raise SettingError(f"the number of workers must lie in 1-{MOST}, not {count}")
        self.count = count
        self._stop = threading.Event()

    def stop(self) -> None:
        """See :class:`marsqe.scale.crew.Crew`."""
        self._stop.set()

    def work(self, tasks: Iterator[Task], settings: Settings, emit: Emit) -> None:
        """See :class:`marsqe.scale.crew.Crew`."""
        shared = _Shared(tasks)
        threads = max(1, (os.cpu_count() or 1) // self.count)
        slots = [_Slot(settings, threads, shared, emit, self._stop) for _ in range(self.count)]
        runners = [threading.Thread(target=slot.run, daemon=True) for slot in slots]
        for runner in runners:
            runner.start()
        for runner in runners:
            runner.join()


class _Shared:
    """The tasks that nobody has taken yet."""

    def __init__(self, tasks: Iterator[Task]) -> None:
        self._tasks, self._guard = tasks, threading.Lock()

    def take(self) -> Task | None:
        with self._guard:
            return next(self._tasks, None)


@dataclass
class _Slot:
    """One place for a process, and the thread that serves it."""

    settings: Settings
    threads: int
    shared: _Shared
    emit: Emit
    stopped: threading.Event
    flying: dict[str, Task] = field(default_factory=dict)
    again: deque[Task] = field(default_factory=deque)
    tries: dict[str, int] = field(default_factory=dict)

    def run(self) -> None:
        """Serve processes until no task is left."""
        while not self.stopped.is_set():
            task = self._next()
            if task is None:
                return
            self._serve(task)

    def _next(self) -> Task | None:
        return self.again.popleft() if self.again else self.shared.take()

    def _serve(self, first: Task) -> None:
        """Work with one process until no task is left, it dies, or all is stopped."""
        process, connection = _start(self.settings, self.threads)
        deadline: float | None = None
        try:
            self._send(connection, first)
            while True:
                if self.stopped.is_set() and deadline is None:
                    connection.send(_STOP)
                    deadline = time.monotonic() + _GRACE
                if deadline is None:
                    self._fill(connection)
                if not self.flying:
                    break
                if connection.poll(0.2):
                    self._receive(connection.recv())
                elif deadline is not None and time.monotonic() > deadline:
                    break
            if deadline is None:
                connection.send(None)
        except (EOFError, OSError):
            if deadline is None:
                self._recover()
        finally:
            process.join(_GRACE if deadline is None else 1.0)
            if process.is_alive():
                process.kill()
                process.join()
            connection.close()

    def _fill(self, connection: Connection) -> None:
        # What was in a process that died goes alone, so that the one that did it is found.
        while len(self.flying) < AHEAD and not any(name in self.tries for name in self.flying):
            if self.again and self.flying:
                return
            task = self._next()
            if task is None:
                return
            self._send(connection, task)

    def _send(self, connection: Connection, task: Task) -> None:
        self.flying[task.name] = task
        connection.send(task)

    def _receive(self, update: Update) -> None:
        if update.record is not None:
            self.flying.pop(update.name, None)
            self.tries.pop(update.name, None)
        self.emit(update)

    def _recover(self) -> None:
        alone = len(self.flying) == 1
        for task in self.flying.values():
            self.tries[task.name] = self.tries.get(task.name, 0) + alone
            if self.tries[task.name] < _TRIES:
                self.again.append(task)
                continue
            text = "its process ended twice, probably for want of memory; use fewer workers"
            record = {"status": FAILED, "source": task.source, "output": task.name, "problem": text}
            self.emit(Update(task.name, FAILED, record))
        self.flying.clear()


def _start(settings: Settings, threads: int) -> tuple[Any, Connection]:
    # Spawned, not forked: threads and CUDA do not survive a fork.
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, settings, threads), daemon=True)
    process.start()
    theirs.close()
    return process, mine


def serve(connection: Connection, settings: Settings, threads: int) -> None:
    """Life of a worker process: take tasks from the connection, send back what becomes of them."""
    # Ctrl-C reaches all processes of a terminal; the first one tells the others what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    crew, inbox, guard = Inline(), queue.SimpleQueue[Task | None](), threading.Lock()

    def listen() -> None:
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                # The first process was killed. The next one may be at work in the folder already.
                os._exit(1)
            if message == _STOP:
                crew.stop()
                message = None
            inbox.put(message)

    def emit(update: Update) -> None:
        with guard:
            connection.send(update)

    threading.Thread(target=listen, daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    crew.work(iter(inbox.get, None), settings, emit)
