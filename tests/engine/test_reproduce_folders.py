"""Folders as they are published, and what becomes of files that are no images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import jpeg_bytes, put, texture

from marsqe.errors import SettingError
from marsqe.reproduce import content
from marsqe.reproduce.folders import find_pictures, limited, read_labels, samples


def write(path: Path, pixels: np.ndarray, quality: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if quality is None:
        Image.fromarray(pixels).save(path)
    else:
        path.write_bytes(jpeg_bytes(pixels, quality))
    return path


def test_our_list_gives_its_test_splits_and_knows_which_have_no_truth(tmp_path: Path) -> None:
    for split in ("train/a", "test/b", "test/mars32k"):
        put(tmp_path, split, "x.png", texture(32, 32))
    found = find_pictures(tmp_path)
    assert [(p.split, p.truth) for p in found.pictures] == [("test/b", True), ("test/mars32k", False)]
    (chosen,) = find_pictures(tmp_path, ("train/a",)).pictures
    assert chosen.path == tmp_path / "train/a/x.png"
    with pytest.raises(SettingError, match="no split nowhere"):
        find_pictures(tmp_path, ("nowhere",))


def test_a_list_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("name\nx.png\n")
    with pytest.raises(SettingError, match="split and file"):
        find_pictures(tmp_path)


def test_mic_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / split / "a.png", texture(32, 32))
    (tmp_path / "test" / "readme.txt").write_text("no image")
    found = find_pictures(tmp_path)
    assert [(p.split, p.truth, p.path.name) for p in found.pictures] == [("test", True, "a.png")]
    assert [Path(s).name for s in found.strays] == ["readme.txt"]


def test_ai4mars_has_labels_in_its_own_coding_and_no_truth(tmp_path: Path) -> None:
    root = tmp_path / "msl"
    write(root / "images" / "edr" / "n.jpg", texture(40, 50, colour=False), 80)
    labels = np.array([[0, 1, 2, 3, 255]], np.uint8).repeat(10, axis=1).repeat(40, axis=0)
    write(root / "labels" / "train" / "n.png", labels)
    (picture,) = find_pictures(tmp_path).pictures
    assert (picture.split, picture.truth) == ("ai4mars/msl", False)
    read = read_labels(picture, (40, 50))
    assert read is not None
    assert read[0, ::10].tolist() == [3, 4, 2, 4, 0]


def test_mars32k_is_known_by_its_size(tmp_path: Path) -> None:
    for n in range(3):
        write(tmp_path / f"{n}.jpg", texture(500, 560, seed=n), 95)
    found = find_pictures(tmp_path)
    assert "Mars32K" in found.layout
    assert {(p.split, p.truth) for p in found.pictures} == {("mars32k", False)}


def test_any_folder_decides_by_compression_and_takes_labels(tmp_path: Path) -> None:
    write(tmp_path / "a.png", texture(32, 40))
    write(tmp_path / "b.jpg", texture(32, 40), 95)
    write(tmp_path / "c.jpg", texture(32, 40), 60)
    write(tmp_path / "labels" / "a.png", np.full((16, 20), 4, np.uint8))
    found = find_pictures(tmp_path).pictures
    truths = {p.path.name: content.is_truth(p, content.load(p.path).compression) for p in found}
    assert truths == {"a.png": True, "b.jpg": True, "c.jpg": False}
    labels = read_labels(found[0], (32, 40))
    assert labels is not None
    assert labels.shape == (32, 40)
    assert (labels == 4).all()
    assert read_labels(found[1], (32, 40)) is None
    write(tmp_path / "labels" / "a.png", np.full((16, 20), 9, np.uint8))
    with pytest.raises(SettingError, match="4 rock"):
        read_labels(found[0], (32, 40))


@pytest.mark.parametrize("name", ["none", "empty"])
def test_nothing_to_find_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingError):
        find_pictures(tmp_path / name)


def test_few_of_many_are_spread_evenly(tmp_path: Path) -> None:
    for n in range(9):
        write(tmp_path / f"{n}.png", texture(16, 16))
    found = find_pictures(tmp_path, most=3)
    assert [p.path.name for p in found.pictures] == ["0.png", "4.png", "8.png"]
    assert limited(found.pictures, ["no such"], 3) == []


def test_results_written_into_the_folder_are_no_data(tmp_path: Path) -> None:
    write(tmp_path / "a.png", texture(16, 16))
    write(tmp_path / "out" / "figures" / "fig3.png", texture(16, 16))
    (tmp_path / "out" / "index.html").write_text("page")
    found = find_pictures(tmp_path, without=tmp_path / "out")
    assert [p.path.name for p in found.pictures] == ["a.png"]
    assert found.strays == []


def test_samples_come_with_and_without_truth() -> None:
    pictures = samples().pictures
    assert {p.truth for p in pictures} == {True, False}
    assert all(p.path.is_file() for p in pictures)


def test_deeper_truth_fills_eight_bits_and_crops_lie_on_the_grid() -> None:
    from marsqe.image import MarsImage

    pixels = np.array([[0, 2048, 4095]], np.uint16)
    image = MarsImage.from_array(pixels, metadata={"significant_bits": 12})
    assert content.truth_pixels(image).tolist() == [[0, 128, 255]]
    ramp = np.arange(100 * 100).reshape(100, 100)
    cut = content.square(ramp, 48)
    assert cut.shape == (48, 48)
    assert (cut[0, 0] // 100 % 16, cut[0, 0] % 100 % 16) == (0, 0)
    assert content.square(ramp, 400).shape == (100, 100)


def test_a_square_of_an_image_without_truth_keeps_its_tables(tmp_path: Path) -> None:
    image = content.load(write(tmp_path / "a.jpg", texture(120, 120), 40))
    cut = content.as_sent(image, 64)
    assert cut.shape == (64, 64)
    assert cut.compression.quality == 40
    change = np.abs(cut.pixels.astype(int) - content.square(image.pixels, 64)).mean()
    assert change < 1.5
    assert content.as_sent(image) is image
