"""Settling: after rounding, an enhanced image compresses to the very file that was received."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import ground, jpeg_bytes, texture, truth_crop
from scipy.fft import dctn

import marsqe
from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.jpeg import SUBSAMPLINGS, decode_jpeg
from marsqe.enhancement import pipeline
from marsqe.enhancement.faithful import hold, project
from marsqe.enhancement.settling import encoder_blocks, settle
from marsqe.judgement import psnr

RATIOS = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2)}


def returning(data: bytes, pixels: NDArray[np.uint8], quality: int, name: str) -> float:
    """Share of blocks that come back when pixels are compressed as the file was."""
    again = coefficients_from_bytes(jpeg_bytes(pixels, quality, subsampling=SUBSAMPLINGS.index(name)))
    pairs = zip(coefficients_from_bytes(data).components, again.components, strict=True)
    return float(np.concatenate([(a == b).all(axis=(2, 3)).ravel() for a, b in pairs]).mean())


@pytest.mark.parametrize("name", list(RATIOS))
@pytest.mark.parametrize(("shape", "least"), [((96, 160), 0.995), ((93, 155), 0.97)])
def test_nearly_every_block_comes_back(name: str, shape: tuple[int, int], least: float) -> None:
    truth = truth_crop(*shape)
    data = jpeg_bytes(truth, 75, subsampling=SUBSAMPLINGS.index(name))
    decoded, coefficients = decode_jpeg(data), coefficients_from_bytes(data)
    values = project(truth + np.random.default_rng(0).normal(0, 3, truth.shape), coefficients, RATIOS[name])
    rounded = np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    settled = settle(values, decoded, coefficients, RATIOS[name])
    share = returning(data, settled, 75, name)
    assert share >= max(least, returning(data, rounded, 75, name), returning(data, decoded, 75, name) - 0.002)
    assert psnr(settled, truth) > psnr(rounded, truth) - 0.02


def test_gray_settles_and_does_so_again_alike() -> None:
    truth = truth_crop(96, 160, "curiosity-navcam")
    data = jpeg_bytes(truth, 85)
    decoded, coefficients = decode_jpeg(data), coefficients_from_bytes(data)
    noisy = truth + np.random.default_rng(1).normal(0, 3, truth.shape)
    settled = hold(noisy, decoded, coefficients)
    assert settled.dtype == np.uint8
    assert returning(data, settled, 85, "4:4:4") > 0.995
    np.testing.assert_array_equal(hold(noisy, decoded, coefficients), settled)


def test_saturated_pixels_cost_no_more_than_in_the_jpeg_itself() -> None:
    truth = np.clip(texture(64, 96).astype(int) * 3 - 250, 0, 255).astype(np.uint8)
    data = jpeg_bytes(truth, 60, subsampling=2)
    decoded = decode_jpeg(data)
    settled = hold(truth * 1.1, decoded, coefficients_from_bytes(data), (2, 2))
    assert returning(data, settled, 60, "4:2:0") >= returning(data, decoded, 60, "4:2:0")


@pytest.mark.parametrize("name", list(RATIOS))
def test_the_encoder_is_followed_to_the_coefficient(name: str) -> None:
    """At steps of 1 what the own emulation quantizes is what libjpeg writes, but for ties of its whole-number DCT."""
    pixels = texture(48, 64, seed=4)
    across, down = RATIOS[name]
    written = coefficients_from_bytes(jpeg_bytes(pixels, 100, subsampling=SUBSAMPLINGS.index(name))).components
    units = pixels.reshape(48 // (8 * down), 8 * down, 64 // (8 * across), 8 * across, 3).swapaxes(1, 2)
    flat = units.reshape(-1, 8 * down, 8 * across, 3).astype(np.float32)
    heights = np.full(len(flat), 8 * down)
    for component, blocks in zip(written, encoder_blocks(flat, RATIOS[name], heights), strict=True):
        means = np.sort(blocks.mean(axis=2).ravel() * 8)
        assert np.abs(means - np.sort(component[..., 0, 0].ravel())).max() <= 0.6


@pytest.mark.parametrize("name", list(RATIOS))
@pytest.mark.parametrize("height", [34, 42, 47])
def test_the_encoder_is_followed_below_the_image(name: str, height: int) -> None:
    """There libjpeg repeats the last row of chroma after its means of chroma were taken."""
    across, down = RATIOS[name]
    truth = texture(height, 64, seed=5)
    written = coefficients_from_bytes(jpeg_bytes(truth, 100, subsampling=SUBSAMPLINGS.index(name))).components
    top = height // (8 * down) * 8 * down
    unit = np.pad(truth[top:, : 8 * across], ((0, 8 * down - height + top), (0, 0), (0, 0)), mode="edge")
    parts = encoder_blocks(unit[None].astype(np.float32), RATIOS[name], np.array([height - top]))
    for component, blocks in list(zip(written, parts, strict=True))[1:]:
        exact = dctn(blocks[0, 0].reshape(8, 8), norm="ortho")
        assert np.abs(exact - component[top // (8 * down), 0]).max() <= 0.8


def test_float_pixels_lie_within_every_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: lambda pixels, condition: pixels * 0.9)
    image = marsqe.simulate_downlink(truth_crop(64, 96), 92, "4:4:4")
    result = marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image))
    values = result.float_pixels()
    assert values is not None and values.dtype == np.float32
    assert np.abs(np.clip(values, 0, 255) - result.pixels).max() < 4
    coefficients = coefficients_from_bytes(image.metadata["encoded"])
    again = project(values, coefficients, (1, 1), cell=0.5)
    np.testing.assert_allclose(again, values, atol=1e-3)
    free = marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image), faithful=False)
    assert free.float_pixels() is None
