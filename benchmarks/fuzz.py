"""Fuzz every reader and the command line with damaged files.

    python benchmarks/fuzz.py [--count N] [--seed S] [--kinds jpeg png ...] [--keep DIR] [--wall S]

Every input must give a valid value or a ``MarsqeError`` whose text helps. Anything else is a finding: another
exception, a process that died of a signal, more than the time or the memory that one small file may cost, or anything
that a library printed or warned. The same seed gives the same inputs. Exit code 1 where there are findings.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import select
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from fuzzing.arguments import command_line
from fuzzing.mutate import mutated
from fuzzing.seeds import SEEDS

SECONDS = 10.0
"""Processor time that one small file may cost."""
WALL = 60.0
"""Time after which a worker is ended; longer, for machines are shared. ``--wall`` for those that are busy."""
PEAK = 1 << 30
"""Memory in bytes that one small file may cost on top of the process."""
SPACE = 12 << 30
"""Address space of a worker, which protects the machine."""
KINDS = (*SEEDS, "command")


class Worker:
    """A process that tries inputs; started again when one has killed it."""

    def __init__(self, wall: float | None = None) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.wall = WALL if wall is None else wall

    def ask(self, kind: str, data: bytes) -> dict[str, Any]:
        """What became of one input."""
        if self.process is None:
            command = [sys.executable, str(Path(__file__).parent / "fuzzing" / "worker.py"), str(SPACE)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        pipes = self.process.stdin, self.process.stdout
        assert pipes[0] is not None and pipes[1] is not None
        try:
            pipes[0].write(json.dumps({"kind": kind, "size": len(data)}).encode() + b"\n" + data)
            pipes[0].flush()
            ready, _, _ = select.select([pipes[1]], [], [], self.wall)
            line = pipes[1].readline() if ready else None
        except BrokenPipeError:
            line = b""
        if line:
            return dict(json.loads(line))
        code = self.stop()
        detail = f"no answer within {self.wall:.0f} s" if line is None else f"the process died with exit code {code}"
        return {"outcome": "wrong", "detail": detail, "seconds": 0.0, "peak": 0}

    def stop(self) -> int | None:
        """End the process and say how it ended."""
        process, self.process = self.process, None
        if process is None:
            return None
        try:
            code: int | None = process.wait(1)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        return code


@dataclass
class Tally:
    """What was found so far."""

    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    findings: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    largest: int = 0

    def add(self, kind: str, data: bytes, answer: dict[str, Any], keep: Path | None) -> None:
        """Count one answer; of a defect's inputs the first is kept."""
        self.slowest, self.largest = max(self.slowest, answer["seconds"]), max(self.largest, answer["peak"])
        if answer["outcome"] != "wrong" and answer["seconds"] > SECONDS:
            answer |= {"outcome": "wrong", "detail": f"more than {SECONDS:.0f} s of processor time"}
        if answer["outcome"] != "wrong" and answer["peak"] > PEAK:
            answer |= {"outcome": "wrong", "detail": f"more than {PEAK / 2**30:.0f} GiB of memory"}
        self.outcomes[kind][answer["outcome"]] += 1
        self.seconds[kind] += answer["seconds"]
        if answer["outcome"] != "wrong":
            return
        # Numbers and addresses differ between inputs that show one defect.
        key = kind, "".join(c for c in answer["detail"] if not c.isdigit())[:80]
        known = self.findings.setdefault(key, [])
        known.append(answer["detail"])
        if len(known) == 1:
            sys.stdout.write(f"FOUND {kind}: {answer['detail']}\n")
            sys.stdout.flush()
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}").write_bytes(data)


def inputs(count: int, seed: int, kinds: list[str]) -> Any:
    """Kinds in turn and a damaged file of each; the same for the same seed."""
    made = {kind: maker() for kind, maker in SEEDS.items() if kind in kinds or (kind == "jpeg" and "command" in kinds)}
    for number in range(count):
        r = random.Random(f"{seed} {number}")
        kind = kinds[number % len(kinds)]
        yield kind, command_line(r, made["jpeg"]) if kind == "command" else mutated(r, kind, made[kind])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--keep", type=Path, help="keep one input of each finding in this folder")
    parser.add_argument("--wall", type=float, default=WALL, help="seconds after which a silent process is ended")
    chosen = parser.parse_args()
    worker, tally, started = Worker(chosen.wall), Tally(), time.monotonic()
    try:
        for kind, data in inputs(chosen.count, chosen.seed, chosen.kinds):
            tally.add(kind, data, worker.ask(kind, data), chosen.keep)
    finally:
        worker.stop()
    for kind, outcomes in tally.outcomes.items():
        sys.stdout.write(
            f"{kind}: {', '.join(f'{n} {name}' for name, n in sorted(outcomes.items()))}; {tally.seconds[kind]:.1f} s\n"
        )
    for (kind, _), details in tally.findings.items():
        sys.stdout.write(f"{len(details)} times {kind}: {details[0]}\n")
    wrong = sum(len(details) for details in tally.findings.values())
    sys.stdout.write(
        f"{chosen.count} inputs, {wrong} wrong, {time.monotonic() - started:.0f} s; the slowest took "
        f"{tally.slowest:.1f} s of processor time, the largest {tally.largest / 2**20:.0f} MiB\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
