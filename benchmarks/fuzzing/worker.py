"""The process in which inputs are tried, so that a crash of native code ends this one alone.

Reads from standard input a JSON line with ``kind`` and ``size`` and then the bytes; answers with a JSON line on the
descriptor that was standard output. Whatever a library prints goes elsewhere, and is a finding.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzzing.trials import TRIALS
from marsqe.errors import MarsqeError


def _peak() -> int:
    """Peak memory of this process in bytes since :func:`_forget_peak`, where the system tells."""
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


class Children:
    """Processor time and peak memory of the processes that were started and waited for, which the caller's leave out.

    The peak of one is never less than the caller's memory when it was started: so the system counts.
    """

    def __init__(self) -> None:
        self.seconds, self.peak = 0.0, 0
        os.waitpid = self._wait

    def _wait(self, pid: int, options: int) -> tuple[int, int]:
        found, status, usage = os.wait4(pid, options)
        if found:
            self.seconds += usage.ru_utime + usage.ru_stime
            self.peak = max(self.peak, usage.ru_maxrss * 1024)
        return found, status


def _place(error: BaseException) -> str:
    """The innermost line that raised, which tells one defect from another."""
    lines = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(lines[-1].filename).name}:{lines[-1].lineno}" if lines else ""
    return f"{type(error).__name__}{where}"


def judge(error: BaseException) -> tuple[str, str]:
    """An outcome and its detail, of what a trial raised."""
    text = str(error)
    if isinstance(error, MarsqeError):
        helpful = 25 <= len(text) <= 3000 and text.isprintable() and "Traceback" not in text
        return ("refused", "") if helpful else ("wrong", f"unhelpful text: {text[:300]!r}")
    return "wrong", f"{_place(error)}: {text[:300]}"


def attempt(kind: str, data: bytes, folder: Path, spilled: Any, children: Children) -> dict[str, Any]:
    """Try one input and say what became of it."""
    spilled.seek(0)
    spilled.truncate()
    _forget_peak()
    children.seconds, children.peak = 0.0, 0
    before, started = _peak(), time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            TRIALS[kind](kind, data, folder)
            outcome, detail = "valid", ""
        except BaseException as error:  # a SystemExit from a library is a finding as well
            outcome, detail = judge(error)
    seconds, peak = time.process_time() - started + children.seconds, max(_peak() - before, children.peak)
    spilled.seek(0)
    noise = spilled.read(400).decode(errors="replace")
    if outcome != "wrong" and noise:
        outcome, detail = "wrong", f"printed: {noise[:200]!r}"
    if outcome != "wrong" and caught:
        outcome, detail = "wrong", f"warned: {caught[0].category.__name__}: {str(caught[0].message)[:200]}"
    return {"outcome": outcome, "detail": detail, "seconds": seconds, "peak": peak}


def main() -> None:
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    children = Children()
    answers = os.fdopen(os.dup(1), "w")
    questions = sys.stdin.buffer
    with tempfile.TemporaryFile("w+b", buffering=0) as spilled, tempfile.TemporaryDirectory(prefix="fuzz-") as home:
        os.dup2(spilled.fileno(), 1)
        os.dup2(spilled.fileno(), 2)
        for line in questions:
            question = json.loads(line)
            data = questions.read(question["size"])
            with tempfile.TemporaryDirectory(dir=home) as folder:
                answer = attempt(question["kind"], data, Path(folder), spilled, children)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
