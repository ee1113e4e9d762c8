"""What all tests share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

# Before anything imports torch, Qt or napari: one thread (several wait for each other on busy cores), and neither
# settings nor references nor weights read from or written to the home of whoever runs the tests.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ["NAPARI_CONFIG"] = ""
_own = tempfile.TemporaryDirectory(prefix="marsqe-tests-")
os.environ["MARSQE_DATA"] = _own.name


@pytest.fixture
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of references and weights, empty."""
    monkeypatch.setenv("MARSQE_DATA", str(tmp_path / "own"))
    return tmp_path / "own"
