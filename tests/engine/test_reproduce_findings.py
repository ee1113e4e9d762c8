"""Section III: similarity, compactness and divergence on images whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes import texture
from scipy.spatial.distance import jensenshannon

from marsqe.progress import run
from marsqe.reproduce.compactness import class_divergences, class_histograms, compactness, histograms, js_divergence
from marsqe.reproduce.findings import Collected, findings_steps
from marsqe.reproduce.similarity import patches_of, similarity
from marsqe.terrain import Terrain


def test_equal_patches_are_as_similar_as_can_be() -> None:
    tile = texture(64, 64, colour=False)
    found = similarity([np.tile(tile, (1, 2)), np.tile(tile, (2, 1))], 64, 10, inter=True)
    assert (found.pairs, found.images) == (4, 2)
    assert found.mean("NCC") == pytest.approx(1)
    assert found.mean("cosine") == pytest.approx(1)
    assert found.mean("MAE") == found.best("RMSE") == 0


def test_a_shift_of_brightness_moves_errors_and_not_the_correlation() -> None:
    tile = np.clip(texture(64, 64, colour=False), 20, 220)
    found = similarity([tile, tile + 20], 64, 10, inter=True)
    assert found.mean("NCC") == pytest.approx(1)
    assert found.mean("MAE") == pytest.approx(20)
    assert found.mean("RMSE") == pytest.approx(20)
    assert found.mean("cosine") < 1


def test_values_are_those_of_numpy_and_no_error_is_below_its_mean() -> None:
    a, b = texture(64, 64, colour=False, seed=1), texture(64, 64, colour=False, seed=2)
    found = similarity([a, b], 64, 10, inter=True)
    assert found.mean("NCC") == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
    assert found.mean("MAE") == pytest.approx(np.abs(a.astype(float) - b).mean())
    many = similarity([texture(256, 256, seed=s) for s in range(3)], 64, 40, inter=True)
    assert many.pairs == 40
    assert (many.values["RMSE"] >= many.values["MAE"]).all()
    assert many.best("MAE") <= many.mean("MAE")


def test_intra_pairs_are_of_one_image_and_none_is_twice() -> None:
    images = [texture(128, 128, colour=False, seed=s) for s in range(2)]
    assert similarity(images, 64, 1000, inter=False).pairs == 2 * 6
    assert similarity(images, 64, 1000, inter=True).pairs == 4 * 4
    assert similarity(images[:1], 64, 1000, inter=True).pairs == 0
    assert np.isnan(similarity(images, 256, 10, inter=True).mean("NCC"))


def test_black_borders_are_no_patches() -> None:
    pixels = texture(64, 128, colour=False)
    assert len(patches_of(pixels, 64)) == 2
    pixels[:, :10] = 0
    assert len(patches_of(pixels, 64)) == 1


def test_flat_patches_have_no_correlation() -> None:
    found = similarity([np.full((64, 64), 9, np.uint8), texture(64, 64, colour=False)], 64, 5, inter=True)
    assert np.isnan(found.mean("NCC"))
    assert found.mean("MAE") > 0


def test_divergence_is_scipys() -> None:
    random = np.random.default_rng(0)
    x, y = random.dirichlet(np.ones(59), size=(2, 5))
    expected = [jensenshannon(a, b) ** 2 for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(js_divergence(x, y), expected)
    assert js_divergence(np.array([1.0, 0]), np.array([0, 1.0])) == pytest.approx(np.log(2))
    assert js_divergence(x, x) == pytest.approx(0)


def test_narrow_textures_have_a_smaller_range() -> None:
    random = np.random.default_rng(0)
    earth = 0.01 + random.random((60, 59))
    centre = earth.mean(axis=0)
    found = compactness(centre + 0.25 * (earth[:40] - centre), earth)
    assert found is not None
    assert len(found.mars) == len(found.earth) == 40
    assert all(ratio < 0.5 for ratio in (*found.range_ratio, *found.central_ratio))
    np.testing.assert_allclose([found.earth.min(axis=0), found.earth.max(axis=0)], [[-1, -1], [1, 1]])
    same = compactness(earth, earth)
    assert same is not None
    assert same.range_ratio == pytest.approx((1, 1))
    assert compactness(earth[:2], earth) is None


def test_splits_of_several_cameras_are_also_told_apart(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra report")
    images = [texture(128, 256, seed=s) for s in range(4)]
    one = Collected({"a": images}, images, "the same", "a: n = 4")
    assert list(one.sets()) == ["Mars", "Earth"]
    two = Collected(
        {"a": images[:2], "b": images[2:]}, images, "the same", "a: n = 2; b: n = 2", class_reason="asked not to"
    )
    assert [len(v) for v in two.sets().values()] == [4, 2, 2, 4]
    similar, compact, classes = run(findings_steps(two, tmp_path, 50))
    inter = {row[0]: row for row in similar.tables[0].rows}
    assert inter["128 x 128, Mars"][1:] == inter["128 x 128, Earth"][1:]
    assert inter["128 x 128, Mars, a"][-1] == 2
    assert {row[0]: row[1] for row in compact.tables[0].rows}["Mars, PC-1"] == "1.000"
    assert classes.missing == [("JS divergence between classes", "asked not to")]
    assert ("inter-image, 256 x 256, Mars", "no two patches of this size") in similar.missing


def test_classes_of_different_texture_diverge_more_than_one_class() -> None:
    smooth = np.clip(np.add.outer(np.arange(256), np.arange(256)) // 4 + 60, 0, 255).astype(np.uint8)
    rough = np.random.default_rng(0).integers(0, 255, (256, 256), np.uint8)
    both = np.concatenate([smooth, rough], axis=1)
    labels = np.ones((256, 512), np.uint8)
    labels[:, 256:] = 4
    by_class = class_histograms(both, Terrain(labels))
    assert {name: len(rows) for name, rows in by_class.items()} == {"sky": 4, "rock": 4}
    found = class_divergences({name: [rows] for name, rows in by_class.items()})
    assert found["sky", "rock"][0] > 10 * found["rock", "rock"][0]
    assert found["sky", "rock"][1] == 16
    assert found["rock", "rock"][1] == 6
    assert class_histograms(both[:100], Terrain(labels[:100])) == {}
    assert histograms(both[:100]).shape == (0, 59)
