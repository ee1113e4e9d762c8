"""HEVC pictures: what is asked for is what is coded."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from containers import bpg
from numpy.typing import NDArray
from PIL import Image

from marsqe.codecs.hevc import decode_hevc, encode_hevc
from marsqe.codecs.ycc import pixels_of, planes_of
from marsqe.errors import MissingExtraError, ReadError, SettingError
from marsqe.read import decode_image

pytest.importorskip("av", reason="needs the extra codecs")


def scene(height: int = 61, width: int = 77) -> NDArray[np.uint8]:
    return SCENE[:height, :width]


with Image.open(Path(__file__).parents[2] / "resources" / "samples" / "curiosity-mastcam.truth.png") as sample:
    SCENE = np.asarray(sample)[200:328, 100:260]


@pytest.fixture(scope="module")
def stream() -> bytes:
    return encode_hevc(scene(), 20)


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


@pytest.mark.parametrize(("mode", "coded"), [("true-qp", 37), ("bpgenc-compatible", 34)])
def test_the_slice_says_which_qp_was_used(mode: str, coded: int) -> None:
    data = encode_hevc(scene(64, 80), 37, mode=mode)
    assert decode_image(bpg(data, (80, 64))).compression.qp == coded


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4"])
@pytest.mark.parametrize("shape", [(61, 77), (5, 3), (64, 64)])
def test_colour_of_any_size_comes_back(subsampling: str, shape: tuple[int, int]) -> None:
    pixels = scene(*shape)
    found = decode_hevc(encode_hevc(pixels, 4, subsampling=subsampling), shape)
    assert found.dtype == np.uint8
    assert found.shape == pixels.shape
    # At this QP what is lost is what the conversion alone loses.
    height, width = -(-shape[0] // 2) * 2, -(-shape[1] // 2) * 2
    padded = np.pad(pixels, ((0, height - shape[0]), (0, width - shape[1]), (0, 0)), mode="edge")
    alone = pixels_of(list(planes_of(padded, subsampling)), shape)
    assert psnr(found, alone) > 44


def test_gray_stays_gray() -> None:
    pixels = scene()[..., 0]
    data = encode_hevc(pixels, 12)
    found = decode_hevc(data)
    assert found.shape == pixels.shape
    assert psnr(found, pixels) > 45


def test_sixteen_bits_are_reduced_first() -> None:
    gray = scene()[..., 0]
    assert encode_hevc(gray.astype(np.uint16) * 257, 30) == encode_hevc(gray, 30)


def test_a_higher_qp_is_smaller_and_worse() -> None:
    pixels = scene(128, 160)
    streams = [encode_hevc(pixels, qp) for qp in (27, 32, 37, 42)]
    quality = [psnr(decode_hevc(data), pixels) for data in streams]
    assert sorted(map(len, streams), reverse=True) == list(map(len, streams))
    assert sorted(quality, reverse=True) == quality


def test_the_stream_carries_no_messages_and_repeats_exactly() -> None:
    data = encode_hevc(scene(), 40)
    assert data == encode_hevc(scene(), 40)
    # Video, sequence and picture parameter sets, and one instant picture: no others, as x265's own settings would be.
    kinds = [unit[0] >> 1 & 63 for unit in data.split(b"\0\0\1")[1:]]
    assert kinds[:3] == [32, 33, 34]
    assert len(kinds) == 4
    assert kinds[3] in (19, 20)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"qp": 52}, "0-51"), ({"qp": -1}, "0-51"), ({"mode": "crf"}, "true-qp"), ({"subsampling": "4:1:1"}, "4:2:2")],
)
def test_wrong_settings_are_named(arguments: dict[str, object], word: str) -> None:
    with pytest.raises(SettingError, match=word):
        encode_hevc(scene(), **({"qp": 30} | arguments))  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.9, 0.99])
def test_half_a_stream_is_refused_and_not_completed(
    stream: bytes, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ReadError, match="cut short or damaged"):
        decode_hevc(stream[: int(len(stream) * share)], (61, 77))
    assert capfd.readouterr() == ("", "")


def test_a_shape_beyond_the_picture_is_refused() -> None:
    with pytest.raises(ReadError, match="its shape"):
        decode_hevc(encode_hevc(scene(), 30), (640, 77))


def test_without_the_library_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r'pip install "napari-marsqe\[codecs\]"'):
        encode_hevc(scene(), 30)
