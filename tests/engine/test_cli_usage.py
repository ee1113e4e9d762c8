"""The command ``marsqe`` used wrongly, from odd places and with odd names; what it says and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scenes import texture

import marsqe
from marsqe.cli.main import main


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


def usage(*arguments: object) -> int:
    """Exit code of a use that argparse may refuse."""
    try:
        return run(*arguments)
    except SystemExit as stop:
        assert isinstance(stop.code, int)
        return stop.code


def fresh(code: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *(["-c", code] if code else ["-m", "marsqe.cli"]), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, **options)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("polish",),
        ("info",),
        ("enhance", "F"),
        ("enhance", "F", "-o", "x.tif", "--model", "marsqe-heavy"),
        ("enhance", "F", "-o", "x.tif", "--device", "tpu"),
        ("enhance", "F", "-o", "x.tif", "--region", "1", "2", "3"),
        ("enhance", "F", "-o", "x.jpg"),
        ("enhance", "F", "G", "-o", "x.tif"),
        ("enhance", "F", "sub/frame.png", "-o", "out"),
        ("enhance", "F", "F", "-o", "out"),
        ("segment", "F", "-o", "x.tif"),
        ("compress", "F", "-o", "x.jpg"),
        ("compress", "F", "-o", "x.jpg", "--qf", "0"),
        ("compress", "F", "-o", "x.jpg", "--qf", "101"),
        ("compress", "F", "-o", "x.jpg", "--qf", "many"),
        ("compress", "F", "-o", "x.png", "--qf", "30"),
        ("compress", "F", "-o", "x.jpg", "--qf", "30", "--subsampling", "4:1:1"),
        ("judge", "F"),
        ("demo", "--sample", "spirit"),
    ],
)
def test_wrong_usage_is_2_and_does_nothing(
    understood: Any,
    frame: Path,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(frame.parent)
    before = sorted(p.name for p in frame.parent.iterdir())
    assert usage(*(str(frame) if a == "F" else a for a in arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip()) > 10
    assert "Traceback" not in err
    assert sorted(p.name for p in frame.parent.iterdir()) == before


def test_region_outside_names_the_input(understood: Any, frame: Path, tmp_path: Path, said: Any) -> None:
    assert run("enhance", frame, "-o", tmp_path / "a.tif", "--region", 0, 0, 151, 60, "--json", "--device", "cpu") == 1
    document, _ = said()
    assert document["errors"][0]["input"] == str(frame)
    assert "150 x 60" in document["errors"][0]["error"]
    assert not (tmp_path / "a.tif").exists()


@pytest.mark.parametrize("command", ["enhance", "compress", "segment"])
def test_input_is_never_overwritten(understood: Any, tmp_path: Path, said: Any, command: str) -> None:
    ending = {"enhance": "tif", "compress": "jpg", "segment": "png"}[command]
    path = tmp_path / f"a.{ending}"
    Image.fromarray(texture(40, 40)).save(path)
    before = path.read_bytes()
    extra = ["--qf", "30"] if command == "compress" else ["--device", "cpu"]
    for out in (path, tmp_path):
        assert run(command, path, "-o", out, "--json", *extra) == 1
        assert "input itself" in said()[0]["errors"][0]["error"]
    (tmp_path / f"link.{ending}").symlink_to(path)
    assert run(command, path, "-o", tmp_path / f"link.{ending}", "--json", *extra) == 1
    assert path.read_bytes() == before


def test_output_folder_that_is_a_file_is_named(understood: Any, frame: Path, tmp_path: Path, said: Any) -> None:
    (tmp_path / "taken").touch()
    assert run("enhance", frame, "-o", tmp_path / "taken", "--json", "--device", "cpu") == 1
    assert "folder" in said()[0]["errors"][0]["error"]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text exist only there")
def test_names_that_are_no_text(frame: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/odd-\xff.jpg")
    Path(odd).write_bytes(frame.read_bytes())
    for extra in ([], ["--json"]):
        done = fresh("", "info", odd, *extra)
        assert done.returncode == 0, done.stderr
        assert "odd-" in done.stdout
    assert json.loads(done.stdout)["results"][0]["input"] == odd


def test_module_says_nothing_but_the_document(frame: Path) -> None:
    done = fresh("", "info", "--json", frame, frame.parent / "none.jpg")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert len(document["results"]) == len(document["errors"]) == 1
    assert "none.jpg" in done.stderr
    assert done.stdout.startswith("{")
    assert done.stdout.rstrip().endswith("}")


def test_light_commands_load_no_torch(frame: Path) -> None:
    code = (
        "import sys\nfrom marsqe.cli.main import main\nassert 'torch' not in sys.modules\n"
        "assert main(['info', sys.argv[1]]) == 0 and main(['models', '--json']) == 0\n"
        "heavy = {'torch', 'napari', 'qtpy', 'skimage'} & set(sys.modules)\nassert not heavy, heavy\n"
    )
    done = fresh(code, frame)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="POSIX pipes")
def test_reader_that_leaves_early_is_no_error(frame: Path) -> None:
    """As with ``marsqe models | true``: no traceback, whenever the other side goes."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "marsqe.cli", "models"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 1


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert usage("--version") == 0
    assert marsqe.__version__ in capsys.readouterr().out


def test_stopping_is_130(monkeypatch: pytest.MonkeyPatch, frame: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(marsqe, "open_image", stop, raising=False)
    assert run("info", frame) == 130
    assert "stopped" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["out", "9" * 300 + ".tif"])
def test_a_name_too_long_for_any_disk_is_one_error(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enhance", "9" * 300 + ".jpg", "-o", str(tmp_path / place)]) == 1
    assert "cannot open" in capsys.readouterr().err
