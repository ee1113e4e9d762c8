"""PSNR-B and MS-SSIM against literal computations of their definitions."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenes import jpeg_bytes, texture, truth_crop
from scipy.signal import convolve2d

from marsqe.colour import luma
from marsqe.errors import SettingError
from marsqe.image import Pixels
from marsqe.judgement import lpips, ms_ssim, psnr, psnr_b, psnr_b_rgb
from marsqe.judgement.blocking import blocking_effect


def literal_psnr_b(image: NDArray[Any], truth: NDArray[Any], peak: int) -> float:
    """The definition pair by pair, with the sets of neighbours of the paper and their real sizes."""
    y, x = image.astype(float), truth.astype(float)
    height, width = y.shape
    border, other = [], []
    for row in range(height):
        for column in range(width):
            if column + 1 < width:
                (border if column % 8 == 7 else other).append((y[row, column] - y[row, column + 1]) ** 2)
            if row + 1 < height:
                (border if row % 8 == 7 else other).append((y[row, column] - y[row + 1, column]) ** 2)
    d_b, d_bc = sum(border) / len(border), sum(other) / len(other)
    eta = math.log2(8) / math.log2(min(height, width)) if d_b > d_bc else 0
    return 10 * math.log10(peak**2 / (((y - x) ** 2).mean() + eta * (d_b - d_bc)))


def compressed(pixels: NDArray[np.uint8], quality: int = 20) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(jpeg_bytes(pixels, quality))) as image:
        return np.asarray(image)


@pytest.mark.parametrize("size", [(64, 64), (37, 51), (24, 90)])
@pytest.mark.parametrize("scale", [1, 257])
def test_psnr_b_is_its_definition(size: tuple[int, int], scale: int) -> None:
    truth = texture(*size)
    image = compressed(truth)
    image, truth = (p.astype(np.uint16) * 257 if scale > 1 else p for p in (image, truth))
    expected = literal_psnr_b(luma(image), luma(truth), 255 * scale)
    assert psnr_b(image, truth) == pytest.approx(expected, abs=1e-9)
    channels = [literal_psnr_b(image[..., c], truth[..., c], 255 * scale) for c in range(3)]
    assert psnr_b_rgb(image, truth) == pytest.approx(np.mean(channels), abs=1e-9)


def test_psnr_b_by_hand() -> None:
    """One step of 16 DN along the only border between columns, none along that between rows."""
    truth = np.full((16, 16), 100, np.uint8)
    image = truth.copy()
    image[:, 8:] = 116
    # Of 32 border pairs, 16 step by 16 DN: 128 in the mean, times log2(8) / log2(16). Half the pixels are wrong by 16.
    assert blocking_effect(image) == pytest.approx(3 / 4 * 128)
    assert psnr_b(image, truth) == pytest.approx(10 * math.log10(255**2 / (128 + 96)))


def test_psnr_b_is_psnr_where_borders_step_no_more_than_the_rest() -> None:
    truth = texture(64, 64, colour=False)
    image = truth.copy()
    image[3, 3] ^= 64  # an error inside a block
    image[:, 7] = image[:, 8]  # and no step at a border
    image[7] = image[8]
    assert psnr_b(image, truth) == psnr(image, truth)


def test_psnr_b_falls_short_of_psnr_for_jpeg_and_knows_the_grid() -> None:
    truth = truth_crop(96, 96)
    image = compressed(truth)
    assert psnr_b(image, truth) < psnr(luma(image), luma(truth)) - 0.3
    off_grid = psnr(luma(image[4:, 4:]), luma(truth[4:, 4:])) - psnr_b(image[4:, 4:], truth[4:, 4:])
    on_grid = psnr(luma(image), luma(truth)) - psnr_b(image, truth)
    assert off_grid < on_grid / 2


def test_psnr_b_of_equal_and_of_tiny_images() -> None:
    smooth = np.tile(np.arange(40, dtype=np.uint8), (40, 1))
    assert psnr_b(smooth, smooth) == float("inf")
    assert psnr_b(smooth[:5, :5], smooth[:5, :5] + 1) == psnr(smooth[:5, :5], smooth[:5, :5] + 1)
    assert math.isnan(psnr_b(smooth[:1], smooth[:1]))
    assert psnr_b_rgb(smooth, smooth + 1) == psnr_b(smooth, smooth + 1)


@pytest.mark.parametrize("metric", [psnr_b, psnr_b_rgb, ms_ssim, lpips])
def test_images_that_do_not_match_are_refused(metric: Callable[[Pixels, Pixels], float]) -> None:
    a = texture(40, 40)
    for b in (a[:-1], a[..., 0], a.astype(np.uint16)):
        with pytest.raises(SettingError, match="same size, channels and depth"):
            metric(a, b)
    for wrong in (a.astype(np.float32), np.zeros((40, 40, 4), np.uint8)):
        with pytest.raises(SettingError, match="uint8 or uint16"):
            metric(wrong, wrong)


def literal_ms_ssim(image: NDArray[Any], truth: NDArray[Any]) -> float:
    """Five scales of one plane: contrast and structure at each, luminance at the last (Wang et al. 2003)."""
    positions = np.arange(11) - 5
    window = np.exp(-(positions**2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    a, b = image.astype(float), truth.astype(float)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    total = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        ma, mb, aa, bb, ab = (convolve2d(x, window, mode="valid") for x in (a, b, a * a, b * b, a * b))
        value = (2 * (ab - ma * mb) + c2) / (aa - ma**2 + bb - mb**2 + c2)
        if scale == 4:
            value = value * (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
        total *= value.mean() ** weight
        a, b = (x[: x.shape[0] // 2 * 2, : x.shape[1] // 2 * 2] for x in (a, b))
        a, b = ((x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4 for x in (a, b))
    return total


def test_ms_ssim_is_its_definition() -> None:
    truth = texture(176, 182, colour=False)
    image = compressed(truth, 8)
    expected = literal_ms_ssim(image, truth)
    assert 0.5 < expected < 0.99
    assert ms_ssim(image, truth) == pytest.approx(expected, abs=1e-9)
    assert ms_ssim(truth, truth) == pytest.approx(1)
    wide = [np.repeat(p[..., None], 3, axis=2).astype(np.uint16) * 257 for p in (image, truth)]
    assert ms_ssim(*wide) == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow  # importing torchmetrics is
def test_ms_ssim_is_near_that_of_torchmetrics() -> None:
    """Near: torchmetrics also counts a mirrored border, at the last scale only."""
    functional = pytest.importorskip("torchmetrics.functional.image")
    import torch

    truth = texture(177, 190)
    image = compressed(truth, 8)
    planes = [torch.from_numpy(p.transpose(2, 0, 1)[None].astype(np.float32)) for p in (image, truth)]
    expected = functional.multiscale_structural_similarity_index_measure(*planes, data_range=255.0)
    assert ms_ssim(image, truth) == pytest.approx(float(expected), abs=5e-4)


def test_ms_ssim_of_opposites_and_of_small_images() -> None:
    image = texture(176, 176, colour=False)
    assert ms_ssim(255 - image, image) == 0
    assert math.isnan(ms_ssim(image[1:], image[1:]))
