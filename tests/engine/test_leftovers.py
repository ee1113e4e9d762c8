"""What a killed export leaves beside its target goes with the next write, and nothing else does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from marsqe.export import leftovers
from marsqe.export.atomic import atomic, write_whole

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is removed, or not tried here")

WRITE = """
import sys, tempfile
from pathlib import Path
from marsqe.export.atomic import atomic
from marsqe.export.leftovers import SUFFIX, prefix
target = Path(sys.argv[1])
Path(tempfile.mkdtemp(prefix=prefix(), suffix=SUFFIX, dir=target.parent), "level1.raw").write_bytes(b"half")
with atomic(target) as part:
    part.write_bytes(b"half")
    print("writing", flush=True)
    sys.stdin.read()
"""


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".marsqe-*"))


def test_the_next_write_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    target = tmp_path / "a.tif"
    target.write_bytes(b"old")
    writing = subprocess.Popen(
        [sys.executable, "-c", WRITE, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writing.stdout is not None
    assert writing.stdout.readline() == "writing\n"
    there = parts(tmp_path)
    assert len(there) == 2
    write_whole(tmp_path / "b.tif", b"new")
    assert parts(tmp_path) == there, "those of a living process must stay"
    os.kill(writing.pid, signal.SIGKILL)
    writing.communicate()
    assert parts(tmp_path) == there
    write_whole(tmp_path / "b.tif", b"newer")
    assert parts(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif"]
    assert target.read_bytes() == b"old"


def dead() -> int:
    """The number of a process that has ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    gone, own = dead(), leftovers.prefix().split("-")[1]
    foreign = [
        f".marsqe-{'0' * 12}-{gone}-abcdefgh.part",  # of another machine
        f".marsqe-unknown-{gone}-abcdefgh.part",  # of a place that could not be told
        f".marsqe-{own}-{os.getpid()}-abcdefgh.part",  # of this process
        f".marsqe-{own}-1-abcdefgh.part",  # of another user's
        f".marsqe-{own}-{gone}-abcdefgh.old",  # a session that is being replaced
        f".marsqe-{own}-{gone}-abcdefgh.part.txt",
        f"x.marsqe-{own}-{gone}-abcdefgh.part",
        ".marsqe-abcdefgh.part",  # of an earlier version, which named no process
        "notes.part",
    ]
    for name in foreign:
        (tmp_path / name).write_bytes(b"theirs")
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "kept").write_bytes(b"theirs")
    (tmp_path / f".marsqe-{own}-{gone}-linklink.part").symlink_to(linked, target_is_directory=True)
    (tmp_path / f".marsqe-{own}-{gone}-abcdefgh.part").write_bytes(b"left over")
    write_whole(tmp_path / "a.tif", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*foreign, "a.tif", "linked"])
    assert (linked / "kept").exists()


def test_where_the_place_is_not_known_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = tmp_path / f"{leftovers.prefix().rpartition(str(os.getpid()))[0]}{dead()}-abcdefgh.part"
    left.write_bytes(b"left over")
    monkeypatch.setattr(leftovers, "_place", lambda: None)
    with atomic(tmp_path / "a.tif") as part:
        assert part.name.startswith(".marsqe-unknown-")
        part.write_bytes(b"new")
    assert left.exists()
    monkeypatch.undo()
    write_whole(tmp_path / "a.tif", b"newer")
    assert not left.exists()
