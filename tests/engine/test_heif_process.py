"""HEIC files are decoded in a process of their own: what happens to it, happens to no one else."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from marsqe.errors import ReadError
from marsqe.read import decode_image, heif

HEIC = b"\0\0\0\x18ftypheic" + bytes(60)

LIBRARIES = {
    "crash": "import os\ndef open_heif(*a, **k): os.abort()",
    "exit": "import os\ndef open_heif(*a, **k): os._exit(0)",
    "busy": "def open_heif(*a, **k):\n    while True: pass",
    "memory": "def open_heif(*a, **k): return bytearray(2**50)",
    "talk": "import os\ndef open_heif(*a, **k): os.write(1, b'{}'); raise ValueError('bad box')",
    "huge": "class F: size = (100_000, 10)\ndef open_heif(*a, **k): return F()",
}


@pytest.fixture
def library(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another decoder in the place of libheif's."""
    (tmp_path / "pi_heif.py").write_text(LIBRARIES[request.param])
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    monkeypatch.setattr(heif, "_SECONDS", 1 if request.param == "busy" else 60)


@pytest.mark.parametrize(
    ("library", "words"),
    [
        ("crash", "made the decoder crash"),
        ("exit", "made the decoder crash"),
        ("busy", "busy for 1 s"),
        ("memory", "not enough free memory"),
        ("talk", r"cut short or damaged.*bad box"),
        ("huge", "above the limit"),
    ],
    indirect=["library"],
)
@pytest.mark.usefixtures("library")
def test_whatever_becomes_of_the_decoder_is_one_clear_error(words: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ReadError, match=words):
        decode_image(HEIC)
    assert capfd.readouterr() == ("", "")


def test_a_module_in_the_current_folder_is_not_taken_for_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "marsqe").mkdir()
    (tmp_path / "marsqe" / "__init__.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ReadError, match="cut short or damaged"):
        decode_image(HEIC)
