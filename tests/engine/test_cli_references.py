"""``marsqe references``, and matching without a forbidden one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scenes import jpeg_bytes, texture

from marsqe.cli import main
from marsqe.export.images import read_provenance
from marsqe.matching import load_dictionary

pytestmark = pytest.mark.usefixtures("own_data")


def run(*arguments: object) -> int:
    return main([str(a) for a in arguments])


@pytest.fixture
def outcrop(tmp_path: Path) -> Path:
    path = tmp_path / "outcrop.png"
    Image.fromarray(texture(128, 256, seed=7)).save(path)
    return path


def test_add_list_and_remove(outcrop: Path, said: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("references", "add", outcrop, "--terrain", "rock", "--most", 1, "--note", "noon", "--json") == 0
    (entry,) = said()[0]["results"][0]["added"]
    assert (entry["terrain"], entry["note"], entry["lossy"]) == ("rock", "noon", False)
    assert run("references", "list", "--json") == 0
    rows = said()[0]["results"]
    assert len(rows) == 25
    assert [r["name"] for r in rows if r["own"]] == [entry["patch_id"]]
    assert rows[0] == {**rows[0], "name": "sky-1", "terrain": "sky", "own": False, "problem": ""}
    assert run("references", "off") == run("references", "list") == 0
    out = capsys.readouterr().out
    assert f"{entry['patch_id']}: rock, outcrop.png at" in out
    assert "noon" in out
    assert "switched off" in out
    assert run("references", "on", "--json") == 0
    assert said()[0]["results"] == [{"own_references": "on"}]
    assert run("references", "remove", "own-0", entry["patch_id"], "--json") == 1
    document = said()[0]
    assert document["results"] == [{"removed": entry["patch_id"]}]
    assert document["errors"][0]["input"] == "own-0"


def test_the_found_terrain_gives_the_classes(understood: Any, outcrop: Path, said: Any) -> None:
    """Stripes of 11 pixels: no patch bears one class."""
    assert run("references", "add", outcrop, "--find-terrain", "--json") == 1
    assert "of no single class" in said()[0]["errors"][0]["error"]


def test_a_lossy_source_is_refused_unless_wanted(tmp_path: Path, said: Any) -> None:
    path = tmp_path / "sent.jpg"
    path.write_bytes(jpeg_bytes(texture(128, 128), 50))
    add = ("references", "add", path, "--terrain", "sand", "--region", 0, 0, 128, 128, "--json")
    assert run(*add) == 1
    assert "has lost detail (JPEG, quality 50" in said()[0]["errors"][0]["error"]
    assert run(*add, "--allow-lossy") == 0
    assert said()[0]["results"][0]["added"][0]["lossy"]


def test_a_forbidden_reference_is_matched_to_nothing(understood: Any, frame: Path, tmp_path: Path, said: Any) -> None:
    assert run("match", frame, "--json") == 0
    name = said()[0]["results"][0]["tiles"][0]["name"]
    assert name in {e.name(i) for es in load_dictionary().entries.values() for i, e in enumerate(es)}
    assert run("match", frame, "--forbid", name, "--json") == 0
    assert name not in {tile["name"] for tile in said()[0]["results"][0]["tiles"]}
    out = tmp_path / "out.tif"
    assert run("enhance", frame, "-o", out, "--model", "marsqe-lite", "--forbid", name) == 0
    assert read_provenance(out)["references_forbidden"] == [name]
    assert run("match", frame, "--forbid", "rock-99") == 2
    assert run("enhance", frame, "-o", out, "--forbid", "rock-99") == 2
