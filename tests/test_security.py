"""No network, no pickles, no shell: watched with audit hooks while every command runs, and read off the source."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from marsqe.cli.main import parser
from marsqe.train.corpus import GROUPS

ROOT = Path(__file__).parents[1]
SOURCES = sorted(p for folder in ("src/marsqe", "napari_marsqe", "resources") for p in (ROOT / folder).rglob("*.py"))

COMMANDS: dict[str, list[list[str]]] = {
    "info": [["info", "frame.jpg", "--json"]],
    "models": [["models"]],
    "enhance": [
        ["enhance", "frame.jpg", "-o", "enhanced.tif", "--device", "cpu"],
        ["enhance", "frame.jpg", "-o", "windowed.tif", "--device", "cpu", "--windowed"],
    ],
    "batch": [["batch", "frames", "--out", "results", "--device", "cpu"]],
    "segment": [["segment", "frame.jpg", "-o", "terrain.png", "--device", "cpu"]],
    "match": [["match", "frame.jpg", "--device", "cpu"]],
    "compress": [["compress", "truth.png", "-o", "small.jpg", "--qf", "30"]],
    "judge": [["judge", "enhanced.tif", "--truth", "truth.png", "--compressed", "frame.jpg"]],
    "verify": [["verify", "frame.jpg", "enhanced.tif", "--mask", "mask.png"]],
    "replay": [["replay", "enhanced.tif"]],
    "references": [["references", "list"]],
}
"""What is run of each command. Of those that need data or minutes, only that they exist is known here."""
ELSEWHERE = {
    "demo": "made of the commands above",
    "train": "watched below, in all processes that it starts",
    "reproduce": "watched below, in all processes that it starts",
}
"""Why a command is not watched with these."""
SPREAD = {
    "processes": ["batch", "frames", "--out", "spread", "--device", "cpu", "--workers", "2"],
    "dask": ["batch", "frames", "--out", "spread", "--device", "cpu", "--local-cluster", "1"],
}
"""Work in processes of this machine, which talk to each other: nobody else may be talked to."""

NETWORK = ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")

WATCH = f"""
import json, sys
events = []
now = ["import"]
NETWORK = {NETWORK!r}
OTHERS = ("urllib.Request", "pickle.find_class", "os.system", "subprocess.Popen")

def hook(name, arguments):
    if name in NETWORK + OTHERS:
        events.append([now[0], name, repr(arguments)[:200]])

sys.addaudithook(hook)
from marsqe.cli import main
codes = {{}}
for command in json.loads(sys.argv[1]):
    now[0] = " ".join(command)
    codes[now[0]] = main(command)
print("RESULT" + json.dumps({{"events": events, "codes": codes}}))
"""


def watched(commands: list[list[str]], folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", WATCH, json.dumps(commands)],
        cwd=folder,
        env=os.environ | {"MARSQE_DATA": str(folder / "own"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert "RESULT" in done.stdout, done.stderr
    return dict(json.loads(done.stdout.rpartition("RESULT")[2]))


def test_no_command_opens_a_socket_a_pickle_or_a_shell(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(60, 200, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "truth.png")
    Image.fromarray(pixels).save(tmp_path / "frame.jpg", quality=30)
    offered = {name for action in parser()._actions for name in getattr(action, "choices", None) or ()}
    present = [call for name, calls in COMMANDS.items() if name in offered for call in calls]
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "frame.jpg").write_bytes((tmp_path / "frame.jpg").read_bytes())
    found = watched(present, tmp_path)
    assert set(found["codes"].values()) == {0}, found["codes"]
    assert found["events"] == []


def test_every_command_is_watched_or_named() -> None:
    offered = {name for action in parser()._actions for name in getattr(action, "choices", None) or ()}
    assert {"info", "enhance", "train"} <= offered  # else nothing was read off the parser
    assert offered == set(COMMANDS) | set(ELSEWHERE)


EVERYWHERE = f"""
import os, sys
NETWORK = {NETWORK!r}

def hook(name, arguments):
    if name in NETWORK:
        told = arguments if name.startswith("socket.get") else arguments[1:]  # without the socket itself
        line = f"{{name}} {{told!r}}\\n".encode()
        file = os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line)
        os.close(file)

