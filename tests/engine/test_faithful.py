"""Faithful mode: an enhanced image stays among those that the received JPEG allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import ground, jpeg_bytes, texture, truth_crop
from scipy.fft import dctn

import marsqe
from marsqe.codecs.coefficients import Coefficients, coefficients_from_bytes
from marsqe.enhancement import pipeline
from marsqe.enhancement.faithful import (
    BY_CHOICE,
    CELL,
    NO_TABLES,
    OTHER_COMPONENTS,
    UNREADABLE,
    coefficients_of,
    project,
    project_plane,
)
from marsqe.image import MarsImage
from marsqe.judgement import psnr
from marsqe.read import decode_image

LUMA = np.array([0.299, 0.587, 0.114])
CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def whole_blocks(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """DCT of the 8x8 blocks that lie whole inside a plane, written plainly."""
    rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
    out = np.zeros((rows, columns, 8, 8))
    for r, c in np.ndindex(rows, columns):
        out[r, c] = dctn(plane[8 * r : 8 * r + 8, 8 * c : 8 * c + 8], norm="ortho")
    return out


def distance(plane: NDArray[np.float64], received: NDArray[np.int16], table: NDArray[np.int64]) -> float:
    """Largest distance of a coefficient from the received one, in steps."""
    found = whole_blocks(plane)
    return float(np.abs(found / table - received[: found.shape[0], : found.shape[1]]).max())


def wrecked(pixels: NDArray[np.uint8], by: float = 25) -> NDArray[np.float64]:
    return pixels + np.random.default_rng(0).normal(0, by, pixels.shape)


@pytest.mark.parametrize("shape", [(64, 80), (61, 83), (8, 8), (17, 30), (9, 100)])
@pytest.mark.parametrize(("subsampling", "ratios"), [(0, (1, 1)), (1, (2, 1)), (2, (2, 2))])
def test_every_luma_coefficient_ends_within_its_cell(
    shape: tuple[int, int], subsampling: int, ratios: tuple[int, int]
) -> None:
    pixels = texture(*shape)
    data = jpeg_bytes(pixels, 40, subsampling=subsampling)
    coefficients = coefficients_from_bytes(data)
    before = wrecked(pixels)
    after = project(before, coefficients, ratios)
    assert after.shape == before.shape
    assert distance(before @ LUMA - 128, coefficients.components[0], coefficients.tables[0]) > 0.6
    assert distance(after @ LUMA - 128, coefficients.components[0], coefficients.tables[0]) <= CELL + 1e-6


def test_every_chroma_coefficient_ends_within_its_cell_where_none_is_left_out() -> None:
    pixels = texture(48, 64, seed=2)
    coefficients = coefficients_from_bytes(jpeg_bytes(pixels, 40, subsampling=0))
    before = wrecked(pixels)
    after = project(before, coefficients)
    for channel, weights in enumerate(CHROMA, start=1):
        received, table = coefficients.components[channel], coefficients.tables[channel]
        assert distance(before @ weights, received, table) > 0.6
        assert distance(after @ weights, received, table) <= CELL + 1e-4


@pytest.mark.parametrize(("subsampling", "ratios"), [(1, (2, 1)), (2, (2, 2))])
def test_subsampled_chroma_ends_within_its_cell_and_keeps_finer_detail(
    subsampling: int, ratios: tuple[int, int]
) -> None:
    pixels = texture(64, 64, seed=2)
    coefficients = coefficients_from_bytes(jpeg_bytes(pixels, 40, subsampling=subsampling))
    before = wrecked(pixels)
    after = project(before, coefficients, ratios)
    horizontal, vertical = ratios
    for channel, weights in enumerate(CHROMA, start=1):
        fine = after @ weights
        low = fine.reshape(64 // vertical, vertical, 64 // horizontal, horizontal).mean(axis=(1, 3))
        assert distance(low, coefficients.components[channel], coefficients.tables[channel]) <= CELL + 1e-4
        moved = fine - before @ weights
        blocks = moved.reshape(64 // vertical, vertical, 64 // horizontal, horizontal)
        assert np.ptp(blocks, axis=(1, 3)).max() < 1e-6, "all pixels under one sample move together"


def test_gray_is_projected_and_a_narrow_cell_is_the_jpeg_itself() -> None:
    pixels = texture(40, 56, colour=False)
    data = jpeg_bytes(pixels, 30)
    coefficients = coefficients_from_bytes(data)
    after = project(wrecked(pixels), coefficients)
    assert distance(after - 128, coefficients.components[0], coefficients.tables[0]) <= CELL + 1e-9
    nearest = project(wrecked(pixels), coefficients, cell=0)
    assert np.abs(np.clip(nearest, 0, 255) - decode_image(data).pixels).max() < 1.5


@pytest.mark.parametrize(("subsampling", "ratios"), [(0, (1, 1)), (1, (2, 1)), (2, (2, 2))])
@pytest.mark.parametrize("colour", [True, False])
def test_projecting_twice_is_projecting_once(subsampling: int, ratios: tuple[int, int], colour: bool) -> None:
    pixels = texture(64, 96, colour=colour)
    coefficients = coefficients_from_bytes(jpeg_bytes(pixels, 25, subsampling=subsampling))
    once = project(wrecked(pixels), coefficients, ratios)
    np.testing.assert_allclose(project(once, coefficients, ratios), once, atol=1e-3)


def test_cell_is_no_wider_than_what_the_file_says() -> None:
    assert 0 < CELL <= 0.5


@pytest.mark.parametrize("shape", [(64, 96), (61, 83)])
@pytest.mark.parametrize("colour", [True, False])
def test_an_image_that_the_file_allows_stays(shape: tuple[int, int], colour: bool) -> None:
    """The truth lies in its own JPEG's cells: all but what the encoder's whole numbers cost is left alone."""
    truth = texture(*shape, colour=colour)
    coefficients = coefficients_from_bytes(jpeg_bytes(truth, 10, subsampling=0))
    moved = np.abs(project(truth.astype(np.float64), coefficients, cell=0.5) - truth)
    assert moved.max() < 1
    assert moved.mean() < 0.05


def test_plane_by_hand() -> None:
    """One block, one coefficient: DC received as 3 steps of 16, so 48/8 = 6 on average; the cell reaches to 5 and 7."""
    received = np.zeros((1, 1, 8, 8), np.int16)
    received[0, 0, 0, 0] = 3
    table = np.full((8, 8), 16)
    assert project_plane(np.full((8, 8), 100.0), received, table, 0.5) == pytest.approx(np.full((8, 8), 7.0))
    assert project_plane(np.full((8, 8), -9.0), received, table, 0.5) == pytest.approx(np.full((8, 8), 5.0))
    assert project_plane(np.full((8, 8), 6.3), received, table, 0.5) == pytest.approx(np.full((8, 8), 6.3))
    assert project_plane(np.full((8, 8), 100.0), received, table, 0.25) == pytest.approx(np.full((8, 8), 6.5))


@pytest.mark.parametrize("name", ["perseverance-hazcam", "curiosity-navcam"])
def test_a_wrecked_image_is_mended(name: str) -> None:
    truth = truth_crop(96, 120, name)
    data = jpeg_bytes(truth, 50)
    bad = truth * 0.8 + 10
    mended = project(bad, coefficients_from_bytes(data), (2, 2))

    def quality(values: NDArray[np.float64]) -> float:
        return psnr(np.rint(np.clip(values, 0, 255)).astype(np.uint8), truth)

    assert quality(mended) > quality(bad) + 2


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: lambda pixels, condition: pixels * 0.8)


def enhanced(image: MarsImage, **options: Any) -> marsqe.Enhancement:
    return marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image), **options)


def settings(result: marsqe.Enhancement) -> tuple[bool, float | None]:
    found = result.provenance["settings"]
    return found["faithful"], found["cell"]


def test_result_of_the_pipeline_is_projected(identity: None, tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg_bytes(texture(40, 48, colour=False), 40))
    image = marsqe.open_image(file)
    result = enhanced(image)
    assert settings(result) == (True, CELL)
    coefficients = coefficients_of(image)
    assert coefficients is not None
    found = whole_blocks(result.pixels - 128.0) / coefficients.tables[0] - coefficients.components[0]
    # Rounding to whole DN moves a coefficient by at most 4 DN in an 8x8 block, mostly far less.
    assert (np.abs(found) * coefficients.tables[0] <= CELL * coefficients.tables[0] + 4).all()
    free = enhanced(image, faithful=False)
    assert settings(free) == (False, None)
    assert np.abs(free.pixels.astype(int) - result.pixels).max() > 5


@pytest.mark.parametrize("how", ["changed", "gone", "folder"])
def test_file_that_changed_or_went_is_no_witness(identity: None, tmp_path: Path, how: str) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg_bytes(texture(40, 48), 40))
    image = marsqe.open_image(file)
    file.unlink()
    if how == "changed":
        file.write_bytes(jpeg_bytes(texture(40, 48, seed=9), 40))
    elif how == "folder":
        file.mkdir()
    result = enhanced(image)
    assert settings(result) == (False, None)
    assert result.provenance["settings"]["not_held"] == UNREADABLE
    free = enhanced(image, faithful=False)
    assert free.provenance["settings"]["not_held"] == BY_CHOICE
    np.testing.assert_array_equal(result.pixels, free.pixels)


def test_file_that_may_no_longer_be_read_is_no_witness(
    identity: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg_bytes(texture(40, 48), 40))
    image = marsqe.open_image(file)

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert settings(enhanced(image)) == (False, None)


def test_pixels_cut_from_a_file_are_not_held_against_it(identity: None, tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg_bytes(texture(40, 48), 40))
    image = marsqe.open_image(file)
    part = image.with_pixels(np.ascontiguousarray(image.pixels[:20, :30]))
    assert settings(enhanced(part)) == (False, None)
    assert settings(enhanced(image.with_pixels(np.ascontiguousarray(image.pixels[..., 0])))) == (False, None)


@pytest.mark.parametrize("kind", ["PNG", "array", "RGB"])
def test_without_luma_and_chroma_there_is_nothing_to_keep(identity: None, kind: str) -> None:
    pixels = texture(40, 48)
    image = MarsImage.from_array(pixels)
    if kind == "RGB":
        image = decode_image(jpeg_bytes(pixels, 40, keep_rgb=True))
        image.metadata["encoded"] = jpeg_bytes(pixels, 40, keep_rgb=True)
    assert coefficients_of(image) is None
    result = enhanced(image)
    assert settings(result) == (False, None)
    assert result.provenance["settings"]["not_held"] == (OTHER_COMPONENTS if kind == "RGB" else NO_TABLES)


def test_simulated_downlink_carries_its_own_file(identity: None) -> None:
    image = marsqe.simulate_downlink(texture(33, 47), 40, "4:2:2")
    found = coefficients_of(image)
    assert isinstance(found, Coefficients)
    assert settings(enhanced(image)) == (True, CELL)
