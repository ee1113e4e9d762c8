"""Batches by several processes and by a Dask cluster: whoever dies, all results are there."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from scenes import jpeg_bytes, texture

import marsqe
from marsqe.cli.main import main
from marsqe.errors import MissingExtraError, SettingError
from marsqe.export import read_provenance
from marsqe.scale import Settings, batch_steps, cluster
from marsqe.scale.cluster import Cluster, worker_environments
from marsqe.scale.processes import Processes
from marsqe.scale.run import BatchProgress
from marsqe.scale.sources import collect

COUNT = 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for index in range(COUNT):
        (folder / f"{index}.jpg").write_bytes(jpeg_bytes(texture(48, 48, seed=index)))
    (folder / "stray.jpg").write_bytes(b"nothing")
    return folder


def crew(kind: str) -> Any:
    if kind == "processes":
        return Processes(2)
    pytest.importorskip("distributed")
    return Cluster(None, 2)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kills with a signal")
@pytest.mark.parametrize("kind", ["processes", "dask"])
def test_a_killed_worker_loses_nothing(shipped: Any, folder: Path, tmp_path: Path, kind: str) -> None:
    """Two workers with the bundled weights; one is killed at the first result."""
    out, killed = tmp_path / "out", []
    steps = batch_steps(collect([folder], out), out, Settings("marsqe-swift", "cpu"), crew(kind))
    while True:
        try:
            now = next(steps)
        except StopIteration as stop:
            report = stop.value
            break
        update = now.update if isinstance(now, BatchProgress) else None
        if update is not None and update.stage == "done" and not killed:
            killed.append(multiprocessing.active_children()[0].pid)
            os.kill(killed[0], signal.SIGKILL)
    assert killed
    assert {r["output"]: r["status"] for r in report.records} == {
        **{f"{index}.tif": "done" for index in range(COUNT)},
        "stray.tif": "failed",
    }
    for index in range(COUNT):
        image = marsqe.open_image(folder / f"{index}.jpg")
        assert read_provenance(out / f"{index}.tif")["source"]["sha256"] == image.sha256
    assert not list((out / ".marsqe-batch").glob("parts/*"))


def test_one_worker_for_each_card() -> None:
    assert [e["CUDA_VISIBLE_DEVICES"] for e in worker_environments(2, ["3", "5", "7"])] == ["3", "5"]
    assert all("CUDA_VISIBLE_DEVICES" not in e for e in worker_environments(2, []))
    with pytest.raises(SettingError, match="1 graphics cards"):
        worker_environments(2, ["0"])


def test_a_missing_extra_is_told(understood: Any, folder: Path, tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"napari-marsqe\[scale\]"):
        Cluster(None, 1)
    assert main(["batch", str(folder), "--out", str(tmp_path / "out"), "--local-cluster", "1"]) == 1
    assert "[scale]" in capsys.readouterr().err


def test_a_scheduler_that_does_not_answer_is_told(
    understood: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "_CONNECT", "0.2s")
    out = tmp_path / "out"
    steps = batch_steps(collect([folder], out), out, Settings(device="cpu"), Cluster("tcp://127.0.0.1:1"))
    with pytest.raises(SettingError, match="no Dask scheduler"):
        list(steps)


def test_numbers_of_workers_are_checked() -> None:
    with pytest.raises(SettingError, match="1-64"):
        Processes(0)
    with pytest.raises(SettingError, match="either"):
        Cluster("tcp://127.0.0.1:8786", 2)
