"""What comes along with the pixels: orientation, resolution, profile, kind."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from handmade import assert_pixels, random_pixels, write
from PIL import Image, ImageOps

from marsqe.codecs.jpeg import encode_jpeg
from marsqe.image import to_stored, to_upright
from marsqe.read import decode_image, open_image

# ---- orientation, resolution, metadata


def oriented_exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = "kept"
    return exif.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
def test_orientation_is_applied_and_undone(tmp_path: Path, orientation: int, kind: str) -> None:
    stored = random_pixels(16, 24, 3)
    file = tmp_path / f"image.{kind}"
    if kind == "tif":
        tags = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(file, stored, photometric="rgb", extratags=tags)
    else:
        write(file, stored, exif=oriented_exif(orientation), **({"lossless": True} if kind == "webp" else {}))
    image = open_image(file)
    assert image.orientation == orientation
    if kind != "tif":
        with Image.open(file) as pillow:
            np.testing.assert_array_equal(image.pixels, np.asarray(ImageOps.exif_transpose(pillow)))
            coded = np.asarray(pillow)
        # The block that goes along no longer asks for a turn, and keeps the rest.
        kept = Image.Exif()
        kept.load(image.metadata["exif"])
        assert kept[0x0112] == 1
        assert kept[0x010E] == "kept"
    else:
        coded = stored
        np.testing.assert_array_equal(image.pixels, to_upright(stored, orientation))
    np.testing.assert_array_equal(to_stored(image.pixels, image.orientation), coded)


@pytest.mark.parametrize("bad", [0, 9, 300])
def test_an_orientation_that_does_not_exist_is_ignored(tmp_path: Path, bad: int) -> None:
    image = open_image(write(tmp_path / "image.png", random_pixels(4, 6), exif=oriented_exif(bad)))
    assert image.orientation == 1
    assert image.shape == (4, 6)


def test_damaged_exif_is_ignored_in_silence(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    exif = oriented_exif(6)
    image = open_image(write(tmp_path / "image.jpg", random_pixels(16, 24), exif=exif[: len(exif) - 12]))
    assert image.shape in ((16, 24), (24, 16))
    image = open_image(write(tmp_path / "image.jpg", random_pixels(16, 24), exif=b"Exif\0\0garbage"))
    assert (image.shape, image.orientation) == ((16, 24), 1)
    assert "exif" not in image.metadata
    assert not recwarn.list


def test_resolution_and_icc(tmp_path: Path) -> None:
    pixels = random_pixels(8, 8)
    jpeg = open_image(write(tmp_path / "a.jpg", pixels, dpi=(300, 150), icc_profile=b"profile"))
    assert jpeg.metadata["resolution"] == (300.0, 150.0, "inch")
    assert jpeg.metadata["icc"] == b"profile"
    file = write(tmp_path / "a.png", pixels, dpi=(300, 150), icc_profile=b"profile")
    assert open_image(file).metadata["resolution"] == (
        pytest.approx(300, abs=0.02),
        pytest.approx(150, abs=0.02),
        "inch",
    )
    assert open_image(file).metadata["icc"] == b"profile"
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, resolution=(40, 20), resolutionunit="CENTIMETER", iccprofile=b"profile"
    )
    tiff = open_image(tmp_path / "a.tif")
    assert tiff.metadata["resolution"] == (40.0, 20.0, "centimeter")
    assert tiff.metadata["icc"] == b"profile"


def test_files_that_say_nothing_give_no_metadata(tmp_path: Path) -> None:
    pixels = random_pixels(8, 8)
    for name in ("a.png", "a.tif", "a.webp"):
        assert open_image(write(tmp_path / name, pixels)).metadata == {}
    jpeg = open_image(write(tmp_path / "a.jpg", pixels))
    assert set(jpeg.metadata) == {"colour_transform"}


def test_the_content_tells_the_kind_and_not_the_name(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(random_pixels(8, 8)).save(stream, "PNG")
    (tmp_path / "image.jpg").write_bytes(stream.getvalue())
    assert open_image(tmp_path / "image.jpg").compression.codec == "PNG"


def test_bytes_are_opened_as_their_file_is(tmp_path: Path) -> None:
    data = encode_jpeg(random_pixels(16, 24, 3), quality=55)
    (tmp_path / "image.jpg").write_bytes(data)
    held, stored = decode_image(data), open_image(tmp_path / "image.jpg")
    assert held.path is None
    assert (held.sha256, held.metadata) == (stored.sha256, stored.metadata)
    assert held.compression.summary() == stored.compression.summary()
    assert_pixels(held, stored.pixels)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_pixels_may_be_written_to(tmp_path: Path, name: str) -> None:
    # torch warns of arrays that are views of a decoder's read-only buffer
    pixels = open_image(write(tmp_path / name, random_pixels(8, 8, 3))).pixels
    pixels[0, 0] = 1
    assert (pixels[0, 0] == 1).all()
