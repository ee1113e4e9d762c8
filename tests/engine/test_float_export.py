"""32-bit exports: every coefficient lies inside the interval of the file, as `marsqe verify` measures it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from handmade import write
from scenes import jpeg_bytes, orientation_exif, texture, truth_crop

import marsqe
from marsqe.cli import main
from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.intervals import departures, whole_blocks
from marsqe.enhancement.edges import hold_edges
from marsqe.enhancement.faithful import project
from marsqe.errors import ReadError, SettingError
from marsqe.export import ExportOptions, read_provenance
from marsqe.judgement.verification import inside

Said = Callable[[], tuple[dict[str, Any], str]]
FLOAT = ExportOptions(depth="float")


def exported(path: Path, out: Path, *more: str) -> int:
    return main(["enhance", str(path), "-o", str(out), "--model", "marsqe-swift", "--depth", "float", "--json", *more])


@pytest.mark.usefixtures("understood")
@pytest.mark.parametrize(
    ("colour", "shape", "options"),
    [
        (True, (64, 96), {"subsampling": 2}),
        (True, (61, 91), {"subsampling": 2}),
        (True, (64, 96), {"subsampling": 0, "quality": 93}),
        (True, (61, 91), {"subsampling": 1, "exif": orientation_exif(6)}),
        (False, (61, 91), {"quality": 88}),
    ],
    ids=["4:2:0", "odd", "4:4:4", "turned", "gray"],
)
def test_every_coefficient_is_inside_and_the_same_comes_out_again(
    tmp_path: Path, said: Said, colour: bool, shape: tuple[int, int], options: dict[str, Any]
) -> None:
    jpeg, out = tmp_path / "a.jpg", tmp_path / "out.tif"
    jpeg.write_bytes(jpeg_bytes(texture(*shape, colour=colour), **{"quality": 60} | options))
    assert exported(jpeg, out) == 0
    said()
    assert main(["verify", str(jpeg), str(out), "--mask", str(tmp_path / "mask.png"), "--json"]) == 0
    result = said()[0]["results"][0]
    assert result["real_numbers"]
    assert result["coefficients_of_whole_blocks_inside"] == 1
    assert result["coefficients_inside"] == result["blocks_inside"] == 1
    assert result["largest_distance_in_steps"] <= 0.5
    assert not marsqe.open_image(tmp_path / "mask.png").pixels.any()
    assert main(["verify", str(jpeg), str(out)]) == 0
    assert main(["replay", str(out), "--json"]) == 0
    record = read_provenance(out)
    assert record["export"]["depth"] == "float"
    assert "not clipped, each frequency within the JPEG's interval" in record["export"]["scaling"]
    assert tifffile.imread(out).shape == marsqe.open_image(jpeg).pixels.shape


@pytest.mark.usefixtures("understood")
def test_text_says_all_of_them_and_names_what_is_not(
    frame: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.tif"
    assert exported(frame, out) == 0
    assert main(["verify", str(frame), str(out)]) == 0
    assert f"{out}: 100 % of coefficients lie inside" in capsys.readouterr().out
    values = tifffile.imread(out)
    values[16:24, 8:16] += 40
    tifffile.imwrite(out, values, photometric="rgb")
    assert main(["verify", str(frame), str(out), "--mask", str(tmp_path / "mask.png")]) == 0
    said = capsys.readouterr().out
    assert "100 %" not in said
    assert "% of coefficients lie inside" in said
    mask = marsqe.open_image(tmp_path / "mask.png").pixels
    assert mask[16:24, 8:16].all()
    assert not mask[40:].any()


@pytest.mark.usefixtures("understood")
def test_same_file_is_replayed(frame: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.tif"
    options = ExportOptions(depth="float", compression="none", layers=("terrain", "change"), sidecars=("json", "pds4"))
    marsqe.enhance(marsqe.open_image(frame), "marsqe-swift", "cpu").save(out, options)
    found = marsqe.replay(out)
    assert found.same_file
    assert found.identical
    with pytest.raises(ReadError, match="marsqe verify"):
        marsqe.open_image(out)


@pytest.mark.usefixtures("understood")
def test_why_there_are_none_is_told_and_nothing_is_written(frame: Path, tmp_path: Path, said: Said) -> None:
    out = tmp_path / "out.tif"
    assert exported(frame, out, "--no-faithful") == 1
    assert "not held to the JPEG" in said()[1]
    png = write(tmp_path / "a.png", texture(40, 50))
    assert exported(png, out) == 1
    assert "a is no JPEG" in said()[1]
    result = marsqe.enhance(marsqe.open_image(frame), "marsqe-swift", "cpu")
    result.source.metadata.pop("encoded", None)
    frame.write_bytes(b"something else")
    with pytest.raises(SettingError, match="are gone"):
        result.save(out, FLOAT)
    assert not out.exists()


@pytest.mark.usefixtures("understood")
def test_windows_say_that_they_write_none(frame: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exported(frame, tmp_path / "out.tif", "--windowed") == 2
    assert "no 32-bit numbers" in capsys.readouterr().err


def test_scaled_numbers_cannot_be_verified(frame: Path, tmp_path: Path, said: Said) -> None:
    wide = tmp_path / "wide.tif"
    tifffile.imwrite(wide, marsqe.open_image(frame).pixels.astype(np.uint16) * 257, photometric="rgb")
    assert main(["verify", str(frame), str(wide), "--json"]) == 1
    assert "16-bit numbers" in said()[1]


def test_inside_counts_what_is_outside(frame: Path) -> None:
    image, data = marsqe.open_image(frame), frame.read_bytes()
    own = inside(image, data, image.pixels)
    assert own.whole_blocks > 0.999
    values = image.pixels.astype(np.float32)
    values[8, 8] = np.nan
    found = inside(image, data, values)
    assert found.outside[1, 1]
    assert found.coefficients < own.coefficients
    with pytest.raises(SettingError, match="60 x 10"):
        inside(image, data, image.pixels[:10, :60])


def test_departures_are_those_of_the_encoder() -> None:
    """Whole-number coefficients of quality 100 differ from the exact ones by the encoder's own rounding alone."""
    for shape, subsampling, ratios in (((61, 91), 2, (2, 2)), ((52, 50), 1, (2, 1)), ((57, 64), 0, (1, 1))):
        pixels = texture(*shape)
        coefficients = coefficients_from_bytes(jpeg_bytes(pixels, 100, subsampling=subsampling))
        for part in departures(pixels, coefficients, ratios):
            assert np.abs(part).max() < 3
            assert part.std() < 0.6


