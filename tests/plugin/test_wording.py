"""What the workbench says is true, short and in plain words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marsqe.image import Compression, MarsImage, Product
from marsqe.results import Confidence, Enhancement, Judgement, Matches
from marsqe.terrain import Terrain
from napari_marsqe import wording

ZEROS = np.zeros((4, 4), np.float32)


def test_an_opened_jpeg_is_described_by_its_compression() -> None:
    image = MarsImage(
        np.zeros((1152, 1600, 3), np.uint8),
        Compression("JPEG", True, None, 30, True, (2, 2), 0.9),
        Product(mission="Curiosity", camera="Mastcam", sol=739),
        Path("a<b.jpg"),
    )
    text = wording.describe_image(image, None)
    assert "1600 × 1152 pixels" in text
    assert "JPEG, quality 30, 4:2:0, 0.90 bits per pixel" in text
    assert "Curiosity, Mastcam, sol 739" in text
    assert "Truth: none" in text
    assert "a&lt;b" in text, "a file name must not become markup"


def test_pixels_without_a_file_are_not_given_a_compression() -> None:
    text = wording.describe_image(MarsImage.from_array(np.zeros((8, 8), np.uint16)), "the original")
    assert "unknown" in text
    assert "16‑bit gray" in text
    assert "Truth: the original" in text


def test_terrain_is_told_from_the_largest_share() -> None:
    labels = np.full((10, 10), 4, np.uint8)
    labels[:3] = 2
    matches = Matches(
        *(np.zeros((1, 2), t) for t in (np.uint8, np.int64, float)), np.zeros((1, 2, 6)), np.zeros((1, 2))
    )
    text = wording.describe_terrain(Terrain(labels), matches)
    assert text.index("70&nbsp;%&nbsp;rock") < text.index("30&nbsp;%&nbsp;sand")
    assert "sky" not in text
    assert "2 tiles matched to 1 different reference." in text


def test_a_gain_names_its_sign_and_classes() -> None:
    metrics = {"psnr_compressed": 30.0, "psnr_enhanced": 31.12, "ssim_compressed": 0.8, "ssim_enhanced": 0.85}
    base = {"mean_change": 1.0, "largest_change": 2.0, **metrics}
    judged = Judgement(ZEROS, ZEROS, ZEROS, ZEROS, {"sand": 0.9, "rock": 1.3}, {**base, "delta_psnr": 1.12})
    text = wording.describe_judgement(judged)
    assert "+1.12 dB closer to the truth" in text
    assert text.index("rock&nbsp;+1.3") < text.index("sand&nbsp;+0.9")
    worse = wording.describe_judgement(Judgement(ZEROS, ZEROS, ZEROS, ZEROS, {}, {**base, "delta_psnr": -0.4}))
    assert "−0.40 dB further from the truth" in worse


def test_without_a_truth_no_gain_is_made_up() -> None:
    text = wording.describe_judgement(Judgement(ZEROS, metrics={"mean_change": 1.23, "largest_change": 17.0}))
    assert "no gain can be known" in text
    assert "1.2 DN" in text
    assert "dB" not in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.2, "about 1 s left"), (42.4, "about 42 s left"), (61, "about 2 min left")],
)
def test_time_left(seconds: float | None, text: str) -> None:
    assert wording.time_left(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.84, "0.8 s"), (12.2, "12 s"), (185, "3 min 5 s")])
def test_durations(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


def test_small_shares_are_not_rounded_to_nothing() -> None:
    assert wording.percent(0.002) == "&lt;&nbsp;1&nbsp;%"
    assert wording.percent(0.62) == "62&nbsp;%"
    assert wording.percent(0.0004, 1) == "&lt;&nbsp;0.1&nbsp;%"
    assert wording.percent(0.0, 1) == "0.0&nbsp;%"


@pytest.mark.parametrize(("pixels", "share"), [(1, "0.1&nbsp;%"), (0, "0.0&nbsp;%")])
def test_figures_of_the_confidence_stay_with_their_units(pixels: int, share: str) -> None:
    beyond = np.zeros((20, 50), np.bool_)
    beyond.flat[:pixels] = True
    image = MarsImage.from_array(np.zeros((20, 50), np.uint8))
    matches = Matches(
        *(np.zeros((1, 2), t) for t in (np.uint8, np.int64, float)), np.zeros((1, 2, 6)), np.zeros((1, 2))
    )
    terrain = Terrain(np.zeros((20, 50), np.uint8))
    found = Enhancement(image.pixels, image, terrain, matches, "marsqe-swift", "cpu", 1.0)
    found.__dict__["evidence"] = Confidence(np.full((20, 50), 1.25, np.float32), beyond)  # instead of computing it
    (text,) = wording.describe_confidence(found)
    assert "±1.2&nbsp;DN" in text
    assert f"{share} changed" in text


def test_a_loss_that_rounds_to_nothing_has_no_minus() -> None:
    assert wording.signed(-0.001) == "+0.00"
    assert wording.signed(-0.5, 1) == "−0.5"
