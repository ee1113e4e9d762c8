"""The values that flow from room to room, and the package's front door."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps
from scenes import jpeg_bytes, orientation_exif, texture

import marsqe
from marsqe.codecs.downlink import encode_pixels, simulate_downlink
from marsqe.codecs.jpeg import decode_jpeg, standard_tables
from marsqe.colour import as_8bit, as_rgb, luma
from marsqe.errors import MarsqeError, SettingError
from marsqe.image import Compression, MarsImage, to_stored, to_upright
from marsqe.progress import Progress, Steps, run
from marsqe.terrain import CLASSES, COLOURS, Terrain


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("colour", [True, False])
def test_orientation_is_applied_as_pillow_does_and_undone(orientation: int, colour: bool) -> None:
    stored = texture(24, 40, colour=colour)
    image = Image.fromarray(stored)
    image.getexif()[0x0112] = orientation
    stream = io.BytesIO()
    image.save(stream, "PNG", exif=orientation_exif(orientation))
    with Image.open(stream) as again:
        expected = np.asarray(ImageOps.exif_transpose(again))
    upright = to_upright(stored, orientation)
    np.testing.assert_array_equal(upright, expected)
    np.testing.assert_array_equal(to_stored(upright, orientation), stored)
    assert upright.flags["C_CONTIGUOUS"]


def test_pixels_without_a_file_are_checked_and_named() -> None:
    image = MarsImage.from_array(texture(5, 7))
    assert image.shape == (5, 7)
    assert image.is_colour
    assert image.data_range == 255
    assert image.name == "image"
    assert image.path is None
    assert image.compression.codec == "none"
    assert MarsImage.from_array(np.zeros((2, 3), np.uint16)).data_range == 65535
    for bad in (np.zeros((2, 2)), np.zeros((2, 2), np.int32), np.zeros((2, 2), bool)):
        with pytest.raises(SettingError, match="unsigned"):
            MarsImage.from_array(bad)  # type: ignore[arg-type]
    for shape in ((4,), (2, 2, 4), (2, 2, 1), (1, 2, 2, 3)):
        with pytest.raises(SettingError, match="height, width"):
            MarsImage.from_array(np.zeros(shape, np.uint8))
    with pytest.raises(SettingError, match="no pixels"):
        MarsImage.from_array(np.zeros((0, 3), np.uint8))


def test_hash_of_pixels_tells_shape_and_depth_apart() -> None:
    zeros = [np.zeros((4, 6), np.uint8), np.zeros((6, 4), np.uint8), np.zeros((2, 6), np.uint16)]
    hashes = [MarsImage.from_array(z).sha256 for z in zeros]
    assert len(set(hashes)) == 3
    assert hashes[0] == MarsImage.from_array(np.zeros((4, 12), np.uint8)[:, ::2]).sha256
    assert all(len(h) == 64 for h in hashes)
    assert MarsImage.from_array(zeros[0], sha256="given").sha256 == "given"


def test_other_pixels_keep_the_facts() -> None:
    image = simulate_downlink(texture(16, 16), 30)
    other = image.with_pixels(texture(8, 8))
    assert other.shape == (8, 8)
    assert other.compression is image.compression
    assert image.shape == (16, 16)


def test_compression_in_one_line() -> None:
    standard = Compression("JPEG", True, standard_tables(30), 30, True, (2, 2), 0.734)
    assert standard.summary() == "JPEG, quality 30, 4:2:0, 0.73 bits per pixel"
    assert Compression("JPEG", True, None, 77, False, None).summary() == "JPEG, quality near 77"
    assert Compression("PNG").summary() == "PNG"
    names = {(1, 1): "4:4:4", (2, 1): "4:2:2", (1, 2): "4:4:0", (4, 1): "4:1:1", (3, 1): "3x1", None: None}
    for subsampling, name in names.items():
        assert Compression(subsampling=subsampling).subsampling_name == name


def test_luma_is_that_of_jpeg() -> None:
    pixels = texture(20, 30)
    with Image.fromarray(pixels).convert("L") as expected:
        difference = luma(pixels).astype(int) - np.asarray(expected)
    assert np.abs(difference).max() <= 1
    gray = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    np.testing.assert_array_equal(luma(gray)[0], np.arange(256))
    deep = np.full((2, 2, 3), 65535, np.uint16)
    assert (luma(deep) == 65535).all()
    assert luma(deep).dtype == np.uint16
    plane = texture(4, 4, colour=False)
    assert luma(plane) is plane


def test_eight_bits_of_sixteen() -> None:
    every = np.arange(256, dtype=np.uint16) * 257
    np.testing.assert_array_equal(as_8bit(every), np.arange(256))
    np.testing.assert_array_equal(as_8bit(np.array([0, 128, 129, 65406, 65407], np.uint16)), [0, 0, 1, 254, 255])
    small = texture(3, 3)
    assert as_8bit(small) is small
    assert as_rgb(small) is small
    assert (as_rgb(small[..., 0]) == small[..., :1]).all()


def test_terrain_counts_labelled_pixels_only() -> None:
    labels = np.array([[0, 0, 1, 1], [1, 2, 0, 4]], np.uint8)
    assert Terrain(labels).shares() == pytest.approx({"sky": 0.6, "sand": 0.2, "soil": 0, "rock": 0.2})
    assert sum(Terrain(np.zeros((3, 3), np.uint8)).shares().values()) == 0
    assert set(COLOURS) == set(CLASSES)


@pytest.mark.parametrize("labels", [np.full((2, 2), 5, np.uint8), np.zeros((2, 2)), np.zeros((2, 2, 3), np.uint8)])
def test_terrain_refuses_what_is_no_label(labels: np.ndarray) -> None:
    with pytest.raises(SettingError, match="0 to 4"):
        Terrain(labels)


def test_driving_long_work_gives_its_result() -> None:
    def work() -> Steps[str]:
        yield Progress("a", 0, 1)
        yield Progress("a", 1, 1)
        return "done"

    assert run(work()) == "done"


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_simulated_downlink_is_a_jpeg_of_the_pixels(colour: bool, dtype: type) -> None:
    small = texture(33, 47, colour=colour)
    pixels = small.astype(dtype) * (257 if dtype is np.uint16 else 1)
    image = simulate_downlink(pixels, 64, "4:2:2", name="sol 3")
    assert image.pixels.dtype == np.uint8
    np.testing.assert_array_equal(
        image.pixels, decode_jpeg(jpeg_bytes(small, 64, **({"subsampling": 1} if colour else {})))
    )
    assert image.compression.quality == 64
    assert image.compression.quality_exact
    assert image.compression.subsampling_name == ("4:2:2" if colour else None)
    assert image.compression.bits_per_pixel == pytest.approx(8 * len(image.metadata["encoded"]) / (33 * 47))
    assert image.name == "sol 3_q64"
    assert image.path is None


def test_simulated_downlink_refuses_what_cannot_be() -> None:
    pixels = texture(16, 16)
    for quality in (0, 101, -5):
        with pytest.raises(SettingError, match="1-100"):
            simulate_downlink(pixels, quality)
    with pytest.raises(SettingError, match="4:2:0"):
        simulate_downlink(pixels, 50, "4:1:1")
    with pytest.raises(SettingError, match="65500"):
        encode_pixels(np.zeros((1, 65501), np.uint8), 50)
    assert len(encode_pixels(np.zeros((1, 65500), np.uint8), 50)) > 0


def test_front_door_offers_what_it_names() -> None:
    for name in marsqe.__all__:
        assert callable(getattr(marsqe, name)), name
    assert set(marsqe.__all__) <= set(dir(marsqe))
    with pytest.raises(AttributeError, match="polish"):
        _ = marsqe.polish
    assert marsqe.__version__[0].isdigit()
    assert issubclass(SettingError, MarsqeError)


def test_front_door_stays_open_after_every_room_was_entered() -> None:
    """Rooms and functions of one name would shadow each other, depending on what was imported first."""
    code = (
        "import importlib, pkgutil, marsqe\n"
        "for m in pkgutil.iter_modules(marsqe.__path__):\n"
        "    importlib.import_module('marsqe.' + m.name)\n"
        "import marsqe.enhancement.pipeline\n"
        "bad = [n for n in marsqe.__all__ if not callable(getattr(marsqe, n))]\n"
        "assert not bad, bad\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
