"""SMM: the descriptor, Eq. 1, the dictionary and its twins, tiles at borders and without labels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import ground, texture
from scipy.stats import entropy

import marsqe
from marsqe.codecs.jpeg import standard_tables
from marsqe.colour import luma
from marsqe.errors import SettingError
from marsqe.image import Compression, MarsImage
from marsqe.matching import Dictionary, match, match_eq1, reference_mosaic
from marsqe.matching.lbp import BINS, kl_divergence, lbp_histograms
from marsqe.matching.smm import pad_to_tiles, texture_similarity, tile_classes
from marsqe.progress import Progress
from marsqe.results import TILE
from marsqe.terrain import Terrain

QF30 = Compression("JPEG", True, standard_tables(30), 30, True, (2, 2))


def histogram(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return lbp_histograms(luma(pixels))[0, 0]


def test_histograms_are_probabilities_without_zeros() -> None:
    found = lbp_histograms(texture(2 * TILE, 3 * TILE, colour=False))
    assert found.shape == (2, 3, BINS)
    np.testing.assert_allclose(found.sum(axis=-1), 1)
    assert found.min() > 0
    flat = lbp_histograms(np.full((TILE, TILE), 9, np.uint8))[0, 0]
    assert flat.max() == pytest.approx((126**2 + 1) / (126**2 + BINS)), "all pixels but the outermost share one code"


@pytest.mark.parametrize("colour", [False, True])
def test_tile_inside_an_image_is_described_as_when_alone(colour: bool) -> None:
    whole = texture(2 * TILE, 2 * TILE, colour=colour, seed=3)
    together = lbp_histograms(luma(whole))
    for row, column in np.ndindex(2, 2):
        tile = whole[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE]
        np.testing.assert_array_equal(together[row, column], histogram(tile))


def test_histogram_counts_uniform_patterns_by_direction() -> None:
    """Not invariant to rotation: a picture and the same turned by a quarter differ where texture has a direction."""
    stripes = np.tile((np.arange(TILE) % 4 < 2).astype(np.uint8) * 100, (TILE, 1))
    assert kl_divergence(histogram(stripes), histogram(stripes.T)) > 1


def test_divergence_is_that_of_scipy_in_nats() -> None:
    p, q = np.random.default_rng(0).dirichlet(np.ones(BINS), 2)
    assert kl_divergence(p, q) == pytest.approx(entropy(p, q))
    assert kl_divergence(p, q) != pytest.approx(entropy(q, p))
    assert kl_divergence(p, p) == 0


def test_eq1_measures_from_reference_to_tile_and_takes_the_least() -> None:
    random = np.random.default_rng(1)
    tiles, twins = random.dirichlet(np.ones(BINS), (2, 5)), random.dirichlet(np.ones(BINS), 6)
    n, divergences = match_eq1(tiles, twins)
    assert n.shape == (2, 5)
    expected = np.array([[[entropy(twin, tile) for twin in twins] for tile in row] for row in tiles])
    np.testing.assert_allclose(divergences, expected)
    np.testing.assert_array_equal(n, expected.argmin(axis=-1))


@pytest.mark.parametrize("label", [1, 2, 3, 4])
@pytest.mark.parametrize("colour", [True, False])
def test_every_twin_is_matched_to_its_own_reference(bundled: Dictionary, label: int, colour: bool) -> None:
    twins = bundled.compressed(label, QF30, colour=colour)
    pixels = np.concatenate(list(twins), axis=1)
    image = MarsImage.from_array(pixels, compression=QF30)
    found = match(image, ground(image, label))
    assert found.shape == (1, 6)
    np.testing.assert_array_equal(found.references, [range(6)])
    np.testing.assert_allclose(found.divergences, 0, atol=1e-12)
    assert (found.classes == label).all()
    assert (np.sort(found.candidates, axis=-1)[..., 1] > 0).all(), "no other reference fits as well"
    assert found.similarity.min() > 0.999 or label == 1, "sky may hold flat blocks only"


def test_search_stays_within_the_class_of_the_tile(bundled: Dictionary) -> None:
    """Soil pixels called rock are matched to a rock, though a soil reference would fit perfectly."""
    patch = bundled.compressed(3, QF30, colour=True)[2]
    image = MarsImage.from_array(np.tile(patch, (1, 2, 1)), compression=QF30)
    labels = np.full(image.shape, 4, np.uint8)
    labels[:, TILE:] = 3
    found = match(image, Terrain(labels))
    assert found.classes.tolist() == [[4, 3]]
    assert found.divergences[0, 0] > found.divergences[0, 1] == pytest.approx(0, abs=1e-12)
    assert found.references[0, 1] == 2


def test_class_of_a_tile_is_that_of_most_labelled_pixels() -> None:
    labels = np.zeros((TILE, 2 * TILE + 5), np.uint8)
    labels[:3, :TILE] = 2  # 384 pixels of sand, 200 of rock, the rest unlabelled
    labels[5, :100] = labels[6, :100] = 4
    assert tile_classes(Terrain(labels)).tolist() == [[2, 0, 0]]
    labels[0, -1] = 1
    assert tile_classes(Terrain(labels)).tolist() == [[2, 0, 1]], "padding does not vote"


def test_unlabelled_tile_takes_the_class_of_the_nearest_reference(bundled: Dictionary) -> None:
    patch = bundled.compressed(2, QF30, colour=True)[4]
    image = MarsImage.from_array(patch, compression=QF30)
    found = match(image, Terrain(np.zeros(image.shape, np.uint8)))
    assert (found.classes[0, 0], found.references[0, 0]) == (2, 4)


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (129, 300), (20, 700), (128, 128)])
def test_any_size_is_tiled(shape: tuple[int, int]) -> None:
    image = MarsImage.from_array(texture(*shape))
    found = match(image, ground(image))
    assert found.shape == (-(-shape[0] // TILE), -(-shape[1] // TILE))
    assert np.isfinite(found.divergences).all()
    assert np.isfinite(found.similarity).all()
    assert found.similarity.max() <= 1 + 1e-6
    mosaic = reference_mosaic(image, found)
    assert mosaic.shape == image.pixels.shape


def test_padding_is_a_reflection_and_keeps_the_image() -> None:
    pixels = texture(100, 130, seed=5)
    padded = pad_to_tiles(pixels)
    assert padded.shape == (TILE, 2 * TILE, 3)
    np.testing.assert_array_equal(padded[:100, :130], pixels)
    np.testing.assert_array_equal(padded[100:128, :130], pixels[::-1][:28])


def test_sixteen_bits_are_matched_like_eight() -> None:
    small = texture(TILE, 2 * TILE, colour=False, seed=8)
    eight = MarsImage.from_array(small, compression=QF30)
    sixteen = MarsImage.from_array(small.astype(np.uint16) * 257, compression=QF30)
    a, b = match(eight, ground(eight)), match(sixteen, ground(sixteen))
    np.testing.assert_array_equal(a.references, b.references)
    # Not to the last digit: ties of a pixel with interpolated neighbours round differently.
    np.testing.assert_allclose(a.divergences, b.divergences, rtol=0.01)
    np.testing.assert_allclose(a.similarity, b.similarity, atol=1e-4)
    mosaic = reference_mosaic(sixteen, b)
    assert mosaic.dtype == np.uint16
    np.testing.assert_array_equal(mosaic, reference_mosaic(eight, a).astype(np.uint16) * 257)


def test_mosaic_shows_the_raw_reference_of_every_tile(bundled: Dictionary) -> None:
    image = MarsImage.from_array(texture(TILE + 10, 2 * TILE - 30, seed=2), compression=QF30)
    found = match(image, ground(image, 4))
    mosaic = reference_mosaic(image, found)
    assert mosaic.dtype == np.uint8
    np.testing.assert_array_equal(mosaic[:TILE, :TILE], bundled.reference(4, int(found.references[0, 0])))
    expected = bundled.reference(4, int(found.references[1, 1]))[:10, : TILE - 30]
    np.testing.assert_array_equal(mosaic[TILE:, TILE:], expected)


def test_mosaic_of_a_gray_image_is_the_references_luma(bundled: Dictionary) -> None:
    image = MarsImage.from_array(texture(TILE, TILE, colour=False), compression=QF30)
    found = match(image, ground(image, 2))
    expected = luma(bundled.reference(2, int(found.references[0, 0])))
    np.testing.assert_array_equal(reference_mosaic(image, found), expected)


def test_similarity_is_one_for_the_same_and_falls_with_noise() -> None:
    patch = texture(TILE, TILE, colour=False, seed=4).astype(np.float32)
    assert texture_similarity(patch, patch) == pytest.approx(1, abs=1e-5)
    assert texture_similarity(patch, 255 - patch) < 1
    assert texture_similarity(patch + 20, patch) == pytest.approx(1, abs=1e-5), "brightness does not count"
    noise = texture(TILE, TILE, colour=False, seed=99).astype(np.float32)
    assert 0 < texture_similarity(patch, noise) < 0.999
    assert texture_similarity(np.full((TILE, TILE), 7.0), patch) == 0


def test_labels_of_another_size_are_refused() -> None:
    image = MarsImage.from_array(texture(40, 50))
    with pytest.raises(SettingError, match="differ in size"):
        match(image, Terrain(np.ones((50, 40), np.uint8)))


def test_progress_ends_complete_and_the_same_twice() -> None:
    image = MarsImage.from_array(texture(100, 200), compression=QF30)
    steps = marsqe.match_steps(image, ground(image))
    seen: list[Progress] = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as stop:
            first = stop.value
            break
    assert seen[-1].done == seen[-1].total
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    again = match(image, ground(image))
    np.testing.assert_array_equal(first.candidates, again.candidates)
