"""Judging: against the libraries that everyone trusts, by hand, and without a truth."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import texture
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from marsqe.errors import SettingError
from marsqe.judgement import delta_psnr_tiles, judge, psnr, residual, ssim
from marsqe.terrain import Terrain


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_psnr_and_ssim_are_those_of_scikit_image(colour: bool, dtype: type) -> None:
    scale = 257 if dtype is np.uint16 else 1
    a, b = (texture(60, 70, colour=colour, seed=s).astype(dtype) * scale for s in (1, 2))
    peak = 255 * scale
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=peak))
    expected = structural_similarity(
        a,
        b,
        data_range=peak,
        channel_axis=2 if colour else None,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(a, b) == pytest.approx(expected)
    assert ssim(a, a) == pytest.approx(1)


def test_psnr_by_hand() -> None:
    truth = np.full((4, 4), 100, np.uint8)
    image = truth.copy()
    image[0, 0] = 104  # mean squared error 16 / 16 = 1
    assert psnr(image, truth) == pytest.approx(20 * np.log10(255))
    assert psnr(truth, truth) == float("inf")
    assert psnr(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)) == 0, "no wrapping of unsigned numbers"


def test_ssim_of_a_scrap_is_not_a_number() -> None:
    assert np.isnan(ssim(texture(10, 50), texture(10, 50)))
    assert np.isfinite(ssim(texture(11, 11), texture(11, 11)))


def test_residual_is_the_mean_absolute_difference() -> None:
    a, b = np.zeros((1, 2, 3), np.uint8), np.array([[[0, 3, 9], [255, 255, 255]]], np.uint8)
    assert residual(a, b).tolist() == [[4, 255]]
    assert residual(a, b).dtype == residual(b, a).dtype == np.float32
    np.testing.assert_array_equal(residual(a, b), residual(b, a))


def test_gain_of_tiles_by_hand() -> None:
    """Errors of 10 before and 1 after are 20 dB; border tiles count their own pixels only."""
    truth = np.full((130, 260), 50, np.uint8)
    compressed, enhanced = truth + 10, truth + 1
    enhanced[:128, 128:256] = 60  # as bad as before
    enhanced[128:, :128] = 70  # twice the error: -6 dB
    enhanced[128:, 256:] = 50  # perfect
    compressed[128:, 128:256] = 50  # perfect before, so nothing can be said
    found = judge(enhanced, truth, compressed=compressed)
    assert found.delta_psnr is not None
    assert found.delta_psnr.dtype == np.float32
    np.testing.assert_allclose(
        found.delta_psnr, [[20, 0, 20], [-20 * np.log10(2), np.nan, np.inf]], rtol=1e-5, atol=1e-6
    )
    assert found.has_truth


def test_tile_gains_and_the_whole_agree_for_one_tile() -> None:
    truth, compressed, enhanced = (texture(100, 90, seed=s) for s in (1, 2, 3))
    found = judge(enhanced, truth, compressed=compressed)
    assert found.delta_psnr is not None
    assert found.delta_psnr[0, 0] == pytest.approx(found.metrics["delta_psnr"], abs=1e-4)
    assert found.metrics["delta_psnr"] == pytest.approx(psnr(enhanced, truth) - psnr(compressed, truth))


def test_tile_side_can_be_chosen() -> None:
    assert delta_psnr_tiles(np.ones((9, 17)), np.full((9, 17), 0.1), side=8) == pytest.approx(np.full((2, 3), 10.0))


def test_gain_per_class() -> None:
    truth = np.full((10, 10), 50, np.uint8)
    compressed = truth + 10
    enhanced = truth + 1
    labels = np.zeros((10, 10), np.uint8)
    labels[:5], labels[5:8] = 4, 2
    enhanced[5:8] = 60
    compressed[9], labels[9] = 50, 1  # sky without any error before
    found = judge(enhanced, truth, compressed=compressed, terrain=Terrain(labels))
    assert found.per_class == pytest.approx({"sand": 0, "rock": 20})


def test_equal_images_gain_nothing_and_break_nothing() -> None:
    pixels = texture(50, 60)
    found = judge(pixels, pixels, compressed=pixels, terrain=Terrain(np.ones((50, 60), np.uint8)))
    assert found.metrics["delta_psnr"] == 0
    assert found.metrics["largest_change"] == 0
    assert found.delta_psnr is not None
    assert np.isnan(found.delta_psnr).all()
    assert found.per_class == {}


def test_without_a_truth_no_gain_is_made_up() -> None:
    compressed = texture(50, 60)
    enhanced = np.minimum(compressed, 250) + 3
    enhanced = enhanced.astype(np.uint8)
    found = judge(enhanced, compressed=compressed, terrain=Terrain(np.ones((50, 60), np.uint8)))
    assert not found.has_truth
    assert set(found.metrics) == {"mean_change", "largest_change"}
    assert found.metrics["largest_change"] == pytest.approx(3)
    assert found.delta_psnr is None
    assert found.residual_enhanced is None
    assert found.per_class == {}
    np.testing.assert_allclose(found.change, residual(enhanced, compressed))


def test_judging_changes_no_pixels_and_keeps_the_sign() -> None:
    truth, compressed = texture(40, 40, seed=1), texture(40, 40, seed=2)
    better = ((truth.astype(int) + compressed) // 2).astype(np.uint8)
    assert judge(better, truth, compressed=compressed).metrics["delta_psnr"] > 5
    assert judge(compressed, truth, compressed=better).metrics["delta_psnr"] < -5


@pytest.mark.parametrize("which", ["truth", "compressed", "depth", "channels", "terrain"])
def test_images_that_do_not_belong_together_are_refused(which: str) -> None:
    good, small = texture(40, 50), texture(40, 49)
    options: dict[str, object] = {"truth": good, "compressed": good}
    if which in options:
        options[which] = small
    elif which == "depth":
        options["truth"] = good.astype(np.uint16)
    elif which == "channels":
        options["compressed"] = good[..., 0]
    else:
        options["terrain"] = Terrain(np.ones((50, 40), np.uint8))
    with pytest.raises(SettingError, match="size"):
        judge(good, **options)  # type: ignore[arg-type]
