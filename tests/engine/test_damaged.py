"""Damaged files that the fuzzer found: each once gave a wrong outcome."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import PIXELS, encoded, nothing_leaks, put, refuse
from scenes import texture

import marsqe
from marsqe.codecs import coefficients
from marsqe.codecs.coefficients import coefficients_from_bytes, read_coefficients, without_remarks
from marsqe.codecs.quiet import libjpeg_quiet
from marsqe.enhancement.faithful import coefficients_of
from marsqe.errors import MarsqeError, ReadError, SettingError, WeightsError, in_one_line
from marsqe.matching.dictionary import dictionary_from_sheet
from marsqe.networks import registry

__all__ = ["nothing_leaks"]  # a fixture that every test here uses

JPEG = encoded("JPEG", quality=50)
TABLES, FRAME, CODES, SCAN = (JPEG.index(marker) for marker in (b"\xff\xdb", b"\xff\xc0", b"\xff\xc4", b"\xff\xda"))


def with_text(before: int, extra: bytes) -> bytes:
    return JPEG[:before] + extra + JPEG[before:]


def test_quantization_step_of_zero(tmp_path: Path) -> None:
    data = bytearray(JPEG)
    data[TABLES + 8] = 0
    refuse(put(tmp_path / "a.jpg", bytes(data)), "quantization step is zero", "fetch it again")


@pytest.mark.parametrize("before", [TABLES, FRAME, CODES, SCAN, len(JPEG) - 2])
def test_stray_bytes_in_a_jpeg_are_passed_over_in_silence(tmp_path: Path, before: int) -> None:
    file = put(tmp_path / "a.jpg", with_text(before, b"\0" * 50))
    image = marsqe.open_image(file)
    np.testing.assert_array_equal(image.pixels, marsqe.open_image(put(tmp_path / "b.jpg", JPEG)).pixels)
    found, sound = read_coefficients(file), coefficients_from_bytes(JPEG)
    for a, b in zip(found.components, sound.components, strict=True):
        np.testing.assert_array_equal(a, b)


def test_remarks_are_kept_from_native_code() -> None:
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 4000) + b"x" * 4000
    data = with_text(TABLES, comment)
    assert without_remarks(data) == without_remarks(JPEG)
    assert comment not in without_remarks(data)
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\1"
    assert adobe in without_remarks(with_text(TABLES, adobe))


@pytest.mark.parametrize("data", [b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff\xe1\xff\xff", JPEG[: SCAN + 1]])
def test_remarks_of_what_is_hardly_a_jpeg(data: bytes) -> None:
    assert len(without_remarks(data)) <= len(data)


def test_coefficients_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import jpeglib

    def fail(path: str) -> Any:
        raise OSError("reading info failed")

    image = marsqe.open_image(put(tmp_path / "a.jpg", JPEG))
    monkeypatch.setattr(jpeglib, "read_dct", fail)
    coefficients._kept.clear()
    with pytest.raises(ReadError, match="fetch it again"):
        coefficients_from_bytes(JPEG)
    assert coefficients_of(image) is None


def test_other_lines_on_standard_error_are_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    import os

    with libjpeg_quiet():
        os.write(2, b"Corrupt JPEG data: bad Huffman code\nsomething else\n")
    assert capfd.readouterr().err == "something else\n"
    with pytest.raises(OSError, match="why"), libjpeg_quiet():
        os.write(2, b"Huffman table 0x01 was not defined\n")
        raise OSError("why")
    assert capfd.readouterr().err == ""


def test_sixteen_bit_colours_whose_checksum_is_wrong(tmp_path: Path) -> None:
    """libpng decodes it and prints a warning where nobody looks."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in PIXELS)
    packed = zlib.compress(rows)
    wrong = packed[:-1] + bytes([packed[-1] ^ 1])
    header = struct.pack(">IIBBBBB", PIXELS.shape[1], PIXELS.shape[0], 16, 2, 0, 0, 0)

    def file(pixels: bytes) -> bytes:
        chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
        parts = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
        return b"\x89PNG\r\n\x1a\n" + b"".join(parts)

    assert marsqe.open_image(put(tmp_path / "a.png", file(packed))).pixels.dtype == np.uint16
    refuse(put(tmp_path / "a.png", file(wrong)), "damaged", "fetch it again")


