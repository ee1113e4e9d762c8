"""How an enhancement runs: progress, cancelling, devices, memory, wrong wishes, and what is recorded."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scenes import (
    Spy,
    bundle_tiny,
    enhanced,
    equal_within,
    ground,
    jpeg_bytes,
    patchwork,
    scene,
    texture,
)
from torch import nn

import marsqe
from marsqe import devices
from marsqe.devices import half_precision, resolve_device
from marsqe.enhancement import networks, pipeline
from marsqe.enhancement.networks import with_retry
from marsqe.enhancement.pipeline import enhance, enhance_steps
from marsqe.errors import DeviceError, SettingError, WeightsError
from marsqe.image import MarsImage
from marsqe.progress import Progress, Steps, run
from marsqe.results import Region
from marsqe.terrain import Terrain

CPU = torch.device("cpu")


SWIFT, REF, LITE, FULL = "marsqe-swift", "marsqe-swift-ref", "marsqe-lite", "marsqe"


def test_nothing_of_the_caller_is_changed(spy: Spy) -> None:
    image = scene()
    terrain = patchwork(image.shape)
    before, labels = image.pixels.copy(), terrain.labels.copy()
    result = enhanced(image, terrain=terrain)
    result.pixels[:] = 0
    np.testing.assert_array_equal(image.pixels, before)
    np.testing.assert_array_equal(terrain.labels, labels)


@pytest.mark.parametrize("model", [SWIFT, REF, LITE, FULL])
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
        self.most, self.sizes = most, [0]

    def forward(self, pixels: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        self.sizes.append(pixels.shape[2] * pixels.shape[3])
        if self.sizes[-1] > self.most:
            raise torch.OutOfMemoryError("no room")
        return pixels


def test_windows_shrink_when_the_device_runs_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Greedy(20_000)
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: network)
    image = MarsImage.from_array(texture(20, 1000))
    np.testing.assert_array_equal(enhanced(image).pixels, image.pixels)
    assert network.sizes[1] > 20_000 >= max(network.sizes[-2:])
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
