"""What a network is shown in training: crops in balance, pairs by number, degradations as the field has them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scenes import put, texture
from scipy.stats import chisquare

from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, estimate_quality, standard_tables
from marsqe.errors import SettingError
from marsqe.networks.conditioning import condition_vector
from marsqe.train.batches import PairDataset, batches
from marsqe.train.corpus import GROUPS, PLAIN_SCALES, SCALES, Corpus, draw_scale, listed_files
from marsqe.train.degrade import (
    USUAL,
    Degradation,
    augment,
    degrade,
    draw_quality,
    draw_tables,
    plain_pair,
    training_pair,
)


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def test_list_decides_what_is_used(data: Path) -> None:
    files = listed_files(data, "train/msl_gray")
    assert [f.name for f in files] == ["0.png", "1.png"]
    assert listed_files(data, "train/none") == []


def test_crops_are_balanced_over_cameras_and_not_over_files(tmp_path: Path) -> None:
    """Each group is painted in one gray value; one has nine times the files of the others."""
    for level, split in enumerate(GROUPS, start=1):
        for index in range(9 if level == 1 else 1):
            put(tmp_path, split, f"{index}.png", np.full((40, 40), 50 * level, np.uint8))
    corpus, generator = Corpus(tmp_path, 16), random()
    drawn = [int(corpus.crop(generator, 16)[0, 0]) // 50 - 1 for _ in range(1500)]
    counts = np.bincount(drawn, minlength=len(GROUPS))
    shares = np.array(list(GROUPS.values())) / sum(GROUPS.values())
    assert chisquare(counts, 1500 * shares).pvalue > 1e-3


def test_crops_of_every_scale_are_drawn_as_often_as_they_should(tmp_path: Path) -> None:
    """A ramp whose slope tells the scale."""
    ramp = np.tile(np.arange(120, dtype=np.uint8) + 60, (120, 1))
    for split in GROUPS:
        put(tmp_path, split, "a.png", ramp)
    corpus, generator = Corpus(tmp_path, 32), random()
    slopes = [int(c[0, 1]) - int(c[0, 0]) for c in (corpus.crop(generator, 32) for _ in range(1000))]
    counts = np.array([slopes.count(divisor) for divisor in SCALES])
    assert counts.sum() == 1000
    assert chisquare(counts, 1000 * np.array(list(SCALES.values()))).pvalue > 1e-3


def test_crops_hold_at_most_one_percent_black(tmp_path: Path) -> None:
    pixels = texture(120, 120)
    pixels[:, :60] = 0
    for split in GROUPS:
        put(tmp_path, split, "a.png", pixels)
    corpus, generator = Corpus(tmp_path, 24), random()
    for _ in range(60):
        crop = corpus.crop(generator, 24)
        assert crop.shape == (24, 24, 3)
        assert (crop.max(axis=2) <= 2).mean() <= 0.01


def test_scales_that_became_too_small_are_left_out(tmp_path: Path) -> None:
    for split in GROUPS:
        put(tmp_path, split, "a.png", texture(60, 90))
        put(tmp_path, split, "b.png", texture(20, 90))
    corpus = Corpus(tmp_path, 30)
    assert [[list(t.scales) for t in group] for group in corpus.groups] == [[[1, 2]]] * len(GROUPS)


def test_missing_images_are_named(tmp_path: Path) -> None:
    put(tmp_path, "train/msl_gray", "a.png", texture(60, 60))
    with pytest.raises(SettingError, match="train/msl_mastcam"):
        Corpus(tmp_path, 30)


def test_pairs_depend_on_seed_and_number_alone(data: Path) -> None:
    first, second = PairDataset(data, 32, seed=1), PairDataset(data, 32, seed=1)
    second[3]
    for a, b in zip(first[7], second[7], strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first[7][0], first[8][0])
    assert not torch.equal(first[7][0], PairDataset(data, 32, seed=2)[7][0])
    compressed, raw, condition = first[0]
    assert compressed.shape == raw.shape == (3, 32, 32)
    assert compressed.dtype == raw.dtype == torch.uint8
    assert condition.shape == (12,)


def test_batches_go_on_where_a_run_stopped(data: Path) -> None:
    def take(first_step: int, count: int) -> list[Any]:
        loader = batches(data, batch=3, size=24, seed=4, first_step=first_step, workers=0)
        return list(itertools.islice(loader, count))

    straight, resumed = take(0, 4), take(2, 2)
    for a, b in zip(straight[2:], resumed, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def pairs(count: int, pixels: NDArray[np.uint8]) -> Iterator[Any]:
    generator = random()
    return (training_pair(pixels, generator, 32) for _ in range(count))


def test_pairs_are_aligned_and_their_tables_are_told_or_not() -> None:
    """About 8 % of the conditions are zero but for colour; in every pair the compressed is near its raw."""
    unknown = 0
    for pair in pairs(300, texture(48, 48)):
        assert pair.compressed.shape == pair.raw.shape == (32, 32, 3)
        known = pair.condition[11] == 1
        unknown += not known
        if not known:
            assert (pair.condition[:10] == 0).all()
        difference = pair.compressed.astype(float) - pair.raw
        shifted = pair.compressed[1:].astype(float) - pair.raw[:-1]
        if pair.raw.std() > 12 and np.abs(difference).mean() < 6:
            assert np.abs(difference).mean() < np.abs(shifted).mean()
    assert 8 <= unknown <= 45


def test_gray_crops_stay_gray_and_say_so() -> None:
    for pair in pairs(30, texture(48, 48, colour=False)):
        assert pair.condition[10] == 0
        assert (pair.condition[8:10] == 0).all()
        for p in (pair.compressed, pair.raw):
            assert (p == p[..., :1]).all()


def test_known_tables_begin_on_the_grid() -> None:
    """Where the tables are told, the pair's corner is a block's corner: at coarse quality its blocks are flat."""
    raw = texture(48, 48, colour=False)
    generator = random()
    for _ in range(40):
        pair = degrade(raw, generator, 32)
        if pair.condition[11] == 1 and pair.condition[2] > 0.7:
            plane = pair.compressed[..., 0].astype(int)
            steps = np.abs(np.diff(plane, axis=1)).mean(axis=0)
            assert steps[7::8].mean() > np.delete(steps, np.s_[7::8]).mean()


def test_augmentation_keeps_shape_range_and_variety() -> None:
    crop, generator = texture(40, 40), random()
    found = [augment(crop, generator) for _ in range(80)]
    assert all(f.dtype == np.uint8 and f.shape[:2] == (40, 40) for f in found)
    assert any(f.ndim == 2 for f in found), "sometimes gray"
    same = [np.array_equal(f, np.rot90(crop, k)) for f in found if f.ndim == 3 for k in range(4)]
    assert any(same)
    assert len({f.tobytes() for f in found}) > 20


def test_qualities_and_tables_lie_in_range() -> None:
    generator = random()
    qualities = [draw_quality(generator) for _ in range(800)]
    assert min(qualities) >= 10
    assert max(qualities) == 95
    assert 0.4 < np.mean([20 <= q <= 50 for q in qualities]) < 0.72
    assert 0.25 < np.mean([q >= 75 for q in qualities]) < 0.5
    tables = [draw_tables(generator)[0] for _ in range(200)]
    assert all(t.min() >= 1 and t.max() <= 255 for t in tables)
    odd = np.mean([not estimate_quality(t)[1] for t in tables])
    assert 0.05 < odd < 0.3


def test_single_quality_has_its_standard_tables_alone() -> None:
    generator = random()
    for low, high in ((30, 30), (40, 42)):
        tables = [draw_tables(generator, (low, high))[0] for _ in range(60)]
        assert {estimate_quality(t) for t in tables} == {(q, True) for q in range(low, high + 1)}
    known = [degrade(texture(48, 48), generator, 32, Degradation((30, 30))) for _ in range(30)]
    assert {p.compression.tables[0].tobytes() for p in known if p.compression.tables} == {
        standard_tables(30)[0].tobytes()
    }


def test_compression_of_a_pair_is_what_its_condition_says() -> None:
    for pair in pairs(40, texture(48, 48)):
        facts = pair.compression
        colour = bool(pair.condition[10])
        assert (facts.tables is not None) == (pair.condition[11] == 1)
        if facts.tables is not None:
            assert len(facts.tables) == (2 if colour else 1)
            assert (facts.subsampling is not None) == colour
        expected = condition_vector(facts.tables, facts.subsampling or (1, 1), colour=colour)
        assert np.array_equal(pair.condition, expected)


@pytest.mark.parametrize("colour", [True, False])
def test_hevc_pairs_are_aligned_and_tell_no_tables(colour: bool) -> None:
    pytest.importorskip("av")
    raw, generator = texture(48, 48, colour=colour), random()
    found = [degrade(raw, generator, 32, Degradation(hevc=1.0)) for _ in range(6)]
    truth = raw if colour else np.repeat(raw[:, :, None], 3, axis=2)
    spots = {
        (y, x)
        for p in found
        for y in range(17)
        for x in range(17)
        if np.array_equal(truth[y : y + 32, x : x + 32], p.raw)
    }
    assert len(spots) > 3, "anywhere on the codec's grid"
    for pair in found:
        assert pair.compression.tables is None
        assert np.array_equal(pair.condition, condition_vector(None, colour=colour))
        difference = np.abs(pair.compressed.astype(float) - pair.raw)
        shifted = np.abs(pair.compressed[1:].astype(float) - pair.raw[:-1])
        assert 0 < difference.mean() < shifted.mean()


def test_hevc_share_is_kept_and_none_changes_nothing() -> None:
    pytest.importorskip("av")
    raw = texture(40, 40, colour=False)
    some = [degrade(raw, np.random.default_rng(n), 24, Degradation(hevc=0.5)) for n in range(60)]
    plain = [degrade(raw, np.random.default_rng(n), 24) for n in range(60)]
    assert sum(p.compression.tables is None for p in some) > 15
    assert sum(p.compression.tables is None for p in plain) < 15
    again = [degrade(raw, np.random.default_rng(n), 24, Degradation()) for n in range(60)]
    assert all(np.array_equal(a.compressed, b.compressed) for a, b in zip(plain, again, strict=True))


def test_pairs_are_those_of_earlier_versions() -> None:
    """A run may be resumed by a later version: what a pair is depends on its number alone, for good."""
    raw = np.add.outer(np.arange(48), 3 * np.arange(48)).astype(np.uint8)
    crop = np.dstack([raw, raw // 2, 255 - raw])
    facts = [training_pair(crop, np.random.default_rng((1, number)), 32).compression for number in range(8)]
    found = [(estimate_quality(f.tables[0])[0], f.subsampling_name) for f in facts if f.tables is not None]
    assert found == [
        (35, "4:2:2"),
        (38, "4:2:0"),
        (48, "4:2:0"),
        (75, "4:2:2"),
        (40, "4:4:4"),
        (83, "4:2:0"),
        (24, "4:2:0"),
        (40, "4:2:0"),
    ]


def test_plain_pairs_are_what_most_files_are() -> None:
    """Pixels as they were but for flips and turns; 4:2:0, standard tables, known."""
    raw = np.add.outer(np.arange(48), 3 * np.arange(48)).astype(np.uint8)
    crop = np.dstack([raw, raw // 2, 255 - raw])
    middle = crop[8:40, 8:40]
    turned = {np.rot90(m, n).tobytes() for m in (middle, middle[:, ::-1]) for n in range(4)}
    generator = random()
    for _ in range(12):
        pair = plain_pair(crop, generator, 32)
        assert pair.raw.tobytes() in turned
        assert pair.compression.subsampling_name == "4:2:0"
        assert pair.compression.tables is not None
        quality = estimate_quality(pair.compression.tables[0])[0]
        assert np.array_equal(pair.compressed, decode_jpeg(encode_jpeg(pair.raw, quality=quality)))


def test_share_of_plain_pairs_is_kept_and_none_changes_nothing() -> None:
    generator = random()
    assert 70 < sum(Degradation(plain=0.5).is_plain(generator) for _ in range(200)) < 130
    before = generator.bit_generator.state
    assert not USUAL.is_plain(generator)
    assert generator.bit_generator.state == before


def test_scales_without_a_share_are_not_drawn_unless_nothing_else_is_there() -> None:
    generator = random()
    assert {draw_scale(generator, [1, 2, 3], PLAIN_SCALES) for _ in range(100)} == {1, 2}
    assert draw_scale(generator, [3], PLAIN_SCALES) == 3
