"""The pipeline that a user calls: tiling, regions, frames, devices, determinism and what is recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scenes import bundle_tiny, equal_within, ground, jpeg_bytes, orientation_exif, patchwork, texture, truth_crop
from torch import nn

import marsqe
from marsqe.colour import as_rgb
from marsqe.enhancement import devices, networks, pipeline
from marsqe.enhancement.devices import half_precision, resolve_device
from marsqe.enhancement.networks import Job, run_windows, with_retry
from marsqe.enhancement.pipeline import enhance, enhance_steps
from marsqe.enhancement.windows import MARGIN, windows
from marsqe.errors import DeviceError, SettingError, WeightsError
from marsqe.image import MarsImage, to_upright
from marsqe.networks.conditioning import condition_vector
from marsqe.progress import Progress, Steps, run
from marsqe.read import decode_image
from marsqe.results import Region
from marsqe.terrain import Terrain

CPU = torch.device("cpu")
SWIFT, LITE, FULL = "marsqe-swift", "marsqe-lite", "marsqe"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """All presets with tiny random weights."""
    bundle_tiny(tmp_path / "weights", monkeypatch, SWIFT, LITE, FULL)
    yield
    networks.loaded.cache_clear()


@pytest.fixture
def shipped() -> Any:
    """The weights that come with the package."""
    networks.loaded.cache_clear()
    yield
    networks.loaded.cache_clear()


def scene(height: int = 70, width: int = 90, *, colour: bool = True, quality: int = 30, seed: int = 0) -> MarsImage:
    return marsqe.simulate_downlink(texture(height, width, colour=colour, seed=seed), quality)


def enhanced(image: MarsImage, model: str = SWIFT, **options: Any) -> marsqe.Enhancement:
    return enhance(image, model, "cpu", terrain=options.pop("terrain", ground(image)), **options)


def test_shipped_weights_bring_a_sample_closer_to_its_truth(shipped: Any) -> None:
    for name, crop in (
        ("perseverance-hazcam", truth_crop(136, 168)),
        ("curiosity-navcam", truth_crop(136, 168, "curiosity-navcam")),
    ):
        image = marsqe.simulate_downlink(crop, 30)
        found = marsqe.judge(enhanced(image).pixels, crop, compressed=image.pixels)
        assert found.metrics["delta_psnr"] > 0.5, name


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


@pytest.mark.parametrize("model", [SWIFT, LITE, FULL])
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


@pytest.mark.parametrize("model", [SWIFT, LITE, FULL])
def test_same_input_gives_the_same_bytes(tiny: Any, model: str) -> None:
    image = scene(140, 150)
    first = enhanced(image, model, terrain=patchwork(image.shape))
    networks.loaded.cache_clear()
    again = enhanced(image, model, terrain=patchwork(image.shape))
    assert first.pixels.tobytes() == again.pixels.tobytes()
    assert first.provenance == again.provenance


@pytest.mark.parametrize("model", [SWIFT, LITE, FULL])
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
@pytest.mark.parametrize("model", [SWIFT, LITE, FULL])
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


class Spy(nn.Module):
    """Gives the input back and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.conditions: list[NDArray[np.float32]] = []
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, pixels: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        assert torch.is_inference_mode_enabled()
        assert pixels.shape[2] % 16 == pixels.shape[3] % 16 == 0
        assert 0 <= float(pixels.min()) <= float(pixels.max()) <= 1
        self.conditions.append(condition.numpy().copy())
        self.shapes.append(tuple(pixels.shape))
        return pixels


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    network = Spy()
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: network)
    return network


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
    image = MarsImage.from_array(np.zeros((16, 3000, 3), np.uint8))
    enhanced(image)
    assert len(spy.shapes) == 4
    assert max(shape[3] for shape in spy.shapes) <= 768 + 2 * MARGIN


def test_nothing_of_the_caller_is_changed(spy: Spy) -> None:
    image = scene()
    terrain = patchwork(image.shape)
    before, labels = image.pixels.copy(), terrain.labels.copy()
    result = enhanced(image, terrain=terrain)
    result.pixels[:] = 0
    np.testing.assert_array_equal(image.pixels, before)
    np.testing.assert_array_equal(terrain.labels, labels)


