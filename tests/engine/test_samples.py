"""The bundled samples: complete, credited, and what they say they are."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from marsqe.codecs.jpeg import encode_jpeg, estimate_quality
from marsqe.errors import SettingError
from marsqe.samples import SAMPLES, Sample, get_sample, sample_path

each_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@each_sample
def test_truth_compresses_to_the_jpeg(sample: Sample) -> None:
    """The JPEG is really what compressing the truth at quality 30 gives: same shape, close, but not equal."""
    path = sample_path(sample.name, "compressed")
    with Image.open(path) as jpeg, Image.open(sample_path(sample.name, "truth")) as png:
        assert jpeg.format == "JPEG"
        assert png.format == "PNG"
        assert jpeg.mode == png.mode
        luma = np.array(jpeg.quantization[0]).reshape(8, 8)
        compressed, truth = np.asarray(jpeg).astype(float), np.asarray(png)
    assert estimate_quality(luma) == (30, True)
    assert compressed.shape == truth.shape
    assert compressed.shape[0] % 8 == compressed.shape[1] % 8 == 0
    psnr = 10 * np.log10(255**2 / np.square(compressed - truth).mean())
    assert 28 < psnr < 40
    # libjpeg builds differ by a few bytes in how they transform, not in how much they keep.
    assert len(encode_jpeg(truth, quality=30)) == pytest.approx(path.stat().st_size, rel=0.02)


@each_sample
def test_truth_shows_ground_worth_enhancing(sample: Sample) -> None:
    with Image.open(sample_path(sample.name, "truth")) as png:
        pixels = np.asarray(png)
    assert pixels.std() > 15
    assert (pixels == 0).mean() < 0.01, "black borders of a mosaic"


def test_samples_are_of_several_rovers_and_one_is_gray() -> None:
    modes = set()
    for sample in SAMPLES:
        with Image.open(sample_path(sample.name, "truth")) as png:
            modes.add(png.mode)
    assert modes == {"RGB", "L"}
    assert len({sample.mission.split(",")[0] for sample in SAMPLES}) >= 3


def test_notice_lists_every_file_and_credit() -> None:
    folder = files("marsqe.resources")
    notice = (folder / "NOTICE.md").read_text(encoding="utf-8")
    bundled = {entry.name for entry in (folder / "samples").iterdir() if entry.is_file()}
    assert bundled == {name for sample in SAMPLES for name in (sample.compressed, sample.truth)}
    rows = notice.splitlines()
    for sample in SAMPLES:
        for name in (sample.compressed, sample.truth):
            row = next((row for row in rows if f"`{name}`" in row), None)
            assert row is not None, f"{name} is not in NOTICE.md"
            assert sample.credit in row


def test_samples_are_small() -> None:
    sizes = [sample_path(sample.name, kind).stat().st_size for sample in SAMPLES for kind in ("compressed", "truth")]
    assert sum(sizes) < 3 * 2**20


def test_unknown_names_are_told_apart() -> None:
    with pytest.raises(SettingError, match="perseverance-hazcam"):
        get_sample("spirit")
    with pytest.raises(SettingError, match="truth"):
        sample_path(SAMPLES[0].name, "raw")  # type: ignore[arg-type]
