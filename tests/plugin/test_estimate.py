"""A PNG of an on-board JPEG: its tables are estimated at a click, and all that follows lies where it belongs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from driver import User
from numpy.typing import NDArray
from PIL import Image

import marsqe
from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg
from marsqe.replaying import replay
from marsqe.samples import sample_path
from napari_marsqe.wording import describe_image

CUT = (11, 13)
"""Row and column of the first whole unit."""


@pytest.fixture
def decoded(tmp_path: Path, truth: NDArray[np.uint8]) -> Path:
    """What a JPEG of quality 60 was decoded to, without its first rows and columns."""
    path = tmp_path / "sol_0766_decoded.png"
    Image.fromarray(decode_jpeg(encode_jpeg(truth, quality=60))[16 - CUT[0] :, 16 - CUT[1] :]).save(path)
    return path


def test_estimated_at_a_click_and_held_to_what_was_found(user: User, decoded: Path, tmp_path: Path) -> None:
    bench = user.bench
    user.opens(decoded)
    original = user.case
    original.source.scale, original.source.translate = (2, 2), (100, 50)
    user.does(bench.estimate)
    said = bench.open.summary.text()
    assert "JPEG quality 60, 4:2:0, grid at row 11, column 13; estimated from the pixels" in said
    assert "Cut to whole blocks: 11 rows and 21 columns" in said
    assert not bench.estimate.isVisible()
    case = user.case
    assert case is not original and not original.source.visible
    assert case.source.name == "sol_0766_decoded · whole blocks"
    assert list(case.source.translate) == [100 + 2 * 11, 50 + 2 * 13]
    row, column = (round(n) for n in original.source.world_to_data(case.source.data_to_world((20, 30))))
    np.testing.assert_array_equal(original.source.data[row, column], case.source.data[20, 30])

    bench.judge.confidence.click()
    user.does(bench.enhance.action)
    user.does(bench.judge.action)
    assert "Held to the JPEG" in bench.enhance.summary.text()
    assert "nine in ten pixels" in bench.enhance.summary.text()
    for layer in case.layers.values():
        tiles = 128 if layer.data.shape[:2] == (2, 2) else 1
        assert list(layer.scale) == [2 * tiles] * 2, layer.name
        assert np.allclose(layer.data_to_world((0, 0)), case.source.data_to_world(((tiles - 1) / 2,) * 2)), layer.name

    path = tmp_path / "out.tif"
    bench.run_export(path)
    user.wait(path.is_file)
    again = replay(path)
    assert again.identical, again.differences
    assert again.enhancement.provenance["source"]["estimated"]["cut"] == list(CUT)


def test_asked_again_the_same_is_shown(user: User, decoded: Path) -> None:
    user.opens(decoded)
    original = user.case
    user.does(user.bench.estimate)
    found = user.case
    user.bench.session.turn_to(original)
    user.does(user.bench.estimate)
    assert user.case is found and found.source.visible
    assert len(user.bench.viewer.layers) == 2


def test_the_truth_is_cut_as_well(user: User, decoded: Path, tmp_path: Path, truth: NDArray[np.uint8]) -> None:
    raw = tmp_path / "raw.png"
    Image.fromarray(truth[16 - CUT[0] :, 16 - CUT[1] :]).save(raw)
    user.opens(decoded, raw)
    original = user.case
    user.does(user.bench.estimate)
    np.testing.assert_array_equal(user.case.truth.data, truth[16:160, 16:192])
    assert list(user.case.truth.translate) == list(CUT)
    assert not original.truth.visible
    user.bench.session.turn_to(original)
    assert original.truth.visible


def test_pixels_without_a_trace_are_refused_in_words(user: User, tmp_path: Path, notified: list[str]) -> None:
    noise = np.random.default_rng(0).normal(120, 20, (160, 176, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    user.opens(tmp_path / "noise.png")
    case = user.case
    user.does(user.bench.estimate)
    assert "show no trace of a JPEG with standard tables" in user.bench.open.summary.text()
    assert user.case is case and case.source.visible
    assert len(notified) == 1


def test_offered_only_where_a_jpeg_may_be_behind_the_pixels(user: User, jpeg: Path, tmp_path: Path) -> None:
    offer = user.bench.estimate
    assert not offer.isVisible()
    user.opens(jpeg)
    assert not offer.isVisible()
    for name, pixels, offered in (
        ("deep.png", np.full((64, 64), 3000, np.uint16), False),
        ("plain.tif", np.full((64, 64), 30, np.uint8), True),
        # The name of a Perseverance product tells that it was compressed without loss.
        ("NLF_0766_0734943000_000RAD_N0370000NCAM00709_01_0LLJ01.png", np.full((64, 64), 30, np.uint8), False),
    ):
        Image.fromarray(pixels).save(tmp_path / name)
        user.opens(tmp_path / name)
        user.wait(lambda name=name: user.case.image.path.name == name)
        assert offer.isVisible() is offered, name


def test_a_session_keeps_what_was_estimated(user: User, decoded: Path, tmp_path: Path) -> None:
    bench, folder = user.bench, tmp_path / "estimated.marsqe"
    user.opens(decoded)
    user.does(bench.estimate)
    said = bench.open.summary.text()
    bench.save_session(folder)
    user.wait(folder.is_dir)
    decoded.unlink()
    for case in list(bench.session.cases):
        bench.viewer.layers.remove(case.source)
    assert user.case is None
    bench.open_session(folder)
    user.wait(lambda: user.case is not None and len(bench.session.cases) == 2)
    assert bench.open.summary.text() == said
    assert list(user.case.source.translate) == list(CUT)
    user.does(bench.enhance.action)
    assert "Held to the JPEG" in bench.enhance.summary.text()


def test_a_jpeg_that_went_meanwhile_warns_where_the_result_is(user: User, jpeg: Path, notified: list[str]) -> None:
    warning = user.bench.enhance.warning
    user.opens(jpeg)
    user.does(user.bench.enhance.action)
    assert not warning.isVisible()
    jpeg.write_bytes(sample_path("perseverance-hazcam", "compressed").read_bytes())
    user.does(user.bench.enhance.action)
    assert warning.isVisible() and "Not held to the JPEG" in warning.text()
    assert "could not be read" in warning.text()
    assert notified == [], "a warning, no error"
    user.bench.enhance.faithful.click()
    user.does(user.bench.enhance.action)
    assert not warning.isVisible()
    assert "by choice" in user.bench.enhance.summary.text()


def test_the_name_of_a_product_comes_along(user: User, decoded: Path, tmp_path: Path) -> None:
    name = "FLF_0766_0734943000_000ECM_N0370000FHAZ00709_01_060J01.png"
    decoded.rename(tmp_path / name)
    user.opens(tmp_path / name)
    assert "unless its tables are estimated" in user.bench.open.summary.text()
    user.does(user.bench.estimate)
    assert user.case.image.product == marsqe.open_image(tmp_path / name).product
    assert "Caution" not in user.bench.open.summary.text()


def test_a_weak_fit_is_told(truth: NDArray[np.uint8]) -> None:
    told = {"quality": 94, "corner": [0, 0], "subsampling": [2, 2], "support": -4.0, "cut": [0, 0], "of": [160, 200]}
    weak = marsqe.MarsImage.from_array(truth, metadata={"estimated": told})
    sound = marsqe.MarsImage.from_array(truth, metadata={"estimated": told | {"support": 30.0}})
    assert "with caution" in describe_image(weak, None)
    assert "with caution" not in describe_image(sound, None)
