"""A process that is killed at any moment leaves whole files and a ledger that knows them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kills_at_seeded_moments_lose_nothing() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "kill.py"), "--kills", "5", "--seed", "4", "--images", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "3 kills of a batch of 5 images, 2 of an export" in done.stdout
