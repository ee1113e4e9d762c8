"""Tables, grid and chroma subsampling of a JPEG, from its decoded pixels alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from scenes import ground, orientation_exif, texture, truth_crop

import marsqe
from marsqe.cli import main
from marsqe.codecs.estimated import ESTIMATED, cut_alike, cut_to_blocks, estimate_of, with_estimated_tables
from marsqe.codecs.estimation import LEAST_SUPPORT, estimate_tables
from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, standard_tables
from marsqe.enhancement import pipeline
from marsqe.errors import SettingError
from marsqe.export import read_provenance
from marsqe.judgement.verification import verify
from marsqe.scale.settings import Settings, fingerprint


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


@pytest.mark.parametrize("offset", [(0, 0), (0, 8), (8, 0), (13, 3)])
@pytest.mark.parametrize("quality", [20, 94])
def test_halved_chroma_is_told_from_whole_where_colours_are_dull(quality: int, offset: tuple[int, int]) -> None:
    # Nearly all chroma is zero at the low quality; at the high one its steps are hardly wider than rounding.
    truth = truth_crop(208, 224)
    decoded = decode_jpeg(encode_jpeg(truth, quality=quality))[offset[0] :, offset[1] :]
    found = estimate_tables(np.ascontiguousarray(decoded))
    assert found is not None
    assert (found.quality, found.subsampling) == (quality, (2, 2))
    assert found.offset == tuple(-o % 16 for o in offset)


def test_traces_are_looked_for_where_the_ground_is() -> None:
    decoded = decode_jpeg(encode_jpeg(truth_crop(208, 224), quality=50))[:, 5:]
    sky = np.full((720, decoded.shape[1], 3), 200, np.uint8)
    found = estimate_tables(np.concatenate([sky, decoded]))
    assert found is not None
    assert (found.quality, found.offset) == (50, (0, 11))


def test_pixels_that_were_no_jpeg_tell_of_none() -> None:
    assert estimate_tables(texture(160, 176)) is None
    assert estimate_tables(texture(24, 24)) is None


def test_an_image_is_cut_to_its_blocks_and_held_to_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: lambda pixels, condition: pixels * 0.9)
    decoded = decode_jpeg(encode_jpeg(truth_crop(208, 224), quality=60))[5:, 3:]
    Image.fromarray(decoded).save(tmp_path / "a.png")
    image = with_estimated_tables(marsqe.open_image(tmp_path / "a.png"))
    assert image.compression.codec == ESTIMATED and image.compression.quality == 60
    assert image.metadata["estimated"]["cut"] == [11, 13]
    assert image.shape == (192, 208)
    np.testing.assert_array_equal(image.pixels, decoded[11:203, 13:221])
    result = marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image))
    assert result.provenance["settings"]["faithful"]
    assert "estimated" in result.provenance["source"]["compression"]
    with pytest.raises(SettingError, match="nothing to estimate"):
        with_estimated_tables(image)
    with pytest.raises(SettingError, match="no trace"):
        with_estimated_tables(marsqe.MarsImage.from_array(texture(160, 176)))


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_a_record_leads_to_the_same_image_again(
    understood: Any, tmp_path: Path, orientation: int, capsys: pytest.CaptureFixture[str]
) -> None:
    decoded = decode_jpeg(encode_jpeg(truth_crop(208, 224), quality=60))[5:, 3:]
    source, out = tmp_path / "a.png", tmp_path / "out.tif"
    Image.fromarray(decoded).save(source, exif=orientation_exif(orientation))
    command = ["enhance", str(source), "-o", str(out), "--model", "marsqe-swift", "--estimate-tables"]
    assert main([*command, "--device", "cpu"]) == 0
    assert "JPEG quality 60, 4:2:0, grid at row" in capsys.readouterr().out
    told = read_provenance(out)["source"]["estimated"]
    whole = marsqe.open_image(source)
    assert told["of"] == list(whole.shape)
    found = marsqe.replay(out)
    assert found.identical and found.same_file, found.differences
    made = found.enhancement.source
    (row, column), (height, width) = told["cut"], made.shape
    np.testing.assert_array_equal(made.pixels, whole.pixels[row : row + height, column : column + width])


@pytest.mark.parametrize("corner", [[16, 0], [-1, 3], [None, 3], [0]])
def test_a_record_that_was_damaged_is_refused(corner: list[Any]) -> None:
    told = {"quality": 60, "corner": corner, "subsampling": [2, 2], "support": 9.0}
    with pytest.raises((ValueError, TypeError)):
        estimate_of(told)
    assert estimate_of(told | {"corner": [3, 4]}).offset == (3, 4)


def test_an_estimate_of_another_image_is_refused() -> None:
    told = {"quality": 60, "corner": [3, 4], "subsampling": None, "support": 9.0}
    with pytest.raises(SettingError, match="another size or colour"):
        cut_to_blocks(marsqe.MarsImage.from_array(texture(160, 176)), estimate_of(told))
    with pytest.raises(SettingError, match="16 bits"):
        with_estimated_tables(marsqe.MarsImage.from_array(texture(64, 64).astype(np.uint16)))


def test_a_georeferenced_image_keeps_its_place(tmp_path: Path) -> None:
    decoded = decode_jpeg(encode_jpeg(truth_crop(208, 224), quality=60))[5:, 3:]
    scale, tie = (0.5, 0.5, 0.0), (2.0, 1.0, 0.0, 1000.0, 2000.0, 0.0)
    matrix = (0.5, 0.0, 0.0, 1000.0, 0.0, -0.5, 0.0, 2000.0, *(0.0,) * 7, 1.0)
    tags = [(33550, 12, 3, scale, True), (33922, 12, 6, tie, True), (34264, 12, 16, matrix, True)]
    tifffile.imwrite(tmp_path / "a.tif", decoded, photometric="rgb", extratags=tags)
    image = with_estimated_tables(marsqe.open_image(tmp_path / "a.tif"))
    assert image.metadata["estimated"]["cut"] == [11, 13]
    found = {code: value for code, _, _, value in image.metadata["geo"]}
    assert found[33550] == scale
    assert found[33922] == (2.0 - 13, 1.0 - 11, 0.0, 1000.0, 2000.0, 0.0)
    assert (found[34264][3], found[34264][7]) == (1000.0 + 0.5 * 13, 2000.0 - 0.5 * 11)


def test_the_name_alone_makes_no_jpeg_of_white() -> None:
    assert estimate_tables(np.full((160, 176, 3), 255, np.uint8), prior=60) is None
    assert estimate_tables(texture(160, 176), prior=60) is None


def test_a_grid_that_stands_out_is_enough_where_pixels_were_changed_a_little() -> None:
    decoded = decode_jpeg(encode_jpeg(truth_crop(208, 224), quality=60))[5:, 3:]
    noise = np.random.default_rng(0).normal(0, 0.7, decoded.shape)
    found = estimate_tables(np.clip(np.rint(decoded + noise), 0, 255).astype(np.uint8))
    assert found is not None
    assert found.support < LEAST_SUPPORT
    assert (found.quality, found.offset) == (60, (11, 13))
    named = estimate_tables(np.clip(np.rint(decoded + noise), 0, 255).astype(np.uint8), prior=61)
    assert named is not None and named.quality == 61, "what fits badly leaves it to the name"


@pytest.fixture
def decoded(tmp_path: Path) -> Path:
    """A PNG of what was a JPEG, off the corner of its grid."""
    pixels = decode_jpeg(encode_jpeg(truth_crop(208, 224), quality=60))[5:, 3:]
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "a.png")
    return tmp_path / "in" / "a.png"


def test_verify_takes_estimated_tables_from_the_record(understood: Any, decoded: Path, said: Any) -> None:
    out, plain, other = (decoded.with_name(name) for name in ("out.tif", "plain.tif", "other.png"))
    for path, more in ((out, ["--estimate-tables"]), (plain, [])):
        assert main(["enhance", str(decoded), "-o", str(path), "--device", "cpu", "--json", *more]) == 0
        said()
    assert main(["verify", str(decoded), str(out), "--json"]) == 0
    (found,) = said()[0]["results"]
    assert found["identical_blocks"] > 0.99
    assert found["identical_blocks_of_the_jpeg_itself"] == 1
    image = with_estimated_tables(marsqe.open_image(decoded))
    assert verify(image, b"", marsqe.open_image(out).pixels).blocks == found["identical_blocks"]
    rough = np.clip(image.pixels.astype(int) + np.random.default_rng(0).integers(-9, 9, image.pixels.shape), 0, 255)
    assert verify(image, b"", rough.astype(np.uint8)).blocks < 0.5
    assert main(["verify", str(decoded), str(plain), "--json"]) == 1
    assert "no JPEG of luma and chroma" in said()[1]
    Image.fromarray(np.asarray(Image.open(decoded))[::-1]).save(other)
    assert main(["verify", str(other), str(out), "--json"]) == 1
    assert "was made from another image than other" in said()[1]


def test_a_batch_estimates_what_brings_no_tables(
    understood: Any, decoded: Path, tmp_path: Path, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (decoded.with_name("b.jpg")).write_bytes(encode_jpeg(truth_crop(64, 80), quality=40))
    Image.fromarray(texture(160, 176)).save(decoded.with_name("never.png"))
    truth = tmp_path / "truth" / "a.png"
    truth.parent.mkdir()
    Image.fromarray(truth_crop(208, 224)[5:, 3:]).save(truth)
    words = ["batch", str(decoded.parent), "--out", str(tmp_path / "out"), "--device", "cpu", "--json"]

    def run(*more: str) -> tuple[dict[str, Any], str]:
        assert main([*words, *more]) == 1
        document, told = said()
        return {result["output"]: result for result in document["results"]}, told

    found, told = run("--estimate-tables")
    assert set(found) == {"a.tif", "b.tif"}
    assert "never show no trace of a JPEG" in told
    assert [(r["codec"], r["quality"], r["tables_estimated"]) for r in found.values()] == [
        (ESTIMATED, 60, True),
        ("JPEG", 40, False),
    ]
    single = tmp_path / "single.tif"
    assert main(["enhance", str(decoded), "-o", str(single), "--device", "cpu", "--estimate-tables", "--json"]) == 0
    said()
    assert read_provenance(tmp_path / "out" / "a.tif") == read_provenance(single)
    assert marsqe.replay(tmp_path / "out" / "a.tif", decoded).identical
    again, _ = run("--estimate-tables", "--truth", str(truth.parent))
    assert [result["status"] for result in again.values()] == ["judged", "kept"]
    assert again["a.tif"]["delta_psnr"] == pytest.approx(
        marsqe.judge(
            marsqe.open_image(single).pixels,
            cut_alike(marsqe.open_image(truth), with_estimated_tables(marsqe.open_image(decoded))),
            compressed=with_estimated_tables(marsqe.open_image(decoded)).pixels,
        ).metrics["delta_psnr"]
    )
    _, told = run("--estimate-tables", "--windows-above", "0.001", "--out", str(tmp_path / "new"))
    assert "a.png is to be enhanced in windows, and there no tables are estimated" in told


def test_a_batch_does_not_estimate_unasked(decoded: Path) -> None:
    assert fingerprint(Settings("marsqe-swift")) != fingerprint(Settings("marsqe-swift", estimate=True))
    assert marsqe.open_image(decoded).compression.tables is None
