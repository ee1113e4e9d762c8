"""A short run of the fuzzer, and that it would tell what it is there to find."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

PATCHED = ("safetensors", "card", "dictionary", "own")
"""Kinds whose trials put something in the place of what is bundled."""
WITH_WEIGHTS = ("own", "record", "provenance", "session", "ledger")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

if sys.platform != "linux":
    pytest.skip("the limits of the fuzzer's processes are those of Linux", allow_module_level=True)
pytest.importorskip("av", reason="the seeds of BPG and HEIC need the extra codecs")
pytest.importorskip("pdr", reason="products need the extra pds")


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / "fuzz.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def test_every_damaged_input_gives_a_value_or_a_helpful_error() -> None:
    done = fuzz("--count", "200", "--seed", "2026")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "200 inputs, 0 wrong" in done.stdout


@pytest.fixture
def fuzzing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.usefixtures("fuzzing")
def test_the_same_seed_gives_the_same_inputs() -> None:
    from fuzzing.mutate import mutated

    def made(seed: int) -> list[bytes]:
        r = random.Random(seed)
        return [mutated(r, "pds3", [b"LINES = 3\nEND\n", b"OBJECT = IMAGE\n"]) for _ in range(50)]

    assert made(1) == made(1)
    assert made(1) != made(2)


@pytest.mark.usefixtures("fuzzing")
def test_sound_files_are_accepted_whatever_was_tried_before(tmp_path: Path) -> None:
    """Trials that leave a trace in their process would make all that follow refuse everything."""
    from fuzzing.seeds import SEEDS
    from fuzzing.trials import TRIALS

    for number, kind in enumerate((*PATCHED, *WITH_WEIGHTS)):
        folder = tmp_path / str(number)
        folder.mkdir()
        TRIALS[kind](kind, SEEDS[kind]()[0], folder)


@pytest.mark.usefixtures("fuzzing")
@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        ("ReadError('cannot open a.jpg: it is cut short; fetch it again')", "refused"),
        ("ReadError('no')", "wrong"),
        ("ReadError('cannot open a.jpg: a library said\\nthis over two lines')", "wrong"),
        ("ValueError('cannot open a.jpg: it is cut short; fetch it again')", "wrong"),
        ("SystemExit(3)", "wrong"),
    ],
)
def test_outcomes(raised: str, outcome: str) -> None:
    from fuzzing.worker import judge

    from marsqe.errors import ReadError

    error = eval(raised, {"ReadError": ReadError})
    assert judge(error)[0] == outcome


@pytest.mark.usefixtures("fuzzing")
def test_a_death_and_a_silence_are_findings() -> None:
    import fuzz as program

    def worker_of(code: str, wall: float | None = None) -> program.Worker:
        worker = program.Worker(wall)
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        worker.process = process
        return worker

    answer = worker_of("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").ask("jpeg", b"x")
    assert answer["outcome"] == "wrong"
    assert "-11" in answer["detail"]
    answer = worker_of("import time; time.sleep(60)", 0.2).ask("jpeg", b"x")
    assert answer["outcome"] == "wrong"
    assert "no answer" in answer["detail"]


@pytest.mark.usefixtures("fuzzing")
def test_time_and_memory_are_limits() -> None:
    import fuzz as program

    tally = program.Tally()
    fine = {"outcome": "refused", "detail": "", "seconds": 0.1, "peak": 1000}
    tally.add("png", b"", dict(fine), None)
    assert not tally.findings
    tally.add("png", b"", fine | {"seconds": program.SECONDS + 1}, None)
    tally.add("png", b"", fine | {"peak": program.PEAK + 1}, None)
    assert len(tally.findings) == 2