def test_chain_of_millions_of_pages(tmp_path: Path) -> None:
    # Every directory says that the next one follows within the first one's tags.
    count = 70_000
    entry = struct.pack("<HHII", 256, 4, 1, 1)
    size = 2 + len(entry) + 4
    pages = b"".join(
        struct.pack("<H", 1) + entry + struct.pack("<I", 8 + size * (number + 1) if number + 1 < count else 0)
        for number in range(count)
    )
    refuse(put(tmp_path / "a.tif", b"II*\0" + struct.pack("<I", 8) + pages), "cannot open")


def test_what_libraries_say_is_put_on_one_line() -> None:
    assert in_one_line(ValueError("a\n\tb\x00c")) == "a b c"
    assert in_one_line(ValueError()) == "ValueError"
    assert len(in_one_line(ValueError("x" * 10_000))) < 400


@pytest.mark.parametrize("entries", [[{"terrain": "sky"}], [{}], [3], None, "sky", [{"terrain": "sky", "more": 1}]])
def test_damaged_list_of_references(entries: Any) -> None:
    sheet = np.zeros((512, 128, 3), np.uint8)
    with pytest.raises(SettingError, match="rebuild the dictionary"):
        dictionary_from_sheet(sheet, {"entries": entries})


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"widths": [10**9, 10**9, 10**9]}},
        {"config": {"widths": [32, 64]}},
        {"config": {"encoder": [65535, 3]}},
        {"config": {"unshuffle": 0}},
        {"config": {"unshuffle": -2}},
        {"config": {"middle": 1}},
        {"config": 3},
        {"parameters": "many"},
        {"parameters": float("inf")},
        {"weights_sha256": None},
    ],
)
def test_damaged_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: dict[str, Any]) -> None:
    import marsqe.weights

    home = Path(str(marsqe.weights._folder()))
    card = json.loads((home / "marsqe-swift.json").read_text())
    config = {**card["config"], **change["config"]} if isinstance(change.get("config"), dict) else None
    card |= {**change, "config": config} if config else change
    (tmp_path / "marsqe-swift.json").write_text(json.dumps(card))
    (tmp_path / "marsqe-swift.safetensors").write_bytes((home / "marsqe-swift.safetensors").read_bytes())
    monkeypatch.setattr(marsqe.weights, "_folder", lambda: tmp_path)
    with pytest.raises(WeightsError) as caught:
        registry.load("marsqe-swift")
    assert str(caught.value).isprintable()


def test_weights_that_were_replaced_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One bit of the file that the card names, for every network that comes with the package."""
    import marsqe.weights
    from marsqe.segmentation.run import terrain_network

    home = Path(str(marsqe.weights._folder()))
    monkeypatch.setattr(marsqe.weights, "_folder", lambda: tmp_path)
    loaders = {"marsqe-swift": registry.load, "marsqe-terrain": lambda _: terrain_network.__wrapped__("cpu")}
    for name, load in loaders.items():
        data = bytearray((home / f"{name}.safetensors").read_bytes())
        data[-1] ^= 1
        (tmp_path / f"{name}.json").write_bytes((home / f"{name}.json").read_bytes())
        (tmp_path / f"{name}.safetensors").write_bytes(data)
        with pytest.raises(WeightsError, match=r"SHA-256.*reinstall"):
            load(name)


def test_a_damaged_jpeg_that_opens_can_be_enhanced(tmp_path: Path) -> None:
    """Whatever was opened goes through; here the scan is damaged, which a JPEG has no checksum to tell."""
    data = bytearray(encoded("JPEG", texture(48, 64), quality=40))
    start = data.index(b"\xff\xda") + 14
    random = np.random.default_rng(0)
    opened = 0
    for _ in range(20):
        damaged = bytearray(data)
        damaged[int(random.integers(start, len(data) - 2))] ^= 1 << int(random.integers(8))
        try:
            image = marsqe.open_image(put(tmp_path / "a.jpg", bytes(damaged)))
        except MarsqeError:
            continue
        opened += 1
        coefficients_of(image)
    assert opened


def test_messages_show_nothing_that_no_terminal_can() -> None:
    assert str(ReadError("version \ud800 of Møns Klint")) == "version ? of Møns Klint"
