"""The pipeline that a user calls: tiling, regions, frames, devices, determinism and what is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scenes import (
    Spy,
    enhanced,
    equal_within,
    jpeg_bytes,
    orientation_exif,
    patchwork,
    scene,
    texture,
    truth_crop,
)

import marsqe
from marsqe.colour import as_rgb
from marsqe.enhancement import networks
from marsqe.enhancement.networks import Job, run_windows
from marsqe.enhancement.windows import CORE, MARGIN, windows
from marsqe.image import MarsImage, to_upright
from marsqe.networks.conditioning import condition_vector
from marsqe.progress import run
from marsqe.read import decode_image
from marsqe.results import Region
from marsqe.terrain import Terrain

CPU = torch.device("cpu")


SWIFT, REF, LITE, FULL = "marsqe-swift", "marsqe-swift-ref", "marsqe-lite", "marsqe"


def test_shipped_weights_bring_a_sample_closer_to_its_truth(shipped: Any) -> None:
    for name, crop in (
        ("perseverance-hazcam", truth_crop(136, 168)),
        ("curiosity-navcam", truth_crop(136, 168, "curiosity-navcam")),
    ):
        image = marsqe.simulate_downlink(crop, 30)
        found = marsqe.judge(enhanced(image).pixels, crop, compressed=image.pixels)
        assert found.metrics["delta_psnr"] > 0.25, name


@pytest.mark.parametrize("name", ["perseverance-hazcam", "curiosity-navcam"])
def test_windows_give_what_one_pass_gives(shipped: Any, name: str) -> None:
    """With the margin that the pipeline uses, cutting into windows changes no pixel by more than one DN."""
    crop = truth_crop(200, 264, name)
    image = marsqe.simulate_downlink(crop, 30)
    condition = condition_vector(image.compression.tables, (2, 2), colour=image.is_colour)
    job = Job(as_rgb(image.pixels).astype(np.float32) / np.float32(255), condition, None, CPU)
    network = networks.loaded(SWIFT, "cpu")
    whole, parts = (run(run_windows(network, job, core)) * 255 for core in (4096, 64))
    assert len(windows(image.shape, core=64)) > 12
    assert np.abs(whole - parts).max() < 0.5
    assert np.abs(whole - job.pixels * 255).max() > 2, "the network did something"


def test_windows_cover_every_pixel_once_and_start_on_the_grid() -> None:
    for region in (None, Region(37, 90, 200, 33)):
        covered = np.zeros((301, 517), int)
        for window in windows(covered.shape, region, core=128, margin=MARGIN):
            core, frame = window.core, window.frame
            assert core.x % 16 == core.y % 16 == frame.x % 16 == frame.y % 16 == 0
            assert frame.x <= core.x
            assert frame.x + frame.width >= core.x + core.width
            assert frame.x + frame.width <= covered.shape[1]
            assert frame.y + frame.height <= covered.shape[0]
            covered[core.y : core.y + core.height, core.x : core.x + core.width] += 1
        wanted = np.s_[:, :] if region is None else np.s_[90:123, 37:237]
        assert (covered[wanted] == 1).all()
        assert covered.max() == 1


@pytest.mark.parametrize("model", [SWIFT, REF, LITE, FULL])
@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_dtype_and_shape_are_those_of_the_source(tiny: Any, model: str, colour: bool, dtype: type) -> None:
    pixels = texture(70, 150, colour=colour).astype(dtype) * (257 if dtype is np.uint16 else 1)
    image = MarsImage.from_array(pixels)
    result = enhanced(image, model, terrain=patchwork(image.shape))
    assert result.pixels.dtype == dtype
    assert result.pixels.shape == pixels.shape
    assert (result.pixels != pixels).any()
    assert result.model == model
    assert result.source is image
    if dtype is np.uint16 and model == SWIFT:
        assert (result.pixels % 257 != 0).any(), "not merely eight bits stretched"


def test_sixteen_bits_give_what_eight_give(tiny: Any) -> None:
    small = texture(60, 80)
    eight = enhanced(MarsImage.from_array(small)).pixels
    sixteen = enhanced(MarsImage.from_array(small.astype(np.uint16) * 257)).pixels
    assert np.abs(sixteen / 257 - eight).max() <= 0.51


@pytest.mark.parametrize("model", [SWIFT, REF, LITE, FULL])
def test_same_input_gives_the_same_bytes(tiny: Any, model: str) -> None:
    image = scene(140, 150)
    first = enhanced(image, model, terrain=patchwork(image.shape))
    networks.loaded.cache_clear()
    again = enhanced(image, model, terrain=patchwork(image.shape))
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.provenance == again.provenance


@pytest.mark.parametrize("model", [SWIFT, REF, LITE, FULL])
@pytest.mark.parametrize("colour", [True, False])
def test_region_is_the_whole_results_part(tiny: Any, model: str, colour: bool) -> None:
    image = scene(150, 290, colour=colour)
    terrain = patchwork(image.shape)
    whole = enhanced(image, model, terrain=terrain).pixels
    region = Region(119, 21, 33, 118)
    part = enhanced(image, model, terrain=terrain, region=region)
    inside = np.s_[21:139, 119:152]
    assert equal_within(part.pixels[inside], whole[inside])
    assert (part.pixels[inside] != image.pixels[inside]).any()
    outside = np.ones(image.shape, bool)
    outside[inside] = False
    np.testing.assert_array_equal(part.pixels[outside], image.pixels[outside])
    assert part.provenance["settings"]["region"] == [119, 21, 33, 118]
    assert part.region == region


def test_region_with_the_shipped_weights(shipped: Any) -> None:
    image = marsqe.simulate_downlink(truth_crop(240, 240), 30)
    whole = enhanced(image).pixels
    part = enhanced(image, region=Region(100, 101, 30, 20)).pixels
    assert equal_within(part[101:121, 100:130], whole[101:121, 100:130])


@pytest.mark.parametrize("shape", [(1, 1), (7, 9), (20, 1500), (129, 1), (17, 128)])
@pytest.mark.parametrize("model", [SWIFT, REF, LITE, FULL])
def test_any_size(tiny: Any, model: str, shape: tuple[int, int]) -> None:
    image = scene(*shape, quality=50)
    result = enhanced(image, model)
    assert result.pixels.shape == image.pixels.shape
    assert result.provenance["settings"]["faithful"] is True
    assert result.matches.shape == (-(-shape[0] // 128), -(-shape[1] // 128))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("model", [SWIFT, LITE])
def test_turned_jpeg_gives_the_turned_result(tiny: Any, tmp_path: Path, orientation: int, model: str) -> None:
    """EXIF orientation turns the picture, not the JPEG grid: the network and the projection see the stored frame."""
    pixels = texture(52, 140)
    plain_file, turned_file = tmp_path / "plain.jpg", tmp_path / "turned.jpg"
    plain_file.write_bytes(jpeg_bytes(pixels, 40))
    turned_file.write_bytes(jpeg_bytes(pixels, 40, exif=orientation_exif(orientation)))
    plain, turned = marsqe.open_image(plain_file), marsqe.open_image(turned_file)
    assert turned.orientation == orientation
    labels = patchwork(plain.shape).labels
    first = enhanced(plain, model, terrain=Terrain(labels))
    second = enhanced(turned, model, terrain=Terrain(to_upright(labels, orientation)))
    assert second.provenance["settings"]["faithful"] is True
    np.testing.assert_array_equal(second.pixels, to_upright(first.pixels, orientation))


@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_region_of_a_turned_jpeg_is_the_users(tiny: Any, tmp_path: Path, orientation: int) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg_bytes(texture(60, 140), 40, exif=orientation_exif(orientation)))
    image = marsqe.open_image(file)
    whole = enhanced(image).pixels
    part = enhanced(image, region=Region(8, 30, 40, 21)).pixels
    assert equal_within(part[30:51, 8:48], whole[30:51, 8:48])
    np.testing.assert_array_equal(part[:30], image.pixels[:30])
    np.testing.assert_array_equal(part[51:], image.pixels[51:])


@pytest.mark.parametrize("colour", [True, False])
def test_network_that_does_nothing_leaves_the_image(spy: Spy, colour: bool) -> None:
    image = scene(61, 83, colour=colour)
    np.testing.assert_array_equal(enhanced(image, faithful=False).pixels, image.pixels)
    sixteen = MarsImage.from_array(texture(30, 40, colour=colour).astype(np.uint16) * 211 + 7)
    np.testing.assert_array_equal(enhanced(sixteen).pixels, sixteen.pixels)


def test_network_is_told_the_tables_of_the_file(spy: Spy) -> None:
    image = scene(quality=42)
    enhanced(image)
    expected = condition_vector(image.compression.tables, (2, 2), colour=True)
    np.testing.assert_array_equal(spy.conditions[0][0], expected)
    enhanced(scene(colour=False))
    assert spy.conditions[1][0, 10:].tolist() == [0, 1], "gray, tables known"


def test_tables_that_say_nothing_of_luma_and_chroma_count_as_unknown(spy: Spy) -> None:
    nothing = condition_vector(None, colour=True)
    rgb = decode_image(jpeg_bytes(texture(40, 40), 50, keep_rgb=True))
    assert rgb.metadata["colour_transform"] == "RGB"
    result = enhanced(rgb)
    assert result.provenance["settings"]["faithful"] is False
    np.testing.assert_array_equal(result.pixels, rgb.pixels)
    enhanced(MarsImage.from_array(texture(40, 40)))
    for condition in spy.conditions:
        np.testing.assert_array_equal(condition[0], nothing)


def test_large_image_is_never_seen_whole(spy: Spy) -> None:
    image = MarsImage.from_array(np.zeros((1152, 1600), np.uint8))
    enhanced(image)
    assert len(spy.shapes) == 2
    assert all(shape[2] * shape[3] <= (CORE + 2 * MARGIN) ** 2 for shape in spy.shapes)


def test_a_small_region_costs_little(spy: Spy) -> None:
    enhanced(MarsImage.from_array(np.zeros((700, 900), np.uint8)), region=Region(501, 333, 40, 50))
    (shape,) = spy.shapes
    assert shape[2] <= 64 + 2 * MARGIN
    assert shape[3] <= 48 + 2 * MARGIN


@pytest.mark.parametrize("shape", [(1152, 1600), (960, 1280), (7, 7), (17, 5000), (2300, 1600)])
@pytest.mark.parametrize("core", [16, 128, CORE])
def test_windows_cover_an_image_once_and_are_no_larger_than_asked(shape: tuple[int, int], core: int) -> None:
    seen = np.zeros(shape, np.uint8)
    for window in windows(shape, core=core):
        r = window.core
        seen[r.y : r.y + r.height, r.x : r.x + r.width] += 1
        assert r.height * r.width <= core * core
        assert (r.x % 16, r.y % 16, window.frame.x % 16, window.frame.y % 16) == (0, 0, 0, 0)
    assert (seen == 1).all()
