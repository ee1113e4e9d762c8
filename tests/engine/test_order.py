"""What somebody looks at comes first and is shown meanwhile; the result is the same in any order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scenes import enhanced, equal_within, ground, jpeg_bytes, orientation_exif, patchwork, scene, texture

import marsqe
from marsqe.enhancement import networks
from marsqe.enhancement.pipeline import enhance_steps
from marsqe.enhancement.windows import distance, windows
from marsqe.errors import DeviceMemoryError, SettingError
from marsqe.image import MarsImage
from marsqe.results import Enhancement, Part, Region
from marsqe.segmentation import run as segmentation

SWIFT, LITE, FULL = "marsqe-swift", "marsqe-lite", "marsqe"


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of at most 64 x 64 pixels, so that a small image has many."""
    from marsqe.enhancement import pipeline

    monkeypatch.setattr(networks, "CORE", 64)
    monkeypatch.setattr(pipeline, "CORE", 64)


def watch(image: MarsImage, model: str, **settings: Any) -> tuple[Enhancement, list[Part]]:
    """The result, and the parts in the order in which they were shown."""
    shown: list[Part] = []
    steps = enhance_steps(image, model, "cpu", terrain=patchwork(image.shape), **settings)
    while True:
        try:
            shown += next(steps).parts
        except StopIteration as stop:
            return stop.value, shown


def laid_out(parts: list[Part], image: MarsImage) -> NDArray[Any]:
    out = image.pixels.copy()
    for part in parts:
        r = part.region
        assert part.pixels.dtype == out.dtype
        out[r.y : r.y + r.height, r.x : r.x + r.width] = part.pixels
    return out


def meets(a: Region, b: Region) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


@pytest.mark.parametrize("model", [SWIFT, LITE, FULL])
@pytest.mark.parametrize("first", [Region(260, 130, 20, 20), Region(0, 150, 3, 1), Region(100, 60, 60, 80)])
def test_what_is_looked_at_comes_first_and_changes_no_byte(
    tiny: Any, small_windows: None, model: str, first: Region
) -> None:
    image = scene(160, 300)
    plain, usual = watch(image, model, batch=2)
    result, parts = watch(image, model, batch=2, first=first)
    assert result.pixels.tobytes() == plain.pixels.tobytes()
    assert result.provenance == plain.provenance, "the order is no setting of the result"
    touched = [meets(part.region, first) for part in parts]
    together = 1 if model == SWIFT else 2  # tiles of one batch
    last, begun = max(i for i, t in enumerate(touched) if t), touched.index(True)
    assert begun < together
    assert last < together * max(1, sum(touched))
    assert sorted(str(p.region) for p in parts) == sorted(str(p.region) for p in usual)


@pytest.mark.parametrize("model", [SWIFT, LITE])
@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("faithful", [True, False])
def test_parts_cover_the_image_and_are_what_comes_out(
    tiny: Any, small_windows: None, model: str, colour: bool, faithful: bool
) -> None:
    image = scene(150, 211, colour=colour)
    result, parts = watch(image, model, faithful=faithful)
    assert sum(part.pixels[..., :1].size if colour else part.pixels.size for part in parts) == 150 * 211
    shown = laid_out(parts, image)
    assert equal_within(shown, result.pixels)
    assert (shown != result.pixels).mean() < 1e-3
    assert (shown != image.pixels).any()


@pytest.mark.parametrize("options", [{"subsampling": "4:1:1"}, {"subsampling": 0}, {"subsampling": 1}])
def test_parts_of_any_subsampling(tiny: Any, small_windows: None, tmp_path: Path, options: dict[str, Any]) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg_bytes(texture(150, 211), 40, **options))
    image = marsqe.open_image(file)
    result, parts = watch(image, SWIFT)
    wrong = laid_out(parts, image) != result.pixels
    # Blocks of 4:1:1 are wider than the grid of windows: a part is a foretaste there.
    assert wrong.mean() < (0.2 if options["subsampling"] == "4:1:1" else 1e-3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_parts_of_a_turned_file_lie_where_they_are_seen(
    tiny: Any, small_windows: None, tmp_path: Path, orientation: int
) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(jpeg_bytes(texture(100, 200), 40, exif=orientation_exif(orientation)))
    image = marsqe.open_image(file)
    first = Region(0, 0, 5, 5)
    result, parts = watch(image, SWIFT, first=first)
    assert meets(parts[0].region, first)
    assert equal_within(laid_out(parts, image), result.pixels)


@pytest.mark.parametrize("model", [SWIFT, LITE, FULL])
def test_parts_of_a_region_stay_inside(tiny: Any, small_windows: None, model: str) -> None:
    image, region = scene(150, 290), Region(119, 21, 33, 118)
    result, parts = watch(image, model, region=region)
    shown = laid_out(parts, image)
    outside = np.ones(image.shape, bool)
    outside[21:139, 119:152] = False
    np.testing.assert_array_equal(shown[outside], image.pixels[outside])
    assert sum(part.region.width * part.region.height for part in parts) == 33 * 118
    if model != FULL:
        assert equal_within(shown, result.pixels)


def test_distance_orders_by_gap_then_by_middle() -> None:
    first = Region(100, 100, 50, 50)
    over, beside, further = Region(0, 0, 101, 101), Region(150, 100, 10, 10), Region(300, 0, 10, 10)
    assert distance(first, first) == (0, 0)
    assert distance(first, over)[0] == 0
    assert distance(first, beside)[0] > 0
    assert sorted((further, beside, over, first), key=lambda place: distance(first, place)) == [
        first,
        over,
        beside,
        further,
    ]


def test_looking_beside_the_image_is_refused(tiny: Any) -> None:
    with pytest.raises(SettingError, match="90 x 70"):
        next(enhance_steps(scene(), SWIFT, "cpu", first=Region(80, 0, 11, 5)))


def test_float32_never_computes_in_16_bits(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    network: Any = networks.loaded(SWIFT, "cpu")
    forward, half = network.forward, []

    def noting(*planes: Any) -> Any:
        half.append(torch.is_autocast_enabled("cpu"))
        return forward(*planes)

    monkeypatch.setattr(network, "forward", noting)
    for precision, recorded in (("auto", "bfloat16"), ("float32", "float32")):
        result = enhanced(scene(), precision=precision)
        assert result.provenance["settings"]["precision"] == recorded
    assert half == [True, False]
    with pytest.raises(SettingError, match="auto, float32"):
        enhanced(scene(), precision="int8")


def test_terrain_without_memory_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: Any) -> Any:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(segmentation, "terrain_network", no_room)
    with pytest.raises(DeviceMemoryError, match="choose the CPU"):
        marsqe.segment(scene(), "cpu")


def test_the_first_progress_names_the_whole_work(tiny: Any, small_windows: None) -> None:
    image = scene(100, 130)
    seen = [p for p in enhance_steps(image, SWIFT, "cpu", terrain=ground(image)) if p.step == networks.STEP]
    count = len(windows(image.shape, core=64))
    assert count > 3
    assert [(p.done, p.total, len(p.parts)) for p in seen] == [(i, count, int(i > 0)) for i in range(count + 1)]
