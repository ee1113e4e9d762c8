"""The reference dictionary: complete and credited, and its twins made as the file was."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scenes import ground, jpeg_bytes, texture

from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, standard_tables
from marsqe.colour import luma
from marsqe.errors import ReadError, SettingError
from marsqe.image import Compression, MarsImage
from marsqe.matching import Dictionary, load_dictionary, match, reference_mosaic, twin_compression
from marsqe.matching import dictionary as dictionary_module
from marsqe.matching.dictionary import Entry, dictionary_from_sheet, writable_subsampling
from marsqe.read import decode_image
from marsqe.results import TILE
from marsqe.terrain import CLASSES

QF30 = Compression("JPEG", True, standard_tables(30), 30, True, (2, 2))


def test_bundled_dictionary_is_complete_and_credited(bundled: Dictionary) -> None:
    assert sorted(bundled.patches) == [1, 2, 3, 4]
    for label, name in enumerate(CLASSES, start=1):
        assert bundled.patches[label].shape == (6, TILE, TILE, 3)
        assert bundled.patches[label].dtype == np.uint8
        entries = bundled.entries[label]
        assert len(entries) == len(set(entries)) == 6
        for index, entry in enumerate(entries):
            assert entry.terrain == name
            assert entry.source
            assert entry.credit.startswith("NASA")
            assert entry.x >= 0
            assert entry.y >= 0
            assert bundled.entry(label, index) == entry
    flat = [p.tobytes() for patches in bundled.patches.values() for p in patches]
    assert len(set(flat)) == 24, "no patch twice"


def test_twins_are_made_with_the_files_own_tables(bundled: Dictionary) -> None:
    strange = tuple(np.clip(t + np.arange(64).reshape(8, 8) % 5, 1, 255) for t in standard_tables(30))
    own = bundled.compressed(3, replace(QF30, tables=strange), colour=True)
    expected = decode_jpeg(encode_jpeg(bundled.reference(3, 0), tables=strange, subsampling="4:2:0"))
    np.testing.assert_array_equal(own[0], expected)
    plain = bundled.compressed(3, QF30, colour=True)
    finer = bundled.compressed(3, replace(QF30, tables=standard_tables(80)), colour=True)
    fuller = bundled.compressed(3, replace(QF30, subsampling=(1, 1)), colour=True)
    for other in (own, finer, fuller):
        assert (other != plain).any()
    raw = bundled.raw(3, colour=True).astype(float)
    assert np.abs(finer - raw).mean() < np.abs(plain - raw).mean()


def test_twins_follow_a_third_table_where_cb_and_cr_differ(bundled: Dictionary) -> None:
    first, second = standard_tables(30)
    two = bundled.compressed(4, replace(QF30, tables=(first, second, second)), colour=True)
    three = bundled.compressed(4, replace(QF30, tables=(first, second, np.minimum(second * 3, 255))), colour=True)
    assert (two != three).any()


def test_gray_twins_need_no_chroma_and_nothing_known_means_no_loss(bundled: Dictionary) -> None:
    gray = bundled.compressed(1, replace(QF30, tables=standard_tables(30)[:1], subsampling=None), colour=False)
    assert gray.shape == (6, TILE, TILE)
    np.testing.assert_array_equal(bundled.compressed(1, Compression(), colour=True), bundled.raw(1, colour=True))


def test_twins_of_many_compressions_do_not_fill_the_memory(
    bundled: Dictionary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dictionary_module, "_MOST_TWINS", 3)
    few = Dictionary({1: bundled.patches[1][:1]}, {1: bundled.entries[1][:1]})
    for quality in range(10, 20):
        few.compressed(1, Compression(quality=quality), colour=True)
    assert len(few._twins) == 3
    kept = few.compressed(1, Compression(quality=19), colour=True)
    assert kept is few.compressed(1, Compression(quality=19), colour=True), "made once"


@pytest.mark.parametrize(
    ("subsampling", "name"),
    [((1, 1), "4:4:4"), ((2, 1), "4:2:2"), ((2, 2), "4:2:0"), ((4, 1), "4:2:0"), (None, "4:2:0")],
)
def test_unwritable_subsampling_is_replaced_by_the_nearest(subsampling: tuple[int, int] | None, name: str) -> None:
    assert writable_subsampling(Compression(subsampling=subsampling)) == name


@pytest.mark.parametrize("quality", [20, 60])
@pytest.mark.parametrize("colour", [True, False])
def test_png_of_a_jpeg_gets_twins_of_a_near_quality(bundled: Dictionary, quality: int, colour: bool) -> None:
    rows = [np.concatenate([bundled.reference(k, i) for i in (0, 3)], axis=1) for k in (2, 3, 4)]
    pixels = np.concatenate(rows)
    pixels = np.ascontiguousarray(pixels if colour else luma(pixels))
    decoded = decode_image(jpeg_bytes(pixels, quality)).pixels
    found = twin_compression(MarsImage.from_array(decoded, compression=Compression("PNG")), bundled)
    assert found.tables is None
    assert found.quality is not None
    assert abs(found.quality - quality) <= 10


def test_lossless_image_gets_lossless_twins(bundled: Dictionary) -> None:
    pixels = np.concatenate([bundled.reference(k, 1) for k in (2, 3, 4)])
    assert twin_compression(MarsImage.from_array(pixels, compression=Compression("PNG")), bundled).quality is None


def test_a_jpegs_own_compression_decides(bundled: Dictionary) -> None:
    image = decode_image(jpeg_bytes(texture(64, 64), 73))
    assert twin_compression(image, bundled) is image.compression


def test_damaged_dictionary_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    load_dictionary.cache_clear()
    monkeypatch.setattr(dictionary_module, "files", lambda _: tmp_path)
    with pytest.raises(ReadError, match="reinstall"):
        load_dictionary()
    load_dictionary.cache_clear()


def test_sheet_and_list_must_agree() -> None:
    entry = {"source": "a", "x": 0, "y": 0, "credit": "NASA"}
    listing = json.loads(json.dumps({"entries": [{"terrain": name, **entry} for name in CLASSES]}))
    sheet = texture(4 * TILE, TILE)
    built = dictionary_from_sheet(sheet, listing)
    np.testing.assert_array_equal(built.reference(4, 0), sheet[3 * TILE :])
    assert built.entry(2, 0) == Entry("sand", "a", 0, 0, "NASA")
    with pytest.raises(SettingError, match="sky"):
        dictionary_from_sheet(sheet, {"entries": []})
    with pytest.raises(SettingError, match="rock"):
        dictionary_from_sheet(sheet[: 3 * TILE], listing)
    assert built.sha256 != dictionary_from_sheet(255 - sheet, listing).sha256


def test_dictionary_of_ones_own_may_be_given() -> None:
    sheet = texture(4 * TILE, 2 * TILE, seed=11)
    listing = {
        "entries": [
            {"terrain": name, "source": "own", "x": x, "y": 0, "credit": "me"} for name in CLASSES for x in (0, TILE)
        ]
    }
    own = dictionary_from_sheet(sheet, listing)
    image = MarsImage.from_array(sheet[TILE : 2 * TILE, TILE:], compression=Compression("PNG"))
    found = match(image, ground(image, 2), own)
    assert found.references.tolist() == [[1]]
    assert found.candidates.shape == (1, 1, 2)
    np.testing.assert_array_equal(reference_mosaic(image, found, own), image.pixels)
