"""Export: what is written is what is read back, whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms
from scenes import ground, texture

import marsqe
from marsqe.enhancement import pipeline
from marsqe.errors import ExportError, ReadError
from marsqe.export import images, read_provenance, save_enhancement, save_pixels, save_terrain
from marsqe.export.atomic import atomic
from marsqe.image import MarsImage
from marsqe.results import Enhancement
from marsqe.terrain import Terrain

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROVENANCE = {"source": {"name": "Gale – Krater.jpg"}, "settings": {"region": [1, 2, 3, 4], "cell": 0.5}}

all_kinds = pytest.mark.parametrize(
    ("colour", "dtype"), [(True, np.uint8), (False, np.uint8), (True, np.uint16), (False, np.uint16)]
)


def picture(colour: bool = True, dtype: type = np.uint8) -> Any:
    return texture(37, 53, colour=colour).astype(dtype) * (251 if dtype is np.uint16 else 1)


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@all_kinds
@pytest.mark.parametrize("ending", [".tif", ".TIFF"])
def test_tiff_comes_back(tmp_path: Path, colour: bool, dtype: type, ending: str) -> None:
    pixels = picture(colour, dtype)
    path = tmp_path / f"out{ending}"
    assert save_pixels(pixels, path, PROVENANCE, {"resolution": (120.0, 60.0, "inch"), "icc": ICC}) == path
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        np.testing.assert_array_equal(page.asarray(), pixels)
        assert page.asarray().dtype == dtype
        assert len(file.pages) == 1
        assert page.photometric == (2 if colour else 1)
        assert page.tags["XResolution"].value == (120, 1)
        assert page.tags["YResolution"].value == (60, 1)
        assert page.tags["ResolutionUnit"].value == 2
        assert page.tags["InterColorProfile"].value == ICC
    again = marsqe.open_image(path)
    np.testing.assert_array_equal(again.pixels, pixels)
    assert again.pixels.dtype == dtype
    assert again.metadata["resolution"] == (120, 60, "inch")
    assert again.metadata["icc"] == ICC
    if not (colour and dtype is np.uint16):  # which Pillow cannot
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), pixels)
    assert read_provenance(path) == PROVENANCE
    assert leftovers(tmp_path) == [path.name]


@pytest.mark.parametrize(("colour", "dtype"), [(True, np.uint8), (False, np.uint8), (False, np.uint16)])
def test_png_comes_back(tmp_path: Path, colour: bool, dtype: type) -> None:
    pixels = picture(colour, dtype)
    path = save_pixels(pixels, tmp_path / "out.png", PROVENANCE, {"resolution": (50.0, 50.0, "centimeter"), "icc": ICC})
    again = marsqe.open_image(path)
    np.testing.assert_array_equal(again.pixels, pixels)
    assert again.pixels.dtype == dtype
    assert again.metadata["icc"] == ICC
    with Image.open(path) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
        assert image.info["dpi"] == pytest.approx((127, 127), rel=1e-3)
    assert read_provenance(path) == PROVENANCE


def test_nothing_is_invented(tmp_path: Path) -> None:
    for name in ("a.tif", "a.png"):
        again = marsqe.open_image(save_pixels(picture(), tmp_path / name))
        assert "icc" not in again.metadata
        assert "resolution" not in again.metadata
        assert read_provenance(tmp_path / name) == {}


@pytest.mark.parametrize("shape", [(1, 1), (1, 40, 3), (40, 1), (3, 3, 3), (4, 3)])
def test_odd_shapes_are_not_mistaken(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    for name in ("a.tif", "a.png"):
        path = save_pixels(pixels, tmp_path / name)
        np.testing.assert_array_equal(marsqe.open_image(path).pixels, pixels)


def test_sixteen_bit_colour_png_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"\.tif"):
        save_pixels(picture(True, np.uint16), tmp_path / "a.png")
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.tif.gz", ".tif"])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExportError, match=r"\.tif"):
        save_pixels(picture(), tmp_path / name)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("ending", ["tif", "png"])
def test_failure_in_the_middle_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"old")

    def broken(part: Path, *_: object, **__: object) -> None:
        part.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images, "write_tiff", broken)
    monkeypatch.setattr(images, "_write_png", broken)
    with pytest.raises(ExportError, match="No space left"):
        save_pixels(picture(), path)
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == [path.name]
    with pytest.raises(ExportError):
        save_pixels(picture(), tmp_path / f"new.{ending}")
    assert leftovers(tmp_path) == [path.name]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_any_interruption_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), atomic(tmp_path / "a.bin") as part:
        part.write_bytes(b"half")
        raise error
    assert leftovers(tmp_path) == []


def test_old_file_is_seen_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with atomic(path) as part:
        part.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert part.parent == path.parent, "else the renaming might cross file systems"
    assert path.read_bytes() == b"new"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_result_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    path = save_pixels(picture(), tmp_path / "a.tif")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no folder"):
        save_pixels(picture(), tmp_path / "missing" / "a.tif")
    (tmp_path / "dir.tif").mkdir()
    with pytest.raises(ExportError, match="folder of that name"):
        save_pixels(picture(), tmp_path / "dir.tif")
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="no folder"):
        save_pixels(picture(), tmp_path / "file" / "a.tif")


def test_no_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if hasattr(os, "geteuid") and os.geteuid() != 0 and os.name != "nt":
        tmp_path.chmod(0o500)
    else:  # who may do everything cannot be refused: the system call refuses instead

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("tempfile.mkstemp", refuse)
    try:
        with pytest.raises(ExportError, match="no permission"):
            save_pixels(picture(), tmp_path / "a.tif")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(os.name == "nt", reason="names of 255 bytes")
@pytest.mark.parametrize("letter", ["a", "Ω", "🪐"])
def test_longest_names_that_the_file_system_takes(tmp_path: Path, letter: str) -> None:
    name = letter * ((255 - 4) // len(letter.encode())) + ".tif"
    try:
        (tmp_path / name).touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    save_pixels(picture(), tmp_path / name)
    np.testing.assert_array_equal(marsqe.open_image(tmp_path / name).pixels, picture())


def test_provenance_of_foreign_files_is_an_error(tmp_path: Path) -> None:
    foreign_tiff, foreign_png, junk = tmp_path / "a.tif", tmp_path / "a.png", tmp_path / "b.tif"
    tifffile.imwrite(foreign_tiff, picture())
    Image.fromarray(picture()).save(foreign_png)
    junk.write_bytes(b"junk")
    for path in (foreign_tiff, foreign_png, junk, tmp_path / "none.png"):
        with pytest.raises(ReadError, match="provenance"):
            read_provenance(path)


def test_terrain_is_written_as_its_labels(tmp_path: Path) -> None:
    labels = (np.arange(35).reshape(5, 7) % 5).astype(np.uint8)
    path = save_terrain(Terrain(labels), tmp_path / "t.png")
    with Image.open(path) as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), labels)
    with pytest.raises(ExportError, match=r"\.png"):
        save_terrain(Terrain(labels), tmp_path / "t.tif")


def result_of(image: MarsImage, monkeypatch: pytest.MonkeyPatch) -> Enhancement:
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: lambda pixels, condition: pixels * 0.98)
    return marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image))


def test_enhancement_saves_itself_with_what_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = marsqe.simulate_downlink(texture(40, 50), 30)
    image.metadata.update(resolution=(72.0, 72.0, "inch"), icc=ICC)
    result = result_of(image, monkeypatch)
    path = result.save(str(tmp_path / "a.tif"))
    assert path == tmp_path / "a.tif"
    again = marsqe.open_image(path)
    np.testing.assert_array_equal(again.pixels, result.pixels)
    assert again.metadata["resolution"] == (72, 72, "inch")
    assert again.metadata["icc"] == ICC
    record = read_provenance(path)
    assert record["settings"] == result.provenance["settings"]
    assert set(result.provenance) <= set(record)
    first = path.read_bytes()
    save_enhancement(result, path)
    assert path.read_bytes() == first, "the same result gives the same bytes"
