"""Packs of truth crops: what is in them, that nothing is lost, and that training takes them for the folder."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from scenes import VALIDATION, put, texture

from marsqe.cli.main import main
from marsqe.errors import ReadError, SettingError
from marsqe.train.corpus import GROUPS, SCALES, load_pixels
from marsqe.train.evaluate import validation_gains
from marsqe.train.pack import MIB, Row, encoded, write_pack
from marsqe.train.packed import PackedCorpus, open_corpus, read_pack, truths


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images of each group, one of which has a black half; one validation image of each set."""
    folder = tmp_path_factory.mktemp("rich")
    for seed, split in enumerate(GROUPS):
        for index in range(8):
            pixels = texture(260, 300, colour="gray" not in split, seed=10 * seed + index)
            if index == 0:
                pixels[:, :120] = 0
            put(folder, split, f"{index}.png", pixels)
    y, x = np.mgrid[:430, :402]
    for seed, split in enumerate(VALIDATION):
        put(folder, split, "v.png", np.stack([y // 2, x // 2, (x + y) // 4 + seed], axis=-1).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def pack(rich: Path) -> tuple[Path, list[Row]]:
    path = rich.parent / "some.safetensors"
    return path, write_pack(rich, path, most_mib=1.2, side=40)


def test_pack_stays_under_its_limit_and_makes_use_of_it(rich: Path, pack: tuple[Path, list[Row]]) -> None:
    assert 0.95 * 1.2 * MIB < pack[0].stat().st_size <= 1.2 * MIB


def test_crops_are_the_images_own_pixels(rich: Path, pack: tuple[Path, list[Row]]) -> None:
    """Lossless, at the place that the index names, gray as gray; none is mostly black."""
    read = list(read_pack(pack[0]))
    assert [row for row, _ in read] == pack[1]
    for row, pixels in read:
        source = load_pixels(rich / row.split / row.file)
        assert row.gray == (pixels.ndim == 2) == (row.split == "train/msl_gray")
        if row.scale == 1:
            height, width = pixels.shape[:2]
            assert np.array_equal(pixels, source[row.y : row.y + height, row.x : row.x + width])
        if row.split in GROUPS:
            assert 40 <= min(pixels.shape[:2]) <= max(pixels.shape[:2]) < 80
            assert (pixels.reshape(*pixels.shape[:2], -1).max(axis=2) <= 2).mean() <= 0.3
        else:
            assert pixels.shape == (384, 384, 3)
    assert Counter(row.split for row in pack[1] if row.split in VALIDATION) == dict.fromkeys(VALIDATION, 1)


def test_bytes_are_in_the_balance_of_groups_and_scales(pack: tuple[Path, list[Row]]) -> None:
    spent: Counter[tuple[str, int]] = Counter()
    for row, pixels in read_pack(pack[0], lambda row: row.split in GROUPS):
        spent[row.split, row.scale] += len(encoded(pixels))
    total = sum(spent.values())
    for split, share in GROUPS.items():
        for scale, often in SCALES.items():
            assert spent[split, scale] / total == pytest.approx(share * often, rel=0.25), (split, scale)


def test_every_image_gives_crops_before_one_gives_many(pack: tuple[Path, list[Row]]) -> None:
    counts = Counter(row.file for row in pack[1] if row.split == "train/msl_mastcam" and row.scale == 1)
    assert len(counts) == 8
    whole = [count for file, count in counts.items() if file != "0.png"]
    assert max(whole) - min(whole) <= 1


def test_same_data_give_the_same_file(rich: Path, pack: tuple[Path, list[Row]], tmp_path: Path) -> None:
    again = tmp_path / "again.safetensors"
    write_pack(rich, again, most_mib=1.2, side=40)
    assert again.read_bytes() == pack[0].read_bytes()


def test_what_cannot_be_filled_goes_to_others(rich: Path, tmp_path: Path) -> None:
    """With room for more than there is, all of it is packed, and no crop twice."""
    rows = write_pack(rich, tmp_path / "all.safetensors", most_mib=60, side=100)
    assert len(set(rows)) == len(rows)
    counts = Counter((row.split, row.scale) for row in rows)
    for split in GROUPS:
        assert counts[split, 1] == 7 * 6 + 4
        assert counts[split, 2] == 7
        assert counts[split, 3] == 7
    area = sum(p.shape[0] * p.shape[1] for row, p in read_pack(tmp_path / "all.safetensors") if row.file == "3.png")
    whole = len(GROUPS) * (260 * 300 + 130 * 150 + 87 * 100)
    assert 0.95 * whole < area <= whole, "crops tile the images"


def test_too_small_a_limit_is_told(rich: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="allow more MiB"):
        write_pack(rich, tmp_path / "none.safetensors", most_mib=0.02)
    assert not list(tmp_path.iterdir())


def test_training_draws_from_a_pack_as_from_a_folder(pack: tuple[Path, list[Row]]) -> None:
    """Groups by their share; the gray one is told by its crops."""
    corpus, random = open_corpus(pack[0], 36), np.random.default_rng(0)
    assert isinstance(corpus, PackedCorpus)
    drawn = [corpus.crop(random, 36) for _ in range(1200)]
    assert {crop.shape[:2] for crop in drawn} == {(36, 36)}
    assert all((crop.reshape(36, 36, -1).max(axis=2) <= 2).mean() <= 0.01 for crop in drawn)
    gray = np.mean([crop.ndim == 2 for crop in drawn])
    assert gray == pytest.approx(GROUPS["train/msl_gray"], abs=0.04)


def test_pack_of_small_crops_says_what_to_do(pack: tuple[Path, list[Row]]) -> None:
    with pytest.raises(SettingError, match="--side"):
        PackedCorpus(pack[0], 100)


def test_validation_sees_the_packed_centres(rich: Path, pack: tuple[Path, list[Row]]) -> None:
    from test_training import tiny_network

    name, pixels = next(truths(pack[0], VALIDATION[0]))
    whole = load_pixels(rich / VALIDATION[0] / name)
    assert np.array_equal(pixels, whole[16 : 16 + 384, 8 : 8 + 384])
    assert list(truths(pack[0], VALIDATION[0], 0)) == []
    gains = list(validation_gains(tiny_network().eval(), pack[0], VALIDATION, (30,), crop=64))
    assert [(g.split, g.file) for g in gains] == [(split, "v.png") for split in VALIDATION]


@pytest.mark.parametrize("damage", ["text", "cut", "foreign", "index", "ends"])
def test_what_is_no_pack_is_refused(pack: tuple[Path, list[Row]], tmp_path: Path, damage: str) -> None:
    path = tmp_path / "odd.safetensors"
    content = pack[0].read_bytes()
    some = {"bytes": np.zeros(4, np.uint8), "ends": np.array([4])}
    row = {"split": "train/msl_gray", "file": "a", "scale": 1, "y": 0, "x": 0, "gray": True}
    if damage == "text":
        path.write_text("split,file\n")
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "foreign":
        save_file(some, path)
    elif damage == "index":
        save_file(some, path, metadata={"marsqe-pack": json.dumps([{**row, "more": 1}])})
    else:
        save_file({**some, "ends": np.array([3])}, path, metadata={"marsqe-pack": json.dumps([row])})
    with pytest.raises(ReadError, match="pack it again"):
        list(read_pack(path))


def test_command_packs_and_trains_on_it(rich: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "mars.safetensors", tmp_path / "run"
    assert main(["train", "pack", "--data", str(rich), "--out", str(path), "--most-mib", "3", "--side", "64"]) == 0
    assert "train/msl_gray at 1/1" in capsys.readouterr().err
    words = ["train", "arcnn", "--residual", "--data", str(path), "--out", str(out), "--budget", "0.5", "--batch", "1"]
    assert main([*words, "--size", "24", "--precision", "32-true", "--qualities", "30", "30"]) == 0
    facts = json.loads((out / "validation.json").read_text())
    assert facts["recipe"]["qualities"] == [30, 30]
    assert facts["whole_images"] is False
    assert {row["split"] for row in facts["validation"]} == set(VALIDATION)
