"""What must be true of any input: properties, tried on seeded random ones."""

from __future__ import annotations

import io
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import products
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from marsqe.codecs.coefficients import coefficients_from_bytes
from marsqe.codecs.jpeg import encode_jpeg
from marsqe.enhancement.faithful import project
from marsqe.enhancement.windows import windows
from marsqe.export import read_provenance, save_pixels
from marsqe.export.atomic import atomic, atomic_set
from marsqe.image import Product, to_stored, to_upright
from marsqe.matching.smm import match_eq1
from marsqe.read import decode_image
from marsqe.read.names import identify
from marsqe.results import Region
from marsqe.segmentation.windows import Blend, starts

short = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
side = st.integers(1, 40)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def pictures(draw: Any, dtypes: tuple[str, ...] = ("u1", "u2"), channels: tuple[int, ...] = (1, 3)) -> NDArray[Any]:
    """Pixels of any kind that is opened; noise, for whatever is stored wrongly shows in it."""
    dtype, planes = np.dtype(draw(st.sampled_from(dtypes))), draw(st.sampled_from(channels))
    shape = (draw(side), draw(side), planes)[: 2 if planes == 1 else 3]
    top = np.iinfo(dtype).max
    return np.random.default_rng(draw(seeds)).integers(0, top, shape, dtype, endpoint=True)


def as_png(pixels: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def as_webp(pixels: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", lossless=True)
    return stream.getvalue()


def as_tiff(pixels: NDArray[Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack", **options)
    return stream.getvalue()


@short
@given(pictures())
def test_what_is_written_without_loss_is_read_as_it_was(pixels: NDArray[Any]) -> None:
    files = [as_tiff(pixels), as_tiff(pixels, compression="zlib", predictor=True, byteorder=">", tile=(16, 32))]
    if pixels.ndim == 2 or pixels.dtype == np.uint8:
        files.append(as_png(pixels))
    if pixels.ndim == 3 and pixels.dtype == np.uint8:
        files.append(as_webp(pixels))
    for data in files:
        found = decode_image(data).pixels
        assert found.dtype == pixels.dtype
        np.testing.assert_array_equal(found, pixels)


@short
@given(pictures(("u1",)))
def test_products_are_read_as_they_were(pixels: NDArray[Any]) -> None:
    pytest.importorskip("pdr", reason="products need the extra pds")
    bands = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    for data in (products.vicar(bands), products.vicar(bands, order="BIL", prefix=4), products.attached(bands)):
        np.testing.assert_array_equal(decode_image(data).pixels, pixels)


@short
@given(pictures(("u1",)), st.integers(1, 100), st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]))
def test_no_sound_jpeg_is_called_damaged(pixels: NDArray[Any], quality: int, subsampling: str) -> None:
    image = decode_image(encode_jpeg(pixels, quality=quality, subsampling=subsampling))
    assert image.warnings == ()
    assert image.compression.quality == quality
    assert image.pixels.shape == pixels.shape


records = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@short
@given(st.dictionaries(st.text(), records, max_size=4), st.sampled_from([".tif", ".png"]))
def test_a_record_comes_back_as_it_was(tmp_path: Path, record: dict[str, Any], ending: str) -> None:
    path = tmp_path / f"a{ending}"
    kept = {f"x_{name}": value for name, value in record.items()}  # free names: those of ours have a form
    save_pixels(np.zeros((3, 4), np.uint8), path, kept)
    assert read_provenance(path) == json.loads(json.dumps(kept))


@settings(short, max_examples=200)
@given(st.text() | st.from_regex(r"[A-Z0-9_]{20,60}\.[A-Za-z]{0,4}") | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_text_may_be_the_name_of_a_file(name: str) -> None:
    found = identify(name)
    assert isinstance(found, Product)
    assert isinstance(found.summary(), str)
    assert found.onboard_quality is None or 1 <= found.onboard_quality <= 100


@short
@given(seeds, st.integers(1, 4), st.integers(1, 4), st.integers(1, 100), st.floats(0.05, 0.5))
def test_the_projection_lies_in_its_cells_and_moves_nothing_twice(
    seed: int, rows: int, columns: int, quality: int, cell: float
) -> None:
    chance = np.random.default_rng(seed)
    received = chance.integers(0, 256, (8 * rows, 8 * columns)).astype(np.uint8)
    found = coefficients_from_bytes(encode_jpeg(received, quality=quality))
    wild = received + chance.normal(0, 40, received.shape)
    once = project(wild, found, cell=cell)
    blocks = (once - 128).reshape(rows, 8, columns, 8).swapaxes(1, 2)
    steps = dctn(blocks, axes=(2, 3), norm="ortho") / found.tables[0] - found.components[0]
    assert np.abs(steps).max() <= cell + 1e-9
    np.testing.assert_allclose(project(once, found, cell=cell), once, atol=1e-8)


@settings(short, max_examples=100)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(1, 4), st.integers(0, 3), st.data())
def test_windows_cover_every_pixel_once(height: int, width: int, core: int, margin: int, data: st.DataObject) -> None:
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    region = Region(x, y, data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y)))
    times = np.zeros((height, width), int)
    for window in windows((height, width), region, 16 * core, 16 * margin):
        c, f = window.core, window.frame
        times[c.y : c.y + c.height, c.x : c.x + c.width] += 1
        assert c.x % 16 == c.y % 16 == f.x % 16 == f.y % 16 == 0
        assert f.x <= c.x
        assert f.y <= c.y
        assert c.x + c.width <= f.x + f.width <= width
        assert c.y + c.height <= f.y + f.height <= height
    assert (times[y : y + region.height, x : x + region.width] == 1).all()
    assert times.max() == 1


