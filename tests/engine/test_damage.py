"""Traces of damage in JPEG files that open all the same: told where there are any, never where there are none."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from refusals import put

import marsqe
from marsqe.cli import main
from marsqe.codecs import damage
from marsqe.codecs.damage import signs_of_damage
from marsqe.errors import ExportError, ReadError
from marsqe.read import decode_image, limits
from marsqe.samples import SAMPLES, sample_path

SAMPLE = sample_path("curiosity-mastcam", "compressed")


def flipped(data: bytes, seed: int) -> bytes:
    """One bit of the scan turned over."""
    r, out = random.Random(seed), bytearray(data)
    start = data.index(b"\xff\xda")
    at = r.randrange(start + 2 + int.from_bytes(data[start + 2 : start + 4], "big"), len(data) - 2)
    out[at] ^= 1 << r.randrange(8)
    return bytes(out)


def encoded(pixels: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", **options)
    return stream.getvalue()


def noticed(seed: int) -> bytes:
    """A sample with one flipped bit that leaves a trace."""
    return next(data for data in (flipped(SAMPLE.read_bytes(), seed + n) for n in range(50)) if warnings_of(data))


def warnings_of(data: bytes) -> tuple[str, ...]:
    return decode_image(data).warnings


@pytest.mark.parametrize("sample", [sample.name for sample in SAMPLES])
def test_sound_samples_show_none(sample: str) -> None:
    assert marsqe.open_image(sample_path(sample, "compressed")).warnings == ()


@pytest.mark.parametrize("quality", [1, 10, 50, 95, 100])
@pytest.mark.parametrize("extra", [{}, {"progressive": True}, {"optimize": True, "subsampling": 0}])
def test_the_hardest_sound_pictures_show_none(quality: int, extra: dict[str, Any]) -> None:
    chance = np.random.default_rng(quality)
    noise = chance.choice([0, 255], (40, 56, 3)).astype(np.uint8)
    waves = (255 * (np.cos(np.outer(2 * np.arange(64) + 1, np.arange(64)) * np.pi / 16) > 0)).astype(np.uint8)
    for pixels in (noise, noise[..., 0], waves, np.zeros_like(noise), np.full_like(noise, 255)):
        assert warnings_of(encoded(pixels, quality=quality, **extra)) == ()


def test_a_third_or_more_of_flipped_bits_is_noticed() -> None:
    data = SAMPLE.read_bytes()
    assert sum(bool(warnings_of(flipped(data, seed))) for seed in range(60)) >= 20


def test_a_place_lost_and_impossible_values_are_told_apart() -> None:
    data = SAMPLE.read_bytes()
    tables = marsqe.open_image(SAMPLE).compression.tables
    assert tables is not None
    found = {sign for seed in range(60) for sign in signs_of_damage(flipped(data, seed), tables)}
    assert "values that no picture gives" in found
    assert any("premature end" in sign for sign in found)


def test_whoever_opens_or_enhances_it_is_told(
    tmp_path: Path, understood: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    file = put(tmp_path / "a.jpg", noticed(3))
    assert main(["info", str(file)]) == 0
    assert "careful: this JPEG may be damaged" in capsys.readouterr().out
    assert main(["info", str(file), "--json"]) == 0
    assert "may be damaged" in json.loads(capsys.readouterr().out)["results"][0]["warnings"][0]
    image = marsqe.open_image(file)
    result = marsqe.enhance(image, "marsqe-swift", "cpu", marsqe.Region(0, 0, 16, 16))
    assert result.provenance["source"]["warnings"] == list(image.warnings)
    sound = marsqe.enhance(marsqe.open_image(SAMPLE), "marsqe-swift", "cpu", marsqe.Region(0, 0, 16, 16))
    assert "warnings" not in sound.provenance["source"]


@pytest.mark.parametrize(
    ("raised", "says"), [(ReadError("no"), "coefficients that cannot be read"), (ExportError("disk full"), "disk full")]
)
def test_a_file_that_cannot_be_looked_at_opens_and_says_so(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, says: str
) -> None:
    def fail(*_: Any) -> Any:
        raise raised

    monkeypatch.setattr(damage, "components_and_remarks", fail)
    assert says in marsqe.open_image(SAMPLE).warnings[0]


def test_large_files_are_not_held_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    data = noticed(3)
    assert limits.MOST_CHECKED > 20_000_000
    monkeypatch.setattr("marsqe.read.jpeg.MOST_CHECKED", 1000)
    assert decode_image(data).warnings == ()
