"""Bad files: one specific error each, which says what to do, and nothing else is heard of them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from handmade import png
from PIL import ImageFile
from refusals import PIXELS, encoded, nothing_leaks, put, refuse

from marsqe.errors import ReadError
from marsqe.read import decode_image, open_image

__all__ = ["nothing_leaks"]  # a fixture that every test here uses


# ---- the file itself


def test_missing_file(tmp_path: Path) -> None:
    refuse(tmp_path / "none.jpg", "no such file", "check the name")


def test_folder(tmp_path: Path) -> None:
    refuse(tmp_path, "folder", "choose an image file")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    refuse(tmp_path / "pipe.jpg", "not a file")


def test_impossible_name(tmp_path: Path) -> None:
    refuse(tmp_path / "a\0b.jpg", "check the name")


@pytest.mark.skipif(os.name == "nt", reason="permissions work otherwise there")
def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(tmp_path / "a.jpg", encoded("JPEG"))
    file.chmod(0)
    if os.access(file, os.R_OK):  # the superuser reads everything: let the system call refuse instead

        def deny(*_: Any, **__: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("builtins.open", deny)
    refuse(file, "no permission", "change its permissions")


def test_empty_file(tmp_path: Path) -> None:
    refuse(put(tmp_path / "a.jpg", b""), "empty", "fetch it again")


def test_huge_file_is_not_loaded(tmp_path: Path) -> None:
    file = tmp_path / "a.tif"
    with open(file, "wb") as stream:
        stream.write(b"II*\0")
        stream.truncate(5 * 1024**3)  # sparse: takes no room
    refuse(file, "above the limit of 4.3 GB")


# ---- not an image that can be read


@pytest.mark.parametrize("data", [b"Sol 766, rear Hazcam\n", b"{}", b"\x00", b"\xff", bytes(range(200, 256)) * 9])
def test_not_an_image(tmp_path: Path, data: bytes) -> None:
    refuse(put(tmp_path / "a.jpg", data), "not an image", "JPEG, PNG, TIFF and WebP")


def test_random_bytes(tmp_path: Path) -> None:
    for seed in range(20):
        refuse(put(tmp_path / "a.jpg", np.random.default_rng(seed).bytes(500)), "cannot open")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"GIF89a" + bytes(50), "GIF"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "HEIC"),
        (b"\0\0\0\x18ftypmsf1" + bytes(50), "a sequence of HEIF images"),
        (b"\0\0\0\x18ftypmp42" + bytes(50), "video"),
        (b"<?xml version='1.0'?><svg/>", "no label of a PDS4 product"),
        (b"\0\0\0\x18ftypavif" + bytes(50), "AVIF"),
        (b"PDS_VERSION_ID = PDS3", "PDS product"),
        (b"LBLSIZE=2048 FORMAT='BYTE'", "VICAR"),
        (b"BPG\xfb" + bytes(50), "BPG"),
    ],
)
def test_other_kinds_are_named(tmp_path: Path, data: bytes, word: str) -> None:
    refuse(put(tmp_path / "a.jpg", data), word)


@pytest.mark.parametrize("magic", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0+", b"RIFF\x10\0\0\0WEBP"])
@pytest.mark.parametrize("rest", [b"", b"\0" * 100, bytes(range(256))])
def test_only_the_beginning_is_right(tmp_path: Path, magic: bytes, rest: bytes) -> None:
    refuse(put(tmp_path / "a", magic + rest), "cannot open")


@pytest.mark.parametrize(("data", "word"), [(b"", "empty"), (b"text", "not an image"), (encoded("JPEG")[:300], "cut")])
def test_bad_bytes_are_refused_as_bad_files_are(data: bytes, word: str) -> None:
    with pytest.raises(ReadError, match=f"cannot open these {len(data)} bytes: .*{word}"):
        decode_image(data)


# ---- truncated and damaged


def truncatable() -> dict[str, bytes]:
    stream = io.BytesIO()
    tifffile.imwrite(stream, PIXELS, photometric="rgb", compression="zlib", rowsperstrip=8)
    plain = io.BytesIO()
    tifffile.imwrite(plain, PIXELS, photometric="rgb")
    deep = io.BytesIO()
    tifffile.imwrite(deep, PIXELS, photometric="rgb", compression="lzw")
    return {
        "baseline.jpg": encoded("JPEG"),
        "progressive.jpg": encoded("JPEG", progressive=True),
        "gray.jpg": encoded("JPEG", PIXELS[..., 0]),
        "colour.png": encoded("PNG"),
        "lossy.webp": encoded("WEBP"),
        "lossless.webp": encoded("WEBP", lossless=True),
        "zlib.tif": stream.getvalue(),
        "plain.tif": plain.getvalue(),
        "lzw.tif": deep.getvalue(),
    }


TRUNCATABLE = truncatable()


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("share", [0.03, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("name", TRUNCATABLE)
def test_truncated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, share: float, lenient: bool) -> None:
    data = TRUNCATABLE[name]
    file = put(tmp_path / name, data[: int(len(data) * share)])
    # Another program's leniency is put back afterwards, and does not let a half image through.
    ImageFile.LOAD_TRUNCATED_IMAGES = lenient
    try:
        refuse(file, "cut short or damaged", "fetch it again")
        assert ImageFile.LOAD_TRUNCATED_IMAGES is lenient
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


@pytest.mark.parametrize("name", ["baseline.jpg", "colour.png", "lossy.webp", "plain.tif"])
def test_last_bytes_missing(tmp_path: Path, name: str) -> None:
    for missing in (1, 4, 12):
        refuse(put(tmp_path / name, TRUNCATABLE[name][:-missing]), "cut short")


def test_sixteen_bit_colour_png_truncated(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + PIXELS[i].astype(">u2").tobytes() for i in range(40))
    data = png(50, 40, 16, 2, rows)
    assert open_image(put(tmp_path / "a.png", data)).pixels.dtype == np.uint16
    refuse(put(tmp_path / "a.png", data[: len(data) // 2]), "cut short")


def test_flipped_bytes_in_png_are_noticed(tmp_path: Path) -> None:
    data = bytearray(encoded("PNG"))
    data[len(data) // 2] ^= 0xFF
    refuse(put(tmp_path / "a.png", bytes(data)), "damaged")


def test_jpeg_without_its_tables(tmp_path: Path) -> None:
    data = encoded("JPEG", PIXELS[..., 0])
    at = data.index(b"\xff\xdb")
    refuse(put(tmp_path / "a.jpg", data[:at] + data[at + 2 + 67 :]), "damaged")
