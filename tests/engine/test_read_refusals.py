"""Images that are sound but cannot be taken as they are: one error each, which says what to do."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from handmade import png
from PIL import Image
from refusals import PIXELS, encoded, nothing_leaks, put, refuse

from marsqe.read import MAX_PIXELS, MAX_SIDE, open_image

__all__ = ["nothing_leaks"]  # a fixture that every test here uses


# ---- colours


def test_cmyk(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS).convert("CMYK")
    for name in ("a.jpg", "a.tif"):
        image.save(tmp_path / name)
        refuse(tmp_path / name, "CMYK", "convert it to RGB")


@pytest.mark.parametrize("kind", ["png", "webp", "tif"])
def test_transparent_pixels(tmp_path: Path, kind: str) -> None:
    pixels = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 255, np.uint8)])
    pixels[3, 4, 3] = 254
    Image.fromarray(pixels).save(tmp_path / f"a.{kind}")
    refuse(tmp_path / f"a.{kind}", "transparent", "flatten")


@pytest.mark.parametrize(
    "data",
    [
        png(2, 1, 8, 0, b"\0\7\x08", (b"tRNS", struct.pack(">H", 7))),
        png(4, 1, 2, 0, b"\0\xe4", (b"tRNS", struct.pack(">H", 2))),
        png(2, 1, 4, 0, b"\0\xe4", (b"tRNS", struct.pack(">H", 14))),
        png(8, 1, 1, 0, b"\0\xe4", (b"tRNS", struct.pack(">H", 1))),
        png(1, 1, 16, 0, b"\0\x12\x34", (b"tRNS", b"\x12\x34")),
        png(1, 1, 8, 2, b"\0\1\2\3", (b"tRNS", struct.pack(">3H", 1, 2, 3))),
        png(1, 1, 16, 2, b"\0" + struct.pack(">3H", 300, 2, 3), (b"tRNS", struct.pack(">3H", 300, 2, 3))),
        png(2, 1, 8, 3, b"\0\0\1", (b"PLTE", bytes([1, 2, 3, 4, 5, 6])), (b"tRNS", b"\xff\x80")),
    ],
    ids=["gray8", "gray2", "gray4", "gray1", "gray16", "rgb8", "rgb16", "palette"],
)
def test_transparent_colour_of_png(tmp_path: Path, data: bytes) -> None:
    refuse(put(tmp_path / "a.png", data), "transparent")


# ---- several pictures


@pytest.mark.parametrize("kind", ["png", "webp", "gif"])
def test_animations(tmp_path: Path, kind: str) -> None:
    frames = [Image.fromarray(PIXELS), Image.fromarray(255 - PIXELS)]
    frames[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=frames[1:], duration=100)
    refuse(tmp_path / f"a.{kind}", "GIF" if kind == "gif" else "animation", "PNG")


def test_tiff_stacks(tmp_path: Path) -> None:
    stack = np.stack([PIXELS[..., 0]] * 4)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    refuse(tmp_path / "a.tif", "4 pages", "save the one")
    tifffile.imwrite(tmp_path / "imagej.tif", stack, imagej=True)
    refuse(tmp_path / "imagej.tif", "4 pages")
    tifffile.imwrite(tmp_path / "hidden.tif", stack, imagej=True, metadata={"axes": "ZYX"}, contiguous=True)
    refuse(tmp_path / "hidden.tif", "4 pages")


# ---- samples


@pytest.mark.parametrize(
    ("dtype", "word"), [("f4", "floating-point"), ("f8", "floating-point"), ("i2", "signed"), ("c8", "complex")]
)
def test_samples_without_a_known_range(tmp_path: Path, dtype: str, word: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS[..., 0].astype(dtype))
    refuse(tmp_path / "a.tif", word, "rescale them to unsigned integers of 16 bits")


def test_samples_of_odd_widths(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS[..., 0].astype("u4"))
    refuse(tmp_path / "a.tif", "32 bits", "rescale")
    tifffile.imwrite(tmp_path / "b.tif", PIXELS[..., 0].astype("u2"), bitspersample=12)
    refuse(tmp_path / "b.tif", "12 bits", "rescale")


def test_channels_that_are_no_colours(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((20, 20, 5), np.uint8), photometric="minisblack", planarconfig="contig"
    )
    refuse(tmp_path / "a.tif", "5 channels", "gray or RGB")
    tifffile.imwrite(tmp_path / "b.tif", PIXELS, photometric="cielab")
    refuse(tmp_path / "b.tif", "CIELAB", "convert it to RGB")


# ---- absurd sizes: told from the header, before pixels are decoded


def huge(kind: str, width: int, height: int) -> bytes:
    if kind == "png":
        return png(width, height, 8, 0, b"")
    if kind == "jpg":
        data = encoded("JPEG")
        at = data.index(b"\xff\xc0") + 5
        return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]
    stream = io.BytesIO()
    tifffile.imwrite(stream, PIXELS[..., 0], metadata=None)
    data = bytearray(stream.getvalue())
    for tag, value in ((256, width), (257, height)):
        at = data.index(struct.pack("<HH", tag, 4))
        data[at + 8 : at + 12] = struct.pack("<I", value)
    return bytes(data)


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("size", [(MAX_SIDE + 1, 1), (1, MAX_SIDE + 1), (2**31 - 1, 2**31 - 1)])
def test_absurd_sides(tmp_path: Path, kind: str, size: tuple[int, int]) -> None:
    refuse(put(tmp_path / f"a.{kind}", huge(kind, *size)), f"{size[0]} x {size[1]}", "above the limit", "cut it")


@pytest.mark.parametrize("kind", ["png", "tif", "jpg"])
def test_absurd_area(tmp_path: Path, kind: str) -> None:
    side = int(MAX_PIXELS**0.5) + 1
    refuse(put(tmp_path / f"a.{kind}", huge(kind, side, side)), "400 megapixels")


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_no_pixels(tmp_path: Path, kind: str) -> None:
    refuse(put(tmp_path / f"a.{kind}", huge(kind, 0, 10)), "cannot open")


def test_pillow_limit_is_neither_needed_nor_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [
        put(tmp_path / f"a.{kind}", encoded(name))
        for kind, name in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF"))
    ]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for file in files:
        assert open_image(file).shape == (40, 50)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    refuse(put(tmp_path / "huge.png", huge("png", 30_000, 30_000)), "above the limit")
    monkeypatch.undo()
