"""BPG and HEIC files open with their facts, and bad ones are refused."""

from __future__ import annotations

import base64
import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from containers import bpg, heic, hevc
from numpy.typing import NDArray
from PIL import Image

from marsqe.codecs.hevc import decode_hevc, encode_hevc
from marsqe.codecs.ycc import pixels_of
from marsqe.errors import MissingExtraError, ReadError
from marsqe.read import decode_image, open_image

pytest.importorskip("av", reason="needs the extra codecs")
pytest.importorskip("pi_heif", reason="needs the extra codecs")

with Image.open(Path(__file__).parents[2] / "resources" / "samples" / "curiosity-mastcam.truth.png") as sample:
    SCENE = np.asarray(sample)[200:261, 100:177]
SIZE = (77, 61)

# 32 x 32 black pixels, 4:2:0, as libbpg's own encoder wrote them: found in the wild, where pages use it to ask a
# browser whether it knows BPG.
WILD = base64.b64decode("QlBH+yAAICAAA5JHQEQBwXGBEgAAASYBr+DlCr/7ppY=")


def exif(orientation: int) -> bytes:
    block = Image.Exif()
    block[0x0112] = orientation
    stream = io.BytesIO()
    Image.new("L", (8, 8)).save(stream, "JPEG", exif=block)
    with Image.open(stream) as image:
        return bytes(image.info["exif"][6:])


# ---- BPG


def test_a_file_of_the_reference_encoder() -> None:
    image = decode_image(WILD)
    np.testing.assert_array_equal(image.pixels, np.zeros((32, 32, 3), np.uint8))
    assert image.compression.summary() == "BPG, QP 26, 4:2:0, 0.25 bits per pixel"


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
def test_bpg_is_the_picture_within(tmp_path: Path, subsampling: str) -> None:
    stream = encode_hevc(SCENE, 24, subsampling=subsampling)
    file = tmp_path / "image.bpg"
    file.write_bytes(bpg(stream, SIZE))
    image = open_image(file)
    np.testing.assert_array_equal(image.pixels, decode_hevc(stream, SCENE.shape[:2]))
    facts = image.compression
    assert (facts.codec, facts.lossy, facts.qp, facts.subsampling_name) == ("BPG", True, 24, subsampling)
    assert facts.tables is None
    assert facts.bits_per_pixel == pytest.approx(8 * file.stat().st_size / (77 * 61))


def test_gray_bpg() -> None:
    stream = encode_hevc(SCENE[..., 0], 30)
    image = decode_image(bpg(stream, SIZE))
    np.testing.assert_array_equal(image.pixels, decode_hevc(stream))
    assert image.compression.subsampling is None


def test_ten_bits_are_spread_over_sixteen() -> None:
    ramp = (np.arange(48 * 64).reshape(48, 64) % 1024).astype("<u2")
    pixels = decode_image(bpg(hevc([ramp], "gray10le", 0), (64, 48))).pixels
    assert pixels.dtype == np.uint16
    assert pixels.max() == 65535
    assert np.abs(pixels * (1023 / 65535) - ramp).max() <= 3


# Colour spaces by their number in the file, and colours whose planes are known from their definition.
GREEN_BLUE_RED, YCGCO, BT709 = 1, 2, 3


@pytest.mark.parametrize(
    ("space", "flags", "planes", "colour"),
    [
        (GREEN_BLUE_RED, 0, (200, 90, 30), (30, 200, 90)),
        (YCGCO, 0, (130, 198, 98), (30, 200, 90)),
        (BT709, 0, (54, 99, 255), (255, 0, 0)),
        (0, 0, (76, 85, 255), (255, 0, 0)),
        (0, 2, (81, 90, 240), (255, 0, 0)),  # the same in the limited range
        (GREEN_BLUE_RED, 2, (235, 16, 126), (128, 255, 0)),
    ],
)
def test_colour_spaces(space: int, flags: int, planes: tuple[int, ...], colour: tuple[int, ...]) -> None:
    flat = [np.full((32, 32), value, np.uint8) for value in planes]
    pixels = decode_image(bpg(hevc(flat, "yuv444p", 4), (32, 32), space=space, flags=flags)).pixels
    assert np.abs(pixels.astype(int) - colour).max() <= 2


def test_chroma_positions_of_photographs_and_of_video() -> None:
    """A column of colour is drawn half a pixel further left where its samples lie on the columns."""
    luma, blue = np.full((32, 64), 128, np.uint8), np.full((16, 32), 128, np.uint8)
    red = blue.copy()
    red[:, 16:] = 200
    stream = hevc([luma, blue, red], "yuv420p", 1)

    def edge(kind: int) -> float:
        row = decode_image(bpg(stream, (64, 32), pixel_format=kind)).pixels[8, :, 0].astype(float)
        return float(np.interp(0.5, (row - row.min()) / np.ptp(row), np.arange(64)))

    assert edge(1) - edge(4) == pytest.approx(0.5, abs=0.1)


