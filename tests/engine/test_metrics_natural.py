"""BRISQUE and NIQE against other implementations, and in the order that they were made to tell."""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenes import jpeg_bytes, texture
from scipy.ndimage import gaussian_filter
from scipy.special import gamma

from marsqe.errors import SettingError
from marsqe.image import Pixels
from marsqe.judgement import NOT_COMPUTED, brisque, niqe
from marsqe.judgement.statistics import asymmetric_fit, halved, luma_255, normalised, products
from marsqe.samples import sample_path


def truth(name: str) -> NDArray[np.uint8]:
    with Image.open(sample_path(name, "truth")) as image:
        return np.asarray(image)


def decoded(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(jpeg_bytes(pixels, quality))) as image:
        return np.asarray(image)


def noisy(pixels: NDArray[np.uint8], deviation: float) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).normal(0, 1, pixels.shape)
    return np.clip(np.rint(pixels + deviation * noise), 0, 255).astype(np.uint8)


# OpenCV 4.14.0, cv2.quality.QualityBRISQUE_compute with the same model.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("curiosity-mastcam", 14.171491622924805),
        ("curiosity-navcam", 27.478185653686523),
        ("opportunity-hazcam", 31.553491592407227),
        ("perseverance-hazcam", 0.0),
    ],
)
def test_brisque_is_that_of_opencv(name: str, expected: float) -> None:
    assert brisque(truth(name)) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("name", "expected"), [("curiosity-navcam", 51.8654), ("opportunity-hazcam", 39.3010)])
def test_brisque_of_jpegs_is_near_that_of_opencv(name: str, expected: float) -> None:
    """Its rounding decides about pixels in flat blocks, which count to neither side here."""
    with Image.open(sample_path(name)) as image:
        assert brisque(np.asarray(image)) == pytest.approx(expected, abs=0.6)


def test_brisque_of_noise_is_that_of_opencv() -> None:
    """Noise of 5, 10, 20 and 40 DN: OpenCV's values, which also rise."""
    expected = [33.99602127075195, 46.139930725097656, 57.3188591003418, 69.10079193115234]
    found = [brisque(noisy(truth("curiosity-navcam"), deviation)) for deviation in (5, 10, 20, 40)]
    assert found == pytest.approx(expected, abs=0.02)


# BasicSR 1.4.2, calculate_niqe of the rounded luma. Its authors found it equal to MATLAB's on their own test image.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("curiosity-mastcam", 3.298860419108437),
        ("curiosity-navcam", 8.590978458898952),
        ("opportunity-hazcam", 5.035673238783537),
        ("perseverance-hazcam", 3.940908052544412),
    ],
)
def test_niqe_is_that_of_basicsr(name: str, expected: float) -> None:
    assert niqe(truth(name)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("metric", [brisque, niqe])
def test_worse_images_score_worse(metric: Callable[[Pixels], float]) -> None:
    image = truth("curiosity-mastcam")[:384, :384]
    blurred = [metric(gaussian_filter(image, (s, s, 0))) for s in (1, 2, 4)]
    assert metric(image) < blurred[0] < blurred[1] < blurred[2]
    noise = [metric(noisy(image, deviation)) for deviation in (0, 15, 40)]
    assert noise[0] < noise[1] < noise[2]
    compressed = [metric(decoded(image, quality)) for quality in (50, 20, 8)]
    assert metric(image) < compressed[0] < compressed[1] < compressed[2]


@pytest.mark.parametrize("metric", [brisque, niqe])
def test_depth_and_colour(metric: Callable[[Pixels], float]) -> None:
    image = truth("curiosity-mastcam")[:200, :300]
    gray = np.rint(image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    assert metric(gray) == metric(image)
    assert metric(np.repeat(gray[..., None], 3, axis=2)) == metric(gray)
    assert metric(gray.astype(np.uint16) * 257) == pytest.approx(metric(gray), abs=1e-6)
    with pytest.raises(SettingError, match="uint8 or uint16"):
        metric(gray.astype(np.float32))


def test_brisque_is_clipped_to_its_range() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64), dtype=np.uint8)
    assert 80 < brisque(noise) <= 100


def test_what_has_no_statistics_has_no_score() -> None:
    flat = np.full((200, 200), 77, np.uint8)
    assert math.isnan(brisque(flat))
    assert math.isnan(niqe(flat))
    assert math.isnan(brisque(texture(15, 40)))
    assert math.isnan(niqe(texture(95, 300)))
    assert math.isnan(niqe(texture(96, 191)))  # one patch has no covariance
    assert niqe(texture(96, 192)) > 0


def test_niqe_leaves_out_patches_without_variation() -> None:
    """A black patch of a mosaic must not decide; NaN nowhere else."""
    image = texture(192, 288, colour=False)
    image[:96, :96] = 0
    assert 0 < niqe(image) < 2 * niqe(texture(192, 288, colour=False)) + 5


@pytest.mark.parametrize(("shape", "left", "right"), [(2.0, 1.0, 1.0), (1.0, 0.5, 2.0), (0.7, 3.0, 1.0)])
def test_fit_finds_the_distribution_it_was_drawn_from(shape: float, left: float, right: float) -> None:
    random = np.random.default_rng(3)
    count = 400_000
    magnitude = random.gamma(1 / shape, size=count) ** (1 / shape) * np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    negative = random.random(count) < left / (left + right)
    values = np.where(negative, -left * magnitude, right * magnitude).reshape(1, 400, -1)
    found = [float(x[0]) for x in asymmetric_fit(values)]
    assert found == pytest.approx([shape, left, right], rel=0.02)


def test_field_of_a_flat_plane_is_zero_and_has_unit_contrast_elsewhere() -> None:
    assert not normalised(np.full((30, 30), 77.3)).any()
    field = normalised(luma_255(noisy(np.full((80, 80), 128, np.uint8), 30)))
    assert 0.7 < field.std() < 1.1


def test_products_by_hand() -> None:
    plane = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert [p.sum() for p in products(plane, wrap=False)] == [1 * 2 + 3 * 4, 1 * 3 + 2 * 4, 1 * 4, 2 * 3]
    assert [p.sum() for p in products(plane, wrap=True)] == [28, 22, 20, 20]


def test_halving_keeps_the_mean_and_the_place() -> None:
    taps = np.array([-3, 19, 19, -3]) / 32
    ramp = np.tile(np.arange(40.0), (11, 1))
    half = halved(ramp, taps, "edge")
    assert half.shape == (5, 20)
    assert half[0, 2:-2] == pytest.approx(np.arange(40).reshape(20, 2).mean(axis=1)[2:-2])


def test_what_is_not_computed_is_named_with_its_reason() -> None:
    assert "Ma et al." in NOT_COMPUTED["perceptual index"]