sys.addaudithook(hook)
"""
"""For every process that is started, as ``sitecustomize`` of the interpreter."""


def watched_everywhere(command: list[str], folder: Path) -> list[str]:
    """Addresses that a command and all processes that it starts connect to, bind or look up."""
    (folder / "hooks").mkdir()
    (folder / "hooks" / "sitecustomize.py").write_text(EVERYWHERE)
    events, path = folder / "events", os.pathsep.join(filter(None, [str(folder / "hooks"), *sys.path[1:]]))
    more = {"PYTHONPATH": path, "WATCHED": str(events), "MARSQE_DATA": str(folder / "own"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "marsqe.cli", *command],
        cwd=folder,
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return events.read_text().splitlines() if events.exists() else []


def frames(folder: Path) -> None:
    (folder / "frames").mkdir()
    for name in "ab":
        pixels = np.random.default_rng(ord(name)).integers(60, 200, (40, 48, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "frames" / f"{name}.jpg", quality=30)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(SPREAD))
def test_work_that_is_spread_talks_to_this_machine_alone(tmp_path: Path, kind: str) -> None:
    if kind == "dask":
        pytest.importorskip("distributed")
    frames(tmp_path)
    seen = watched_everywhere(SPREAD[kind], tmp_path)
    assert len(list((tmp_path / "spread").glob("*.tif"))) == 2
    assert bool(seen) == (kind == "dask"), seen  # else nothing was watched
    assert [line for line in seen if "127.0.0.1" not in line] == []


@pytest.mark.slow
def test_a_cluster_of_ones_own_is_the_only_one_that_is_talked_to(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    frames(tmp_path)
    alone: dict[str, Any] = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(host="127.0.0.1", protocol="tcp", **alone) as cluster:
        port = cluster.scheduler_address.rpartition(":")[2]
        words = ["--scheduler", cluster.scheduler_address, "--device", "cpu"]
        seen = watched_everywhere(
            ["batch", str(tmp_path / "frames"), "--out", str(tmp_path / "spread"), *words], tmp_path
        )
    assert len(list((tmp_path / "spread").glob("*.tif"))) == 2
    assert any(f"('127.0.0.1', {port})" in line for line in seen)
    assert [line for line in seen if "127.0.0.1" not in line] == []


@pytest.mark.slow
def test_training_talks_to_nobody(tmp_path: Path) -> None:
    """Between the processes of one training tensors go through sockets that are files, which no network reaches."""
    pytest.importorskip("lightning_fabric")
    rows = []
    for number, split in enumerate([*GROUPS, "val/msl_mastcam", "val/m2020_hazcam"]):
        pixels = np.random.default_rng(number).integers(60, 200, (128, 144, 3)).astype(np.uint8)
        (tmp_path / "data" / split).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "data" / split / "a.png")
        rows.append(f"{split},{split}/a.png")
    (tmp_path / "data" / "manifest.csv").write_text("\n".join(["split,file", *rows, ""]))
    few = "--budget 1 --clock cpu --batch 1 --size 64 --precision 32-true --validate-side 16 --threads 1 --warm-up 1"
    seen = watched_everywhere(["train", "arcnn", "--data", "data", "--out", "run", *few.split()], tmp_path)
    assert (tmp_path / "run" / "average.safetensors").exists()
    assert seen, "else the process that makes the pairs was not watched"
    assert [line for line in seen if not is_a_file(line)] == []


@pytest.mark.slow
def test_reproducing_talks_to_nobody(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    few = "--systems marsqe-swift --qualities 30 --qps --most 1 --side 64"
    assert watched_everywhere(["reproduce", "--quick", "--out", "look", *few.split()], tmp_path) == []
    assert (tmp_path / "look" / "index.html").exists()


def is_a_file(line: str) -> bool:
    """Whether what was written of a socket is the path of one in the file system."""
    event, _, told = line.partition(" ")
    return event in ("socket.connect", "socket.bind") and told.startswith(("('/", "('\\x00", "(b'"))


def test_a_host_is_no_file() -> None:
    assert is_a_file("socket.connect ('/tmp/pymp-a/listener-b',)")
    for line in ("socket.connect (('127.0.0.1', 80),)", "socket.getaddrinfo ('/a', 80)", "socket.bind (('', 0),)"):
        assert not is_a_file(line)


def test_the_watch_sees_what_it_is_for(tmp_path: Path) -> None:
    code = "import pickle, socket; pickle.loads(pickle.dumps(Exception)); socket.socket().bind(('127.0.0.1', 0))"
    script = WATCH.replace("from marsqe.cli import main", f"main = lambda _: 0\n{code}")
    done = subprocess.run([sys.executable, "-c", script, "[]"], capture_output=True, text=True, check=True, timeout=60)
    events = json.loads(done.stdout.rpartition("RESULT")[2])["events"]
    assert {name for _, name, _ in events} == {"pickle.find_class", "socket.bind"}


def calls_of(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]


def wrong_calls(path: Path) -> list[str]:
    """Calls that hand text to a shell or run text as a program."""
    forbidden = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "eval", "exec"}
    found = []
    for call in calls_of(path):
        name = ast.unparse(call.func)
        shell = any(k.arg == "shell" and ast.unparse(k.value) != "False" for k in call.keywords)
        if name in forbidden or name.startswith(("os.exec", "os.spawn")) or shell:
            found.append(f"{path.name}:{call.lineno} {name}")
    return found


def test_no_text_reaches_a_shell() -> None:
    assert len(SOURCES) > 100
    assert [line for path in SOURCES for line in wrong_calls(path)] == []


def test_the_scan_sees_a_shell(tmp_path: Path) -> None:
    code = "import os, subprocess\nos.system(x)\nsubprocess.run(x, shell=True)\neval(x)\nsubprocess.run([x])\n"
    (tmp_path / "a.py").write_text(code)
    assert [line.split()[0] for line in wrong_calls(tmp_path / "a.py")] == ["a.py:2", "a.py:3", "a.py:4"]


@pytest.mark.parametrize("module", ["socket", "http", "urllib.request", "requests", "ftplib", "smtplib"])
def test_nothing_imports_a_network_library(module: str) -> None:
    wrong = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            wrong += [f"{path.name}:{node.lineno}" for name in names if name == module or name.startswith(f"{module}.")]
    assert wrong == []