def test_exif_and_profile_of_bpg() -> None:
    stream = encode_hevc(SCENE, 30)
    image = decode_image(bpg(stream, SIZE, extensions={1: exif(6), 2: b"a profile", 9: b"unknown"}))
    assert image.orientation == 6
    assert image.shape == (77, 61)
    np.testing.assert_array_equal(image.pixels, np.rot90(decode_hevc(stream, SCENE.shape[:2]), -1))
    assert image.metadata["icc"] == b"a profile"
    assert image.metadata["exif"].startswith(b"Exif\0\0")


# ---- HEIC


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_heic_is_the_picture_within(tmp_path: Path, subsampling: str) -> None:
    stream = encode_hevc(SCENE[:60, :76], 24, subsampling=subsampling)
    file = tmp_path / "image.heic"
    file.write_bytes(heic(stream, (76, 60)))
    image = open_image(file)
    # Another decoder than ours; where chroma is subsampled, it also interpolates otherwise.
    difference = np.abs(image.pixels.astype(int) - decode_hevc(stream))
    assert difference.max() <= (0 if subsampling == "4:4:4" else 8)
    assert difference.mean() < 0.5
    facts = image.compression
    assert (facts.codec, facts.lossy, facts.subsampling_name, facts.tables) == ("HEIC", True, subsampling, None)
    assert image.orientation == 1


def test_gray_heic() -> None:
    stream = encode_hevc(SCENE[..., 0], 30)
    np.testing.assert_array_equal(decode_image(heic(stream, SIZE)).pixels, decode_hevc(stream))


def test_heic_of_ten_bits() -> None:
    ramp = (np.arange(48 * 64).reshape(48, 64) % 1024).astype("<u2")
    pixels = decode_image(heic(hevc([ramp], "gray10le", 0), (64, 48))).pixels
    assert pixels.dtype == np.uint16
    assert np.abs(pixels * (1023 / 65535) - ramp).max() <= 3


def test_heic_is_shown_upright() -> None:
    stream = encode_hevc(SCENE[:60, :76], 24, subsampling="4:4:4")
    image = decode_image(heic(stream, (76, 60), quarter_turns=1))
    np.testing.assert_array_equal(image.pixels, np.rot90(decode_hevc(stream)))


# ---- what is refused


@pytest.fixture(scope="module")
def stream() -> bytes:
    return encode_hevc(SCENE, 24)


@pytest.mark.parametrize("share", [0.03, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["bpg", "bpg of no stated length", "heic"])
def test_cut_short(stream: bytes, kind: str, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    data = {
        "bpg": bpg(stream, SIZE),
        "bpg of no stated length": bpg(stream, SIZE, length=0),
        "heic": heic(stream, (78, 62)),
    }[kind]
    with pytest.raises(ReadError, match=r"cut short or damaged|not an image"):
        decode_image(data[: int(len(data) * share)])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"flags": 1}, "animation"),
        ({"alpha": True}, "alpha"),
        ({"flags": 4}, "alpha or a fourth colour"),
        ({"space": 5}, "reserves"),
        ({"pixel_format": 7}, "reserves"),
        ({"pixel_format": 0}, "damaged"),
        ({"space": 0, "size": (2**20, 61)}, "above the limit"),
        ({"size": (200, 300)}, "damaged"),
        ({"size": (0, 61)}, "no pixels"),
    ],
)
def test_bpg_that_is_refused(stream: bytes, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ReadError, match=words):
        decode_image(bpg(stream, **({"size": SIZE} | fields)))


def test_random_bytes_after_a_header() -> None:
    random = np.random.default_rng(7)
    # Each HEIC file takes a process of its own.
    for head, count in ((b"BPG\xfb", 10), (WILD[:14], 10), (heic(encode_hevc(SCENE, 40), (78, 62))[:40], 2)):
        for _ in range(count):
            with pytest.raises(ReadError):
                decode_image(head + random.bytes(300))


@pytest.mark.parametrize(("module", "kind"), [("av", "bpg"), ("pi_heif", "heic")])
def test_without_the_library(monkeypatch: pytest.MonkeyPatch, stream: bytes, module: str, kind: str) -> None:
    data = bpg(stream, SIZE) if kind == "bpg" else heic(stream, (78, 62))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r'pip install "napari-marsqe\[codecs\]"'):
        decode_image(data)


# ---- planes


def test_chroma_of_odd_sizes_reaches_its_edge_alone() -> None:
    """The sample beyond an odd edge belongs to pixels that do not exist, and colours none that does."""
    luma = np.full((6, 6), 128, np.uint8)
    chroma: list[NDArray[np.uint8]] = [np.full((3, 3), 128, np.uint8), np.full((3, 3), 128, np.uint8)]
    chroma[1][2, 2] = 255
    inside = pixels_of([luma, *chroma], (4, 4))
    assert (inside == 128).all()
    assert (pixels_of([luma, *chroma], (5, 5))[4, 4] != 128).any()
