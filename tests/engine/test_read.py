"""Opening good files: every kind, depth and layout, with the facts that go along."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from handmade import assert_pixels, png, random_pixels, write
from PIL import Image

from marsqe.codecs.jpeg import encode_jpeg
from marsqe.read import open_image

# ---- JPEG


@pytest.mark.parametrize("shape", [(17, 23), (17, 23, 3)])
def test_jpeg(tmp_path: Path, shape: tuple[int, ...]) -> None:
    data = encode_jpeg(random_pixels(*shape), quality=37)
    file = tmp_path / "image.jpg"
    file.write_bytes(data)
    image = open_image(file)
    with Image.open(file) as pillow:
        assert_pixels(image, np.asarray(pillow))
    facts = image.compression
    assert (facts.codec, facts.lossy, facts.quality, facts.quality_exact) == ("JPEG", True, 37, True)
    assert facts.tables is not None
    assert len(facts.tables) == (3 if len(shape) == 3 else 1)
    assert facts.bits_per_pixel == pytest.approx(8 * len(data) / (17 * 23))
    assert image.sha256 == hashlib.sha256(data).hexdigest()
    assert image.path == file
    assert image.orientation == 1
    assert image.metadata["colour_transform"] == ("YCbCr" if len(shape) == 3 else "gray")


def test_progressive_jpeg(tmp_path: Path) -> None:
    file = write(tmp_path / "image.jpg", random_pixels(40, 50, 3), quality=88, progressive=True, subsampling=0)
    image = open_image(str(file))
    assert image.shape == (40, 50)
    assert image.compression.summary().startswith("JPEG, quality 88, 4:4:4, ")


def test_jpeg_of_rgb_components_says_so(tmp_path: Path) -> None:
    pixels = np.full((16, 16, 3), (200, 30, 90), dtype=np.uint8)
    image = open_image(write(tmp_path / "image.jpg", pixels, quality=95, keep_rgb=True))
    assert image.metadata["colour_transform"] == "RGB"
    assert np.abs(image.pixels.astype(int) - pixels).max() <= 2


@pytest.mark.parametrize(("name", "ratios"), [("4:4:0", (1, 2)), ("4:1:1", (4, 1)), ("4:2:0", (2, 2))])
def test_subsamplings_that_pillow_does_not_name(tmp_path: Path, name: str, ratios: tuple[int, int]) -> None:
    pixels = random_pixels(45, 61, 3)
    file = tmp_path / "image.jpg"
    file.write_bytes(imagecodecs.jpeg8_encode(pixels, level=70, subsampling=name.replace(":", "")))
    compression = open_image(file).compression
    assert (compression.subsampling, compression.subsampling_name) == (ratios, name)


# ---- PNG


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(9, 13), (9, 13, 3)])
def test_png_keeps_depth_and_pixels(tmp_path: Path, shape: tuple[int, ...], dtype: Any) -> None:
    pixels = random_pixels(*shape, dtype=dtype)
    (tmp_path / "image.png").write_bytes(imagecodecs.png_encode(pixels))
    image = open_image(tmp_path / "image.png")
    assert_pixels(image, pixels)
    assert (image.compression.codec, image.compression.lossy, image.compression.tables) == ("PNG", False, None)
    assert image.compression.quality is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [2, 4])
def test_opaque_alpha_is_dropped(tmp_path: Path, channels: int, dtype: Any) -> None:
    pixels = random_pixels(9, 13, channels, dtype=dtype)
    pixels[..., -1] = np.iinfo(dtype).max
    (tmp_path / "image.png").write_bytes(imagecodecs.png_encode(pixels))
    assert_pixels(open_image(tmp_path / "image.png"), pixels[..., 0] if channels == 2 else pixels[..., :3])


def test_palette_png_becomes_rgb(tmp_path: Path) -> None:
    palette = bytes([10, 20, 30, 200, 100, 50, 0, 255, 0])
    data = png(3, 2, 8, 3, b"\0\0\1\2\0\2\1\0", (b"PLTE", palette))
    (tmp_path / "image.png").write_bytes(data)
    colours = np.frombuffer(palette, np.uint8).reshape(3, 3)
    assert_pixels(open_image(tmp_path / "image.png"), colours[[[0, 1, 2], [2, 1, 0]]])


def test_palette_png_with_opaque_alphas_becomes_rgb(tmp_path: Path) -> None:
    data = png(2, 1, 8, 3, b"\0\0\1", (b"PLTE", bytes([1, 2, 3, 4, 5, 6])), (b"tRNS", b"\xff\xff"))
    (tmp_path / "image.png").write_bytes(data)
    assert_pixels(open_image(tmp_path / "image.png"), np.array([[[1, 2, 3], [4, 5, 6]]], dtype=np.uint8))


@pytest.mark.parametrize(
    ("depth", "expected"), [(1, [255, 255, 255, 0, 0, 255, 0, 0]), (2, [255, 170, 85, 0]), (4, [238, 68])]
)
def test_png_of_few_bits_spans_eight(tmp_path: Path, depth: int, expected: list[int]) -> None:
    (tmp_path / "image.png").write_bytes(png(8 // depth, 1, depth, 0, b"\0\xe4"))
    assert_pixels(open_image(tmp_path / "image.png"), np.array([expected], dtype=np.uint8))


def test_colour_key_that_no_pixel_has_is_harmless(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(png(2, 1, 4, 0, b"\0\xe4", (b"tRNS", struct.pack(">H", 5))))
    assert_pixels(open_image(tmp_path / "image.png"), np.array([[238, 68]], dtype=np.uint8))


def test_interlaced_sixteen_bit_colour(tmp_path: Path) -> None:
    # One pixel: its only pass is the first, so that interlaced rows are the plain ones.
    data = bytearray(png(1, 1, 16, 2, b"\0" + struct.pack(">3H", 258, 40000, 7)))
    data[28] = 1
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "image.png").write_bytes(data)
    assert_pixels(open_image(tmp_path / "image.png"), np.array([[[258, 40000, 7]]], dtype=np.uint16))


# ---- WebP


@pytest.mark.parametrize("lossless", [False, True])
def test_webp_knows_whether_it_is_lossy(tmp_path: Path, lossless: bool) -> None:
    pixels = random_pixels(9, 13, 3)
    file = write(tmp_path / "image.webp", pixels, lossless=lossless, quality=60)
    image = open_image(file)
    assert (image.compression.codec, image.compression.lossy) == ("WebP", not lossless)
    with Image.open(file) as pillow:
        assert_pixels(image, np.asarray(pillow))
    assert np.array_equal(image.pixels, pixels) is lossless


def test_webp_with_opaque_alpha_and_extras(tmp_path: Path) -> None:
    pixels = random_pixels(9, 13, 4)
    pixels[..., 3] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    image = open_image(write(tmp_path / "a.webp", pixels, lossless=True, icc_profile=b"profile", exif=exif.tobytes()))
    assert image.orientation == 6
    assert_pixels(image, np.rot90(pixels[..., :3], -1).copy())
    assert image.metadata["icc"] == b"profile"


# ---- TIFF


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(33, 21), (33, 21, 3)])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_tiff(tmp_path: Path, shape: tuple[int, ...], dtype: Any, compression: str | None, byteorder: Any) -> None:
    pixels = random_pixels(*shape, dtype=dtype)
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels,
        byteorder=byteorder,
        compression=compression,
        photometric="rgb" if len(shape) == 3 else "minisblack",
    )
    image = open_image(tmp_path / "a.tif")
    assert_pixels(image, pixels)
    assert image.pixels.dtype.isnative
    assert (image.compression.codec, image.compression.lossy) == ("TIFF", False)


def test_planar_and_tiled_tiff(tmp_path: Path) -> None:
    pixels = random_pixels(40, 50, 3, dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", np.moveaxis(pixels, -1, 0), photometric="rgb", planarconfig="separate", tile=(16, 16)
    )
    assert_pixels(open_image(tmp_path / "a.tif"), pixels)


def test_bigtiff_and_imagej(tmp_path: Path) -> None:
    pixels = random_pixels(20, 30, 3)
    tifffile.imwrite(tmp_path / "big.tif", pixels, photometric="rgb", bigtiff=True)
    tifffile.imwrite(tmp_path / "imagej.tif", pixels, imagej=True)
    assert_pixels(open_image(tmp_path / "big.tif"), pixels)
    assert_pixels(open_image(tmp_path / "imagej.tif"), pixels)


def test_white_is_zero_tiff_is_inverted(tmp_path: Path) -> None:
    pixels = random_pixels(20, 30, dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="miniswhite")
    assert_pixels(open_image(tmp_path / "a.tif"), 65535 - pixels)


def test_one_bit_and_palette_tiff(tmp_path: Path) -> None:
    bits = random_pixels(20, 30) > 128
    tifffile.imwrite(tmp_path / "bits.tif", bits, photometric="minisblack")
    assert_pixels(open_image(tmp_path / "bits.tif"), bits.astype(np.uint8) * np.uint8(255))
    palette = random_pixels(3, 256, dtype=np.uint8)
    indices = random_pixels(20, 30)
    tifffile.imwrite(tmp_path / "p.tif", indices, photometric="palette", colormap=palette.astype(np.uint16) * 257)
    assert_pixels(open_image(tmp_path / "p.tif"), palette.T[indices])


def test_opaque_alpha_of_tiff_is_dropped_and_thumbnails_are_passed_over(tmp_path: Path) -> None:
    pixels = random_pixels(20, 30, 4)
    pixels[..., 3] = 255
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(pixels[::2, ::2], photometric="rgb", extrasamples=["unassalpha"], subfiletype=1, metadata=None)
        tiff.write(pixels, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    assert_pixels(open_image(tmp_path / "a.tif"), pixels[..., :3].copy())


def test_jpeg_inside_tiff_is_lossy(tmp_path: Path) -> None:
    y, x = np.mgrid[:32, :48]
    pixels = np.stack([x * 4, y * 6, x + y], -1).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression="jpeg", compressionargs={"level": 95})
    image = open_image(tmp_path / "a.tif")
    assert image.compression.lossy
    assert np.abs(image.pixels.astype(int) - pixels).mean() < 3