@pytest.mark.parametrize("model", [SWIFT, LITE, FULL])
def test_leaving_the_generator_stops_and_leaves_no_trace(tiny: Any, model: str) -> None:
    """Between two steps torch is as the caller left it: neither inference mode nor autocast outlives a step."""
    image = scene(140, 300)
    steps = enhance_steps(image, model, "cpu", terrain=ground(image), batch=1)
    for progress in steps:
        assert not torch.is_inference_mode_enabled()
        assert not torch.is_autocast_enabled("cpu")
        if progress.step == networks.STEP:
            break
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)
    assert not torch.is_inference_mode_enabled()


def test_progress_counts_up_in_every_step(tiny: Any) -> None:
    image = scene(140, 300)
    seen: dict[str, list[Progress]] = {}
    steps = enhance_steps(image, LITE, "cpu", terrain=ground(image), batch=2)
    for progress in steps:
        seen.setdefault(progress.step, []).append(progress)
    assert networks.STEP in seen
    for reports in seen.values():
        assert [p.done for p in reports] == sorted({p.done for p in reports})
        assert all(0 <= p.done <= p.total for p in reports)
    assert [p.total for p in seen[networks.STEP]] == [3] * 4, "six tiles, two at a time"


def test_matches_given_are_used(tiny: Any) -> None:
    image = scene(128, 140)
    terrain = ground(image)
    matches = marsqe.match(image, terrain)
    same = enhanced(image, LITE, terrain=terrain, matches=matches)
    assert same.matches is matches
    np.testing.assert_array_equal(same.pixels, enhanced(image, LITE, terrain=terrain).pixels)
    other = replace(matches, references=(matches.references + 1) % 6)
    assert (enhanced(image, LITE, terrain=terrain, matches=other).pixels != same.pixels).any()


@pytest.mark.parametrize(
    "region",
    [Region(-1, 0, 5, 5), Region(0, 0, 0, 5), Region(0, 0, 5, -1), Region(86, 0, 5, 5), Region(0, 66, 5, 5)],
)
def test_region_outside_is_refused(spy: Spy, region: Region) -> None:
    image = scene(70, 90)
    with pytest.raises(SettingError, match="90 x 70"):
        enhanced(image, region=region)
    assert not spy.shapes


def test_region_of_numpy_numbers_can_be_recorded(spy: Spy) -> None:
    region = Region(*np.array([1, 2, 30, 40]))
    json.dumps(enhanced(scene(), region=region).provenance)


def test_wrong_wishes_are_refused_before_any_work(tiny: Any) -> None:
    image = scene()
    with pytest.raises(SettingError, match="marsqe-lite"):
        enhance(image, "marsqe-heavy", "cpu")
    with pytest.raises(SettingError, match="auto, cpu, cuda, mps"):
        enhance(image, SWIFT, "tpu")
    with pytest.raises(SettingError, match="batch"):
        enhanced(image, batch=0)
    with pytest.raises(SettingError, match="differ in size"):
        enhanced(image, terrain=Terrain(np.ones((90, 70), np.uint8)))
    other = scene(140, 140)
    with pytest.raises(SettingError, match="match it again"):
        enhanced(image, matches=marsqe.match(other, ground(other)))


def test_model_without_weights_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: Any
) -> None:
    bundle_tiny(tmp_path / "weights", monkeypatch, SWIFT)
    steps = enhance_steps(scene(), FULL, "cpu")
    with pytest.raises(WeightsError, match="marsqe models"):
        for progress in steps:
            assert "Loading" in progress.step


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_absent_device_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=name.upper()):
        resolve_device(name)
    assert resolve_device("auto").type == "cpu"


def test_auto_prefers_what_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"
    assert resolve_device("cpu").type == "cpu"


def test_half_precision_is_used_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def capabilities(**able: bool) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)

    capabilities(avx512_bf16=True)
    assert half_precision(CPU) is torch.bfloat16
    capabilities(avx512_bf16=False, amx_bf16=False)
    assert half_precision(CPU) is None
    with devices.autocast(CPU):
        assert not torch.is_autocast_enabled("cpu")
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert half_precision(CPU) is None, "an older torch that cannot tell"


