"""The JPEG codec: tables, quality estimate, compression with given tables, and stored coefficients."""

from __future__ import annotations

import io
from pathlib import Path

import imagecodecs
import jpeglib
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import idctn

from marsqe.codecs import coefficients
from marsqe.codecs.coefficients import coefficients_from_bytes, read_coefficients
from marsqe.codecs.jpeg import ANNEX_K_LUMA, decode_jpeg, encode_jpeg, estimate_quality, scale_table, standard_tables
from marsqe.enhancement.faithful import coefficients_of
from marsqe.errors import ReadError
from marsqe.read import open_image

QUALITIES = range(1, 101)


def scene(height: int = 45, width: int = 61, *, colour: bool = True) -> NDArray[np.uint8]:
    """Smooth shapes with some texture, sides that no block divides."""
    y, x = np.mgrid[:height, :width]
    planes = [128 + 70 * np.sin(x / (7 + c)) + 40 * np.cos(y / (5 + 2 * c)) for c in range(3)]
    noise = np.random.default_rng(0).normal(0, 6, (height, width, 3))
    pixels = np.clip(np.stack(planes, -1) + noise, 0, 255).astype(np.uint8)
    return pixels if colour else pixels[..., 0].copy()


@pytest.mark.parametrize("quality", QUALITIES)
def test_standard_tables_are_those_that_pillow_writes(quality: int) -> None:
    stream = io.BytesIO()
    Image.fromarray(scene(8, 8)).save(stream, "JPEG", quality=quality)
    written = Image.open(stream).quantization  # type: ignore[attr-defined]
    for index, table in enumerate(standard_tables(quality)):
        np.testing.assert_array_equal(table.ravel(), written[index])


def test_quality_of_standard_tables_is_exact() -> None:
    for quality in QUALITIES:
        assert estimate_quality(standard_tables(quality)[0]) == (quality, True)


@pytest.mark.parametrize("quality", [5, 20, 30, 50, 75, 90])
def test_quality_of_jittered_tables_is_near_and_not_exact(quality: int) -> None:
    table = standard_tables(quality)[0]
    jitter = np.random.default_rng(quality).choice([0.95, 1.05], size=(8, 8))
    table = np.clip(np.rint(table * jitter) + (table < 10) * (jitter > 1), 1, 255).astype(np.int64)
    estimate, exact = estimate_quality(table)
    assert not exact
    assert abs(estimate - quality) <= 3


def test_estimate_accepts_flat_tables_of_any_integer_type() -> None:
    assert estimate_quality(standard_tables(40)[0].astype(np.uint8).ravel()) == (40, True)


@pytest.mark.parametrize("quality", [0, 101, -3])
def test_quality_out_of_range_is_refused(quality: int) -> None:
    with pytest.raises(ValueError, match="1-100"):
        scale_table(ANNEX_K_LUMA, quality)
    with pytest.raises(ValueError, match="1-100"):
        encode_jpeg(scene(), quality=quality)


def test_encoding_needs_either_quality_or_sound_tables() -> None:
    with pytest.raises(ValueError, match="either"):
        encode_jpeg(scene())
    with pytest.raises(ValueError, match="either"):
        encode_jpeg(scene(), quality=50, tables=standard_tables(50))
    with pytest.raises(ValueError, match="4:2:0"):
        encode_jpeg(scene(), quality=50, subsampling="4:4:0")
    with pytest.raises(ValueError, match="1-255"):
        encode_jpeg(scene(), tables=[np.zeros((8, 8), dtype=np.int64)])
    with pytest.raises(ValueError, match="one to three"):
        encode_jpeg(scene(), tables=[])


@pytest.mark.parametrize(("name", "ratios"), [("4:4:4", (1, 1)), ("4:2:2", (2, 1)), ("4:2:0", (2, 2))])
def test_subsampling_round_trip(tmp_path: Path, name: str, ratios: tuple[int, int]) -> None:
    file = tmp_path / "image.jpg"
    file.write_bytes(encode_jpeg(scene(), quality=63, subsampling=name))
    compression = open_image(file).compression
    assert compression.subsampling == ratios
    assert compression.subsampling_name == name
    assert (compression.quality, compression.quality_exact) == (63, True)


