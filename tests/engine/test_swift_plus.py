"""marsqe-swift-plus: four views of an image, averaged, with the weights of marsqe-swift."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scenes import TINY, bundle_tiny, enhanced, scene, texture
from torch import Tensor, nn

from marsqe import weights
from marsqe.codecs.jpeg import standard_tables
from marsqe.enhancement.networks import Job, loaded, run_windows
from marsqe.errors import WeightsError
from marsqe.networks import registry
from marsqe.networks.build import build_network
from marsqe.networks.conditioning import condition_vector
from marsqe.networks.swift import MarsQESwift
from marsqe.progress import run
from marsqe.train import bundle as bundle_module
from marsqe.train.bundle import Origin, bundle

PLUS = "marsqe-swift-plus"
CONFIG = TINY["marsqe-swift"] | {"views": 4}
TOLERANCE = 1e-5


@pytest.fixture
def network() -> MarsQESwift:
    """One that changes an image differently when it is turned."""
    torch.manual_seed(3)
    made = build_network("swift", CONFIG)
    assert isinstance(made, MarsQESwift)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.2)
    return made.eval()


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stands in for the folder of bundled weights: both cards, one file."""
    folder = tmp_path / "weights"
    bundle_tiny(folder, monkeypatch, "marsqe-swift")
    card = json.loads((folder / "marsqe-swift.json").read_text())
    (folder / f"{PLUS}.json").write_text(json.dumps(card | {"name": PLUS, "config": CONFIG}))
    yield folder
    loaded.cache_clear()


def condition(subsampling: tuple[int, int]) -> Tensor:
    return torch.from_numpy(condition_vector(standard_tables(40), subsampling))[None]


@torch.inference_mode()
def test_a_turned_image_gives_the_turned_result(network: MarsQESwift) -> None:
    image = torch.rand(1, 3, 48, 32, generator=torch.Generator().manual_seed(1))
    upright = network(image, condition((2, 1)))
    turned = network(torch.rot90(image, 1, (2, 3)), condition((1, 2)))
    assert upright.shape == image.shape
    assert torch.allclose(torch.rot90(upright, 1, (2, 3)), turned, atol=TOLERANCE)
    one = network.enhance(torch.rot90(image, 1, (2, 3)), condition((1, 2)))
    assert not torch.allclose(torch.rot90(network.enhance(image, condition((2, 1))), 1, (2, 3)), one, atol=1e-2)


@torch.inference_mode()
def test_the_result_is_the_mean_of_the_views(network: MarsQESwift) -> None:
    image = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(2))
    told = condition((2, 2))
    views = [torch.rot90(network.enhance(torch.rot90(image, k, (2, 3)), told), -k, (2, 3)) for k in range(4)]
    assert torch.allclose(network(image, told), sum(views) / torch.tensor(4.0), atol=TOLERANCE)


def test_windows_give_what_one_pass_gives(network: MarsQESwift) -> None:
    pixels = texture(200, 168).astype(np.float32) / np.float32(255)
    job = Job(pixels, condition((2, 2))[0].numpy(), None, torch.device("cpu"), precision="float32")
    whole, windowed = (run(run_windows(network, job, core)) for core in (512, 64))
    assert np.abs(whole - windowed).max() < TOLERANCE


def test_only_whole_sets_of_turns_are_views() -> None:
    with pytest.raises(WeightsError, match="1 or 4 views, not 3"):
        build_network("swift", CONFIG | {"views": 3})


def test_both_models_share_one_file(bundled: Path) -> None:
    assert weights.state_of(PLUS) == weights.state_of("marsqe-swift") == "verified"
    plus, swift = registry.load(PLUS), registry.load("marsqe-swift")
    assert all(torch.equal(value, swift.state_dict()[name]) for name, value in plus.state_dict().items())
    assert registry.choose("auto", "cpu").name == "marsqe-swift"
    path = bundled / "marsqe-swift.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(WeightsError, match=PLUS):
        registry.load(PLUS)
    path.unlink()
    assert not weights.is_bundled(PLUS)


@pytest.mark.usefixtures("bundled")
def test_an_image_is_enhanced_in_four_views() -> None:
    image = scene(64, 96)
    plus, swift = (enhanced(image, name, faithful=False) for name in (PLUS, "marsqe-swift"))
    assert plus.provenance["model"]["name"] == PLUS
    assert plus.provenance["model"]["weights_sha256"] == swift.provenance["model"]["weights_sha256"]
    assert plus.pixels.shape == image.pixels.shape
    assert (plus.pixels != swift.pixels).any()


def test_bundling_writes_the_shared_file(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = replace(registry.PRESETS[PLUS], config=CONFIG)
    monkeypatch.setattr(bundle_module, "PRESETS", {PLUS: preset})
    trained = tmp_path / "average.safetensors"
    save_file(build_network("swift", CONFIG).state_dict(), trained)
    out = tmp_path / "out"
    bundle(PLUS, trained, data, out, Origin("marsqe train", 0.0, "a core", "crops", "none"), qualities=(30,))
    assert sorted(path.name for path in out.iterdir()) == [
        f"{PLUS}.json",
        f"{PLUS}.md",
        "marsqe-swift.safetensors",
    ]
    card = json.loads((out / f"{PLUS}.json").read_text())
    assert card["config"]["views"] == 4
    assert set(load_file(out / "marsqe-swift.safetensors")) == set(build_network("swift", CONFIG).state_dict())