def test_whole_blocks_are_told_from_those_at_the_edge() -> None:
    luma, blue, _ = whole_blocks((24, 30), (2, 2), True)
    assert luma.tolist() == [[True, True, True, False]] * 3
    assert blue.tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize("shape", [(93, 155), (88, 104), (92, 148)])
def test_edges_are_held_and_nothing_else_moves(shape: tuple[int, int]) -> None:
    truth = truth_crop(*shape)
    data = jpeg_bytes(truth, 85, subsampling=2)
    coefficients = coefficients_from_bytes(data)
    noisy = truth + np.random.default_rng(0).normal(0, 3, truth.shape)
    held = project(noisy, coefficients, (2, 2))
    before = max(float(np.abs(part).max()) for part in departures(held, coefficients, (2, 2)))
    assert before > 0.5, "else the test tests nothing"
    out = hold_edges(held, coefficients, (2, 2))
    assert max(float(np.abs(part).max()) for part in departures(out, coefficients, (2, 2))) <= 0.5
    height, width = (n // 16 * 16 for n in shape)
    np.testing.assert_array_equal(out[:height, :width], held[:height, :width])


def test_json_of_verify_tells_both_measures(frame: Path, said: Said) -> None:
    assert main(["verify", str(frame), str(frame), "--json"]) == 0
    result = said()[0]["results"][0]
    assert not result["real_numbers"]
    assert 0.99 < result["coefficients_inside"] <= 1
    assert result["identical_blocks"] == result["identical_blocks_of_the_jpeg_itself"]
