"""Tables, grid and chroma subsampling of a JPEG, from its decoded pixels alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenes import ground, texture, truth_crop

import marsqe
from marsqe.codecs.estimation import ESTIMATED, estimate_tables, with_estimated_tables
from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, standard_tables
from marsqe.enhancement import pipeline
from marsqe.errors import SettingError


@pytest.mark.parametrize(
    ("quality", "offset", "subsampling", "colour"),
    [
        (30, (3, 13), "4:2:0", True),
        (75, (0, 5), "4:4:4", True),
        (92, (6, 1), "4:4:4", False),
        (55, (8, 0), "4:2:0", True),
    ],
)
def test_what_was_done_is_found(quality: int, offset: tuple[int, int], subsampling: str, colour: bool) -> None:
    truth = truth_crop(208, 224, "perseverance-hazcam" if colour else "curiosity-navcam")
    decoded = decode_jpeg(encode_jpeg(truth, quality=quality, subsampling=subsampling))[offset[0] :, offset[1] :]
    found = estimate_tables(np.ascontiguousarray(decoded))
    assert found is not None
    unit = 16 if subsampling == "4:2:0" else 8
    assert found.quality == quality
    assert found.offset == tuple(-o % unit for o in offset)
    assert found.subsampling == (((2, 2) if unit == 16 else (1, 1)) if colour else None)
    for table, wanted in zip(found.tables, standard_tables(quality), strict=False):
        np.testing.assert_array_equal(table, wanted)


def test_pixels_that_were_no_jpeg_tell_of_none() -> None:
    assert estimate_tables(texture(160, 176)) is None
    assert estimate_tables(texture(24, 24)) is None


def test_an_image_is_cut_to_its_blocks_and_held_to_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: lambda pixels, condition: pixels * 0.9)
    decoded = decode_jpeg(encode_jpeg(truth_crop(208, 224), quality=60))[5:, 3:]
    Image.fromarray(decoded).save(tmp_path / "a.png")
    image = with_estimated_tables(marsqe.open_image(tmp_path / "a.png"))
    assert image.compression.codec == ESTIMATED and image.compression.quality == 60
    assert image.metadata["cut"] == [11, 13]
    assert image.shape == (192, 208)
    np.testing.assert_array_equal(image.pixels, decoded[11:203, 13:221])
    result = marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image))
    assert result.provenance["settings"]["faithful"]
    assert "estimated" in result.provenance["source"]["compression"]
    with pytest.raises(SettingError, match="nothing to estimate"):
        with_estimated_tables(image)
    with pytest.raises(SettingError, match="no trace"):
        with_estimated_tables(marsqe.MarsImage.from_array(texture(160, 176)))
