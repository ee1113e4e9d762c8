"""Replay: what is exported comes out again from its record and the source, and what was tampered with is told."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from scenes import ground, texture

import marsqe
from marsqe.cli import main
from marsqe.errors import ReadError, SettingError
from marsqe.export import ExportOptions, read_provenance
from marsqe.export.record import decode_labels, encode_labels
from marsqe.image import MarsImage
from marsqe.results import Region
from marsqe.terrain import Terrain

pytestmark = pytest.mark.usefixtures("understood")


@pytest.fixture
def made(frame: Path, tmp_path: Path) -> Path:
    """An export of a JPEG whose terrain a network found."""
    image = marsqe.open_image(frame)
    return marsqe.enhance(image, "marsqe-swift", "cpu", Region(3, 4, 40, 30)).save(tmp_path / "out.tif")


def tampered(path: Path, change: Callable[[dict[str, Any]], None], pixels: Any = None) -> Path:
    """The same file with another record, or other pixels."""
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        text, old = page.description, page.asarray()
    record = read_provenance(path)
    before = json.dumps(record, sort_keys=True).replace("&", "&amp;")
    assert before in text
    change(record)
    text = text.replace(before, json.dumps(record, sort_keys=True))
    tifffile.imwrite(path, old if pixels is None else pixels(old), description=text, metadata=None)
    return path


def keep(_record: dict[str, Any]) -> None:
    """Change nothing."""


@pytest.mark.parametrize(
    "options", [ExportOptions(), ExportOptions("16", "lzw", ("terrain", "change"), ("json",), 0.1)]
)
@pytest.mark.parametrize("faithful", [True, False])
def test_the_same_file_comes_out(frame: Path, tmp_path: Path, options: ExportOptions, faithful: bool) -> None:
    result = marsqe.enhance(marsqe.open_image(frame), "marsqe-swift", "cpu", faithful=faithful)
    assert (result.pixels != result.source.pixels).any(), "else the test tests nothing"
    found = marsqe.replay(result.save(tmp_path / "out.tif", options))
    assert found.identical
    assert found.same_file
    assert (found.different_pixels, found.differences, found.source) == (0, (), frame)


def test_real_numbers_keep_to_the_intervals_and_are_replayed(frame: Path, tmp_path: Path) -> None:
    image = marsqe.open_image(frame)
    result = marsqe.enhance(image, "marsqe-swift", "cpu")
    path = result.save(tmp_path / "out.tif", ExportOptions(depth="float"))
    written = tifffile.imread(path)
    assert written.dtype == np.float32
    assert (written != result.pixels).any()
    np.testing.assert_array_equal(written, result.float_pixels())
    assert marsqe.replay(path).same_file
    free = marsqe.enhance(image, "marsqe-swift", "cpu", faithful=False)
    with pytest.raises(SettingError, match="held to the JPEG"):
        free.save(tmp_path / "free.tif", ExportOptions(depth="float"))


def test_drawn_terrain_and_chosen_references_are_carried(frame: Path, tmp_path: Path) -> None:
    image = marsqe.open_image(frame)
    labels = np.ones(image.shape, np.uint8)
    labels[:, 70:] = 4
    drawn = Terrain(labels, None, "drawn")
    matches = marsqe.match(image, drawn)
    other = int(matches.candidates[0, 1].argsort()[1])
    from marsqe.matching import with_reference

    chosen = with_reference(matches, 0, 1, other, similarity=0.5)
    result = marsqe.enhance(image, "marsqe-lite", "cpu", terrain=drawn, matches=chosen)
    found = marsqe.replay(result.save(tmp_path / "out.tif"))
    assert found.identical
    np.testing.assert_array_equal(found.enhancement.terrain.labels, labels)
    assert found.enhancement.matches.references[0, 1] == other


def test_forbidden_references_are_forbidden_again(frame: Path, tmp_path: Path) -> None:
    image = marsqe.open_image(frame)
    free = marsqe.match(image, ground(image))
    dictionary = marsqe.load_dictionary()
    nearest = dictionary.patch_id(int(free.classes[0, 0]), int(free.references[0, 0]))
    matches = marsqe.match(image, ground(image), None, [nearest])
    result = marsqe.enhance(image, "marsqe-lite", "cpu", terrain=ground(image), matches=matches)
    found = marsqe.replay(result.save(tmp_path / "out.tif"))
    assert found.identical
    assert found.enhancement.provenance["references_forbidden"] == [nearest]


def test_changed_pixels_are_counted(made: Path) -> None:
    def brighter(pixels: Any) -> Any:
        out = pixels.copy()
        out[5, 6] += np.uint8(3)
        out[9, 9, 0] ^= np.uint8(64)
        return out

    found = marsqe.replay(tampered(made, keep, brighter))
    assert not found.identical
    assert not found.same_file
    assert (found.different_pixels, found.largest_difference) == (2, 64)
    assert found.differences == ()


def test_pixels_that_are_no_picture_are_an_error(made: Path) -> None:
    with tifffile.TiffFile(made) as file:
        at = file.pages.first.tags["BitsPerSample"].valueoffset
    data = bytearray(made.read_bytes())
    data[at : at + 6] = struct.pack("<3H", 26723, 14882, 8736)
    made.write_bytes(data)
    with pytest.raises(ReadError, match="fetch it again"):
        marsqe.replay(made)


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("model.weights_sha256", "0" * 64),
        ("settings.region", [0, 0, 40, 30]),
        ("terrain.sha256", "0" * 64),
        ("pixels.full_scale", 4095),
        ("product.mission", "Curiosity"),
        ("statement", "An original observation."),
    ],
)
def test_changed_facts_are_named(made: Path, fact: str, value: object) -> None:
    def change(record: dict[str, Any]) -> None:
        part, *last = fact.split(".")
        if last:
            record[part][last[0]] = value
        else:
            record[part] = value

    found = marsqe.replay(tampered(made, change))
    assert not found.identical
    assert fact in [difference.fact for difference in found.differences if difference.matters] or (
        fact == "settings.region" and found.different_pixels > 0
    )


def test_other_versions_alone_do_no_harm(made: Path) -> None:
    def change(record: dict[str, Any]) -> None:
        record["versions"]["torch"] = "1.0"
        record["machine"]["threads"] = 99

    found = marsqe.replay(tampered(made, change))
    assert found.identical
    assert not found.same_file
    assert {difference.fact for difference in found.differences} == {"versions.torch", "machine.threads"}


def test_changed_terrain_is_told(frame: Path, tmp_path: Path) -> None:
    image = marsqe.open_image(frame)
    path = marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image)).save(tmp_path / "out.tif")

    def repaint(record: dict[str, Any]) -> None:
        labels = decode_labels(record["terrain"]["labels_png"]).copy()
        labels[:5] = 1
        record["terrain"]["labels_png"] = encode_labels(labels)

    found = marsqe.replay(tampered(path, repaint))
    assert not found.identical
    assert "terrain.sha256" in [difference.fact for difference in found.differences]


def test_source_is_found_by_its_hash_wherever_it_is(made: Path, frame: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "archive" / "renamed.jpg"
    elsewhere.parent.mkdir()
    shutil.move(frame, elsewhere)
    with pytest.raises(ReadError, match="--source"):
        marsqe.replay(made)
    found = marsqe.replay(made, elsewhere)
    assert found.identical
    assert [d.fact for d in found.differences] == ["source.name"]
    other = tmp_path / "other.jpg"
    Image.fromarray(texture(60, 150)).save(other)
    with pytest.raises(ReadError, match="SHA-256"):
        marsqe.replay(made, other)


def test_a_copy_of_the_source_makes_the_export_complete(tmp_path: Path) -> None:
    image = marsqe.simulate_downlink(texture(40, 50), 30)
    result = marsqe.enhance(image, "marsqe-swift", "cpu")
    path = result.save(tmp_path / "a[1].tif", ExportOptions(sidecars=("source",)))
    found = marsqe.replay(path)
    assert found.identical
    assert found.source == tmp_path / "a[1].source.jpg"


def test_pixels_that_came_from_no_file_are_found_in_one(tmp_path: Path) -> None:
    pixels = texture(40, 50, colour=False)
    result = marsqe.enhance(MarsImage.from_array(pixels, metadata={"name": "layer"}), "marsqe-swift", "cpu")
    path = result.save(tmp_path / "out.tif")
    Image.fromarray(pixels).save(tmp_path / "layer.png")
    assert marsqe.replay(path, tmp_path / "layer.png").different_pixels == 0


@pytest.mark.parametrize("part", ["settings", "export", "source", "model", "terrain"])
def test_a_damaged_record_is_an_error(made: Path, part: str) -> None:
    def damage(record: dict[str, Any]) -> None:
        del record[part]

    with pytest.raises(ReadError, match="damaged"):
        marsqe.replay(tampered(made, damage))


def test_an_unknown_model_is_named(made: Path) -> None:
    def rename(record: dict[str, Any]) -> None:
        record["model"]["name"] = "marsqe-next"

    with pytest.raises(ReadError, match="marsqe-next"):
        marsqe.replay(tampered(made, rename))


def test_command_tells_by_its_exit_code(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(made)]) == 0
    assert "byte for byte" in capsys.readouterr().out
    tampered(made, keep, lambda pixels: pixels ^ np.uint8(1))
    assert main(["replay", str(made), "--json"]) == 1
    row = json.loads(capsys.readouterr().out)["results"][0]
    assert (row["identical"], row["largest_difference"], row["different_pixels"]) == (False, 1, row["pixels"])
    assert main(["replay", str(tmp_path / "missing.tif")]) == 1
    with pytest.raises(SystemExit) as stop:
        main(["replay"])
    assert stop.value.code == 2
