"""Pixels of 12 bits in 16: pictures made of them are as bright as the camera saw them."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import ground, texture

import marsqe
from marsqe.colour import as_8bit
from marsqe.enhancement import pipeline
from marsqe.export.report import write_report
from marsqe.image import MarsImage
from marsqe.matching import match, reference_mosaic
from marsqe.results import Enhancement

SMALL = texture(128, 128, colour=False, seed=5)
TWELVE = MarsImage.from_array(np.rint(SMALL * (4095 / 255)).astype(np.uint16), metadata={"significant_bits": 12})


def test_white_of_twelve_bits_is_white() -> None:
    np.testing.assert_array_equal(as_8bit(np.array([0, 8, 9, 4095, 5000], np.uint16), 4095), [0, 0, 1, 255, 255])
    np.testing.assert_array_equal(as_8bit(TWELVE.pixels, TWELVE.full_scale), SMALL)
    eight = texture(3, 3)
    assert as_8bit(eight, 4095) is eight


def test_references_are_as_bright_as_the_image() -> None:
    eight = MarsImage.from_array(SMALL)
    found = match(eight, ground(eight))
    mosaic = reference_mosaic(TWELVE, found)
    assert mosaic.dtype == np.uint16
    np.testing.assert_array_equal(as_8bit(mosaic, 4095), reference_mosaic(eight, found))


def test_simulated_downlink_uses_all_eight_bits() -> None:
    image = marsqe.simulate_downlink(TWELVE.pixels, 95, full_scale=TWELVE.full_scale)
    assert abs(image.pixels.astype(float).mean() - SMALL.mean()) < 1


def test_report_is_not_dark(tmp_path: Path) -> None:
    terrain = ground(TWELVE)
    matches = match(TWELVE, terrain)
    result = Enhancement(TWELVE.pixels, TWELVE, terrain, matches, "a-model", "cpu", 1.0)
    truth = TWELVE.pixels - np.uint16(16)  # one step of eight bits
    judged = marsqe.judge(result.pixels, truth, compressed=TWELVE.pixels, terrain=terrain)
    page = write_report(result, judged, tmp_path / "r.html").read_text(encoding="utf-8")
    data = re.findall(r"data:image/webp;base64,([^\"]+)", page)
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(d))).convert("L"), float).mean() for d in data]
    for index in (0, 1):
        assert abs(shown[index] - SMALL.mean()) < 3
    assert abs(shown[-1] - 8) < 2, "the residual of one step, amplified eight times"


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_every_number_survives_enhancement_and_white_is_never_passed(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = 2**bits - 1
    pixels = np.linspace(0, top, 64 * 64).round().astype(np.uint8 if bits == 8 else np.uint16).reshape(64, 64)
    image = MarsImage.from_array(pixels, metadata={"significant_bits": bits})
    for gain, expected in ((1.0, pixels), (1.4, np.minimum(np.rint(pixels * 1.4), top))):
        monkeypatch.setattr(pipeline, "loaded", lambda name, device, g=gain: lambda planes, condition: planes * g)
        result = marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image), precision="float32")
        np.testing.assert_array_equal(result.pixels, expected)
        assert result.pixels.dtype == pixels.dtype