def test_out_of_memory_is_tried_again_with_half(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def start(batch: int) -> Steps[NDArray[np.float32]]:
        tried.append(batch)
        yield Progress("x", 0, 1)
        if batch > 2:
            raise torch.OutOfMemoryError("no room")
        return np.zeros(batch, np.float32)

    assert run(with_retry(start, 8)).shape == (2,)
    assert tried == [8, 4, 2]

    def never(batch: int) -> Steps[NDArray[np.float32]]:
        yield Progress("x", 0, 1)
        raise torch.OutOfMemoryError("no room")

    with pytest.raises(DeviceError, match="choose the CPU"):
        run(with_retry(never, 8))


class Greedy(nn.Module):
    """Fits only small inputs."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.widths = most, [0]

    def forward(self, pixels: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        self.widths.append(pixels.shape[3])
        if pixels.shape[3] > self.most:
            raise torch.OutOfMemoryError("no room")
        return pixels


def test_windows_shrink_when_the_device_runs_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Greedy(400)
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: network)
    image = MarsImage.from_array(texture(20, 1000))
    np.testing.assert_array_equal(enhanced(image).pixels, image.pixels)
    assert network.widths[1] > 400 >= max(network.widths[-4:])
    network.most = 10
    with pytest.raises(DeviceError, match="out of memory"):
        enhanced(image)


def test_tile_batch_is_halved_and_gives_the_same(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    image = scene(140, 300)
    expected = enhanced(image, LITE).pixels
    network: Any = networks.loaded(LITE, "cpu")
    forward, sizes = network.forward, []

    def tight(tiles: torch.Tensor, *others: Any) -> Any:
        sizes.append(len(tiles))
        if len(tiles) > 2:
            raise torch.OutOfMemoryError("no room")
        return forward(tiles, *others)

    monkeypatch.setattr(network, "forward", tight)
    assert equal_within(enhanced(image, LITE).pixels, expected)
    assert sizes[0] == 6
    assert set(sizes[2:]) == {2}


def test_provenance_says_what_made_the_result(tiny: Any, tmp_path: Path) -> None:
    file = tmp_path / "frame.jpg"
    file.write_bytes(jpeg_bytes(texture(40, 50), 44))
    image = marsqe.open_image(file)
    record = json.loads(json.dumps(enhanced(image).provenance))
    assert record["source"]["sha256"] == image.sha256
    assert record["source"]["name"] == "frame.jpg"
    card = json.loads((tmp_path / "weights" / "marsqe-swift.json").read_text())
    assert record["model"] == {"name": SWIFT, "weights_sha256": card["weights_sha256"]}
    assert record["settings"]["device"] == "cpu"
    assert record["settings"]["region"] is None
    assert record["settings"]["faithful"] is True
    assert record["terrain"]["source"] == "given"
    assert record["enhanced"] is True
    assert record["versions"]["torch"] == torch.__version__
    assert str(tmp_path) not in json.dumps(record), "folders are private"
    other = enhanced(image, terrain=ground(image, 4)).provenance
    assert other["terrain"]["sha256"] != record["terrain"]["sha256"]


def test_auto_takes_the_cheapest_bundled_model_on_a_cpu(tiny: Any) -> None:
    image = scene()
    assert enhance(image, device="cpu", terrain=ground(image)).model == SWIFT


def test_terrain_is_recognised_where_none_is_given(spy: Spy, monkeypatch: pytest.MonkeyPatch) -> None:
    image = scene()
    asked: list[MarsImage] = []

    def steps(what: MarsImage, device: str = "auto") -> Steps[Terrain]:
        asked.append(what)
        yield Progress("Recognising terrain", 0, 1)
        return ground(what, 2)

    monkeypatch.setattr(pipeline, "segment_steps", steps)
    result = enhance(image, SWIFT, "cpu")
    assert asked == [image] or asked[0] is image
    assert set(np.unique(result.matches.classes)) == {2}