def random_table(seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(1, 256, (8, 8))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_custom_tables_round_trip(tmp_path: Path, count: int) -> None:
    file = tmp_path / "image.jpg"
    given = [random_table(seed) for seed in range(count)]
    file.write_bytes(encode_jpeg(scene(), tables=given))
    compression = open_image(file).compression
    assert compression.tables is not None
    assert not compression.quality_exact
    expected = [given[0], given[min(1, count - 1)], given[count - 1]]
    np.testing.assert_array_equal(compression.tables, expected)
    # What was read serves to compress again, in the same way.
    file.write_bytes(encode_jpeg(scene(), tables=compression.tables))
    again = open_image(file).compression.tables
    assert again is not None
    np.testing.assert_array_equal(again, expected)


def test_gray_uses_the_luma_table_only(tmp_path: Path) -> None:
    file = tmp_path / "image.jpg"
    file.write_bytes(encode_jpeg(scene(colour=False), tables=[random_table(1), random_table(2)]))
    image = open_image(file)
    assert image.pixels.shape == (45, 61)
    assert image.compression.tables is not None
    np.testing.assert_array_equal(image.compression.tables, [random_table(1)])
    assert image.compression.subsampling is None


def test_decoding_is_what_open_image_reads(tmp_path: Path) -> None:
    data = encode_jpeg(scene(), quality=40)
    (tmp_path / "image.jpg").write_bytes(data)
    np.testing.assert_array_equal(decode_jpeg(data), open_image(tmp_path / "image.jpg").pixels)


def rebuild(coefficients: NDArray[np.int16], table: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Dequantize, invert the DCT and lay the blocks out."""
    blocks = idctn(coefficients.astype(np.float64) * table, axes=(2, 3), norm="ortho") + 128
    rows, columns = blocks.shape[:2]
    plane = blocks.transpose(0, 2, 1, 3).reshape(rows * 8, columns * 8)
    return np.asarray(plane[: shape[0], : shape[1]])


@pytest.mark.parametrize("quality", [10, 50, 95])
@pytest.mark.parametrize("colour", [False, True])
def test_coefficients_rebuild_the_luma_that_pillow_decodes(tmp_path: Path, quality: int, colour: bool) -> None:
    file = tmp_path / "image.jpg"
    file.write_bytes(encode_jpeg(scene(colour=colour), quality=quality))
    stored = read_coefficients(file)
    assert len(stored.components) == len(stored.tables) == (3 if colour else 1)
    assert all(part.dtype == np.int16 and part.shape[2:] == (8, 8) for part in stored.components)
    luma = rebuild(stored.components[0], stored.tables[0], (45, 61))
    with Image.open(file) as image:
        image.draft("L", image.size)
        expected = np.asarray(image).astype(np.float64)
    # One half for the rounding of the pixels, a little more for the decoder's integer DCT.
    assert np.abs(np.clip(luma, 0, 255) - expected).max() <= 1.0
    assert np.abs(np.clip(luma, 0, 255) - expected).mean() < 0.35


@pytest.mark.parametrize(
    ("name", "blocks"), [("4:4:4", (6, 8)), ("4:2:2", (6, 4)), ("4:2:0", (3, 4)), ("4:4:0", (3, 8)), ("4:1:1", (6, 2))]
)
def test_chroma_coefficients_are_as_few_as_the_subsampling_says(
    tmp_path: Path, name: str, blocks: tuple[int, int]
) -> None:
    file = tmp_path / "ünïcode.jpg"
    file.write_bytes(imagecodecs.jpeg8_encode(scene(), level=50, subsampling=name.replace(":", "")))
    stored = read_coefficients(file)
    assert stored.components[0].shape[:2] == (6, 8)
    assert stored.components[1].shape[:2] == stored.components[2].shape[:2] == blocks


def test_chroma_tables_go_with_their_components(tmp_path: Path) -> None:
    file = tmp_path / "image.jpg"
    fine, coarse = np.full((8, 8), 1), np.full((8, 8), 200)
    file.write_bytes(encode_jpeg(scene(), tables=[fine, fine, coarse], subsampling="4:4:4"))
    stored = read_coefficients(file)
    assert [int(table[0, 0]) for table in stored.tables] == [1, 1, 200]
    assert np.abs(stored.components[2]).max() < np.abs(stored.components[1]).max() / 20


def test_coefficients_of_a_truncated_file_or_another_kind_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = encode_jpeg(scene(), quality=50)
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(ReadError, match="cut short"):
        read_coefficients(tmp_path / "cut.jpg")
    with pytest.raises(ReadError, match="cut short"):
        coefficients_from_bytes(data[: len(data) // 2])
    Image.fromarray(scene()).save(tmp_path / "image.png")
    with pytest.raises(ReadError, match="give a JPEG"):
        read_coefficients(tmp_path / "image.png")
    assert capfd.readouterr() == ("", "")


def test_coefficients_are_read_once_while_a_file_is_opened_and_enhanced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, calls = jpeglib.read_dct, []
    monkeypatch.setattr(jpeglib, "read_dct", lambda path: calls.append(path) or read(path))
    coefficients._kept.clear()
    files = [tmp_path / f"{number}.jpg" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(encode_jpeg(scene(40 + number, 50), quality=50))
    images = [open_image(file) for file in files[:2]]  # as a batch opens the next one while it enhances
    found = [coefficients_of(image) for image in images]
    assert [part.components[0].shape[0] for part in found if part] == [5, 6]
    assert len(calls) == 2
    with pytest.raises(ValueError, match="read-only"):
        found[0].components[0][0] = 0  # type: ignore[union-attr]
    open_image(files[2])
    coefficients_of(images[1])
    assert len(calls) == 3
    assert len(coefficients._kept) == 2, "no more may be held in memory"
    monkeypatch.setattr(coefficients, "_MOST_KEPT", 1000)
    coefficients._kept.clear()
    coefficients_of(images[1])
    assert not coefficients._kept, "large ones least of all"