@short
@given(st.integers(1, 3000), st.integers(2, 400), st.data())
def test_windows_of_the_terrain_leave_no_gap(length: int, window: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(1, window - 1))
    found = starts(length, window, overlap)
    assert found[0] == 0
    assert max(found) + window >= length
    assert max(found) <= max(0, length - window)
    assert all(0 < b - a <= window - overlap + 1 for a, b in itertools.pairwise(found))


@short
@given(seeds, side, side)
def test_overlapping_windows_of_one_opinion_blend_into_it(seed: int, height: int, width: int) -> None:
    opinion = np.random.default_rng(seed).random((4, height, width)).astype(np.float32)
    blend = Blend(height, width)
    blend.add(0, 0, opinion)
    blend.add(height // 3, width // 2, opinion[:, height // 3 :, width // 2 :])
    np.testing.assert_allclose(blend.mean(), opinion, rtol=1e-5)


@short
@given(seeds, st.integers(1, 8), st.integers(1, 6))
def test_matching_does_not_depend_on_the_order_of_tiles(seed: int, tiles: int, references: int) -> None:
    chance = np.random.default_rng(seed)
    some, twins = (chance.dirichlet(np.ones(59), n) for n in (tiles, references))
    order = chance.permutation(tiles)
    index, divergences = match_eq1(some, twins)
    again, moved = match_eq1(some[order], twins)
    np.testing.assert_array_equal(again, index[order])
    np.testing.assert_allclose(moved, divergences[order], rtol=1e-12)
    other = chance.permutation(references)
    np.testing.assert_array_equal(other[match_eq1(some, twins[other])[0]], index)


@short
@given(arrays.arrays(np.uint8, st.tuples(side, side)), st.integers(1, 8))
def test_turning_back_undoes_turning(stored: NDArray[np.uint8], orientation: int) -> None:
    np.testing.assert_array_equal(to_stored(to_upright(stored, orientation), orientation), stored)


class PowerCutError(Exception):
    """Stands for whatever may go wrong while a file is written."""


@short
@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 300) | st.none(), st.booleans())
def test_a_file_is_the_old_one_or_the_new_one(
    tmp_path: Path, old: bytes, new: bytes, cut: int | None, pair: bool
) -> None:
    paths = [tmp_path / "a", tmp_path / "b"][: 1 + pair]
    for path in paths:
        path.write_bytes(old)
    try:
        with atomic_set(paths) as parts:
            for part in parts:
                part.write_bytes(new[:cut])
                assert [path.read_bytes() for path in paths] == [old] * len(paths)
                if cut is not None:
                    raise PowerCutError
    except PowerCutError:
        assert cut is not None
    assert [path.read_bytes() for path in paths] == [new if cut is None else old] * len(paths)
    assert {path.name for path in tmp_path.iterdir()} <= {"a", "b"}, "nothing half-written stays"
    with atomic(paths[0]) as part:
        part.write_bytes(new)
    assert paths[0].read_bytes() == new
