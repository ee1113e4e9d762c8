"""Verification counts what comes back identical when an image is compressed again as its file was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import marsqe
from marsqe.cli import main
from marsqe.errors import SettingError
from marsqe.judgement.verification import verify
from marsqe.samples import SAMPLES, sample_path

JPEG = sample_path(SAMPLES[0].name)


def test_decoded_pixels_come_back_and_a_changed_block_does_not() -> None:
    image = marsqe.open_image(JPEG)
    own = verify(image, JPEG.read_bytes(), image.pixels)
    assert own.blocks == own.jpeg_blocks > 0.999
    changed = image.pixels.copy()
    changed[64:72, 80:88] = 255 - changed[64:72, 80:88]
    found = verify(image, JPEG.read_bytes(), changed)
    assert found.changed[8, 10]
    assert found.blocks < own.blocks
    assert found.coefficients < 1
    assert found.changed.sum() <= own.changed.sum() + 4, "one block of luma and the chroma block that holds it"


def test_what_cannot_be_verified_is_refused() -> None:
    image = marsqe.open_image(JPEG)
    with pytest.raises(SettingError, match="another size"):
        verify(image, JPEG.read_bytes(), image.pixels[:-8])
    lossless = marsqe.MarsImage.from_array(np.zeros((16, 16), np.uint8))
    with pytest.raises(SettingError, match="no JPEG"):
        verify(lossless, b"", lossless.pixels)


def test_command_says_the_share_and_writes_the_mask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = tmp_path / "mask.png"
    assert main(["verify", str(JPEG), str(JPEG), "--mask", str(mask), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)["results"][0]
    assert result["identical_blocks"] == result["identical_blocks_of_the_jpeg_itself"]
    assert marsqe.open_image(mask).pixels.shape == (512, 640)
