"""Presets, their weights and how one is chosen."""

from __future__ import annotations

import hashlib
import importlib
import json
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from marsqe import weights
from marsqe.errors import SettingError, WeightsError
from marsqe.networks import registry
from marsqe.networks.cost import count_macs, count_parameters
from marsqe.networks.listing import list_models
from marsqe.networks.swift import MarsQESwift, SwiftConfig
from marsqe.networks.tiling import TileRule

SMALL: dict[str, Any] = {"widths": [4, 6, 8], "encoder": [1, 1], "middle": 1, "decoder": [1, 1], "unshuffle": 2}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the folder of bundled weights; empty."""
    monkeypatch.setattr(weights, "_folder", lambda: tmp_path)
    return tmp_path


def bundle(folder: Path, name: str = "marsqe-swift", gain: float = 1.0, **fields: Any) -> MarsQESwift:
    network = MarsQESwift(SwiftConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in SMALL.items()}))
    path = folder / f"{name}.safetensors"
    save_file(network.state_dict(), path)
    card = {
        "name": name,
        "kind": "enhancement",
        "config": SMALL,
        "parameters": count_parameters(network),
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "validation": {"val/a": {"30": {"mean": gain, "worst": 0.1}}},
    }
    (folder / f"{name}.json").write_text(json.dumps(card | fields))
    return network


@pytest.mark.parametrize("name", list(registry.PRESETS))
def test_costs_are_those_counted(name: str, folder: Path) -> None:
    preset = registry.find(name)
    assert preset.parameters == count_parameters(registry.build(name))
    assert preset.macs_1152x1600 == count_macs(name, cached=False)
    assert preset.macs_cached == count_macs(name, cached=True)


@pytest.mark.parametrize("name", [name for name in registry.PRESETS if weights.is_bundled(name)])
def test_bundled_weights_load_and_their_card_tells_the_cost(name: str) -> None:
    card = weights.read_card(name)
    assert count_parameters(registry.load(name)) == card["parameters"]
    assert count_macs(name, cached=False) == card["macs_1152x1600"]
    assert count_macs(name, cached=True) == card["macs_cached"]


def test_presets_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        registry.PRESETS["marsqe"].parameters = 1  # type: ignore[misc]


def test_listing_and_choosing_need_no_torch() -> None:
    code = (
        "import sys; from marsqe.networks import registry, listing; "
        "listing.list_models(); registry.choose('marsqe', 'cpu');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_name_is_refused_with_the_choices() -> None:
    with pytest.raises(SettingError, match=r"no model 'marsqee'.*auto, marsqe, marsqe-lite, marsqe-swift"):
        registry.choose("marsqee", "cpu")


def test_without_weights_everything_is_listed_and_loading_says_why_not(folder: Path) -> None:
    rows = list_models()
    assert [row["name"] for row in rows] == [
        "marsqe",
        "marsqe-lite",
        "marsqe-swift",
        "marsqe-swift-plus",
        "marsqe-swift-ref",
    ]
    assert not any(row["bundled"] or row["weights_sha256"] or row["validation"] for row in rows)
    with pytest.raises(WeightsError, match=r"No trained weights of 'marsqe-lite'.*marsqe models"):
        registry.load("marsqe-lite")
    with pytest.raises(WeightsError, match="No trained weights"):
        registry.choose("auto", "cpu")
    assert registry.choose("marsqe", "cpu").name == "marsqe"


def test_a_missing_resource_package_is_the_same_as_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    assert not weights.is_bundled("marsqe-swift")
    with pytest.raises(WeightsError):
        weights.read_card("marsqe-swift")


def test_bundled_network_is_built_from_its_card(folder: Path) -> None:
    trained = bundle(folder)
    loaded = registry.load("marsqe-swift")
    assert not loaded.training
    for name, value in trained.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    row = list_models()[2]
    assert row["bundled"]
    assert row["parameters"] == count_parameters(trained)
    assert row["validation"]["val/a"]["30"]["mean"] == 1.0
    assert row["weights_sha256"] == hashlib.sha256((folder / "marsqe-swift.safetensors").read_bytes()).hexdigest()


def test_replaced_weights_are_refused(folder: Path) -> None:
    bundle(folder)
    path = folder / "marsqe-swift.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"not those that its card names.*reinstall"):
        registry.load("marsqe-swift")


def test_a_file_that_is_no_safetensors_is_refused(folder: Path) -> None:
    bundle(folder, weights_sha256=hashlib.sha256(b"\x80\x04pickle").hexdigest())
    (folder / "marsqe-swift.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(WeightsError, match="cannot be read"):
        registry.load("marsqe-swift")


@pytest.mark.parametrize("text", ["{", "[]", "{}", "null"])
def test_a_damaged_card_is_refused(folder: Path, text: str) -> None:
    bundle(folder)
    (folder / "marsqe-swift.json").write_text(text)
    with pytest.raises(WeightsError, match="card of 'marsqe-swift'"):
        registry.find("marsqe-swift")


def test_weights_that_do_not_fit_their_configuration_are_refused(folder: Path) -> None:
    bundle(folder, config=SMALL | {"middle": 2})
    with pytest.raises(WeightsError, match="do not fit"):
        registry.load("marsqe-swift")


@pytest.mark.parametrize("config", [SMALL | {"colour": True}, {"main": {}}])
def test_a_configuration_of_another_version_is_refused(folder: Path, config: dict[str, Any]) -> None:
    bundle(folder, config=config)
    with pytest.raises(WeightsError, match="another version"):
        registry.build("marsqe-swift")


def test_auto_takes_the_cheapest_on_a_cpu_and_the_best_elsewhere(folder: Path) -> None:
    bundle(folder, "marsqe-swift", gain=1.0)
    bundle(folder, "marsqe-lite", gain=1.2, config=dict(registry.PRESETS["marsqe-lite"].config))
    assert registry.choose("auto", "cpu").name == "marsqe-swift"
    assert registry.choose("auto", "cuda:0").name == "marsqe-lite"
    bundle(folder, "marsqe-swift", gain=1.3)
    assert registry.choose("auto", "mps").name == "marsqe-swift"


def test_auto_waits_for_no_thousandths_of_a_decibel(folder: Path) -> None:
    bundle(folder, "marsqe-swift", gain=1.0)
    bundle(folder, "marsqe-lite", gain=1.004, config=dict(registry.PRESETS["marsqe-lite"].config))
    assert registry.choose("auto", "cuda").name == "marsqe-swift"


def test_auto_compares_gains_on_what_all_cards_report(folder: Path) -> None:
    bundle(folder, "marsqe-swift", gain=1.0)
    gains = {"val/a": {"30": {"mean": 1.1}}, "val/hard": {"30": {"mean": -3.0}}}
    bundle(folder, "marsqe-lite", validation=gains, config=dict(registry.PRESETS["marsqe-lite"].config))
    assert registry.choose("auto", "cuda").name == "marsqe-lite"


@pytest.mark.parametrize(
    "config", [SMALL, SMALL | {"views": 4}, SMALL | {"unshuffle": 4}, SMALL | {"middle": 2, "encoder": [2, 1]}]
)
def test_the_swift_halo_covers_all_that_a_pixel_depends_on(folder: Path, config: dict[str, Any]) -> None:
    bundle(folder, config=config)
    rule = registry.find("marsqe-swift").tile
    network = registry.build("marsqe-swift")
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, 0.0, 0.1)
    side = 2 * rule.halo + rule.multiple
    image = torch.rand(1, 3, side, side, requires_grad=True)
    inner = slice(rule.halo, rule.halo + rule.multiple)
    network(image, torch.zeros(1, 12))[:, :, inner, inner].sum().backward()
    assert image.grad is not None
    touched = torch.nonzero(image.grad.abs().sum(dim=(0, 1, 2))).flatten()
    # Had the field reached the border, more context might still matter.
    assert 0 < touched.min()
    assert touched.max() < side - 1


def test_presets_say_what_they_need() -> None:
    presets = registry.PRESETS
    assert [presets[n].uses_references for n in presets] == [True, True, False, False, True]
    assert [presets[n].uses_labels for n in presets] == [True, False, False, False, False]
    assert presets["marsqe-lite"].tile == TileRule(side=128, multiple=128, halo=0)
    assert presets["marsqe-swift"].tile.side is presets["marsqe-swift-ref"].tile.side is None
    assert presets["marsqe-swift-ref"].tile.multiple == 128
