"""Systems: what each needs, and that weights from a file run as bundled ones do."""

from __future__ import annotations

import hashlib
import json
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scenes import TINY, enhanced, ground, patchwork, scene

import marsqe.weights
from marsqe.errors import ReadError, SettingError, WeightsError
from marsqe.networks.rivals import RIVALS
from marsqe.reproduce.apply import apply, network_of, smoothed
from marsqe.reproduce.systems import ANCHOR, JPEGQS, resolve
from marsqe.terrain import CLASSES


@pytest.fixture
def weights(tiny: Any, tmp_path: Path) -> dict[str, Path]:
    """The tiny weights as files, each with its card."""
    return {name: tmp_path / "weights" / f"{name}.safetensors" for name in TINY}


def test_everything_is_listed_and_what_lacks_weights_says_so() -> None:
    found = {s.name: s for s in resolve((), {})}
    assert next(iter(found)) == ANCHOR
    assert {*RIVALS, JPEGQS, "marsqe", "marsqe-lite", "marsqe-swift"} < set(found)
    assert "no weights" in (found["arcnn"].reason or "")
    assert found["marsqe-swift"].reason is None
    assert found["marsqe-swift"].projected
    assert not found["arcnn"].projected
    assert found["dcad"].parameters == RIVALS["dcad"].parameters


def test_systems_with_references_come_once_for_every_class(weights: dict[str, Path]) -> None:
    found = {s.name: s for s in resolve((), {"marsqe-lite": weights["marsqe-lite"]})}
    for name in CLASSES:
        assert found[f"marsqe-lite@{name}"].only == name
    assert found["marsqe-lite"].weights_sha256 == hashlib.sha256(weights["marsqe-lite"].read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["nobody", "marsqe:blue", "marsqe-lite@mud", "marsqe-swift@rock", "arcnn@rock"])
def test_impossible_systems_are_refused(name: str) -> None:
    with pytest.raises(SettingError):
        resolve((name,), {})


def test_weights_must_be_for_a_system_and_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="nobody"):
        resolve((), {"nobody": tmp_path / "a"})
    with pytest.raises(WeightsError, match="no file"):
        resolve((), {"arcnn": tmp_path / "a"})


@pytest.mark.parametrize("name", list(TINY))
@pytest.mark.parametrize("colour", [True, False])
def test_a_file_gives_the_pixels_of_the_product(
    weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch, name: str, colour: bool
) -> None:
    image = scene(140, 150, colour=colour)
    terrain = patchwork(image.shape)
    (_, bundled) = resolve((name,), {})
    expected = apply(bundled, image, terrain)
    np.testing.assert_array_equal(expected, enhanced(image, name, terrain=terrain).pixels)
    (_, system) = resolve((name,), {name: weights[name]})
    monkeypatch.setattr(marsqe.weights, "_folder", lambda: None)
    np.testing.assert_array_equal(apply(system, image, terrain), expected)
    (_, alone) = resolve((f"{name}:alone",), {name: weights[name]})
    assert (apply(alone, image, terrain) != expected).any()


def test_references_of_one_class_change_the_result(weights: dict[str, Path]) -> None:
    image = scene(140, 150)
    terrain = ground(image, label=4)
    whole, rock, sky = (
        apply(s, image, terrain) for s in resolve(("marsqe-lite", "marsqe-lite@rock", "marsqe-lite@sky"), weights)[1:]
    )
    np.testing.assert_array_equal(whole, rock)
    assert (whole != sky).any()


def test_references_can_be_random_or_left_out(weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    image = scene(140, 290)
    names = tuple(f"marsqe-swift-ref{way}" for way in ("", "@random", "@none"))
    _, *bundled = resolve(names, {})
    matched, random, none = (apply(s, image, ground(image)) for s in bundled)
    assert (matched != random).any() and (matched != none).any()
    _, *files = resolve(names, {"marsqe-swift-ref": weights["marsqe-swift-ref"]})
    monkeypatch.setattr(marsqe.weights, "_folder", lambda: None)
    for system, expected in zip(files, (matched, random, none), strict=True):
        np.testing.assert_array_equal(apply(system, image, ground(image)), expected)
    _, lite = resolve(("marsqe-lite@none",), weights)
    assert lite.reason is not None and "marsqe-swift-ref" in lite.reason


@pytest.mark.parametrize("colour", [True, False])
def test_rivals_run_alone_and_can_be_projected(tmp_path: Path, colour: bool) -> None:
    path = tmp_path / "arcnn.safetensors"
    network = RIVALS["arcnn"].build()
    save_file(network.state_dict(), path)
    image = scene(48, 56, colour=colour)
    _, alone, projected = resolve(("arcnn", "arcnn:projected"), {"arcnn": path})
    made, kept = (apply(s, image, ground(image)) for s in (alone, projected))
    assert made.shape == image.pixels.shape
    assert made.dtype == np.uint8
    assert np.abs(kept.astype(int) - image.pixels).mean() <= np.abs(made.astype(int) - image.pixels).mean()


def test_a_rivals_card_says_how_it_was_built(tmp_path: Path) -> None:
    """AR-CNN with all weights zero gives black, or its input where it predicts what is missing."""
    path = tmp_path / "average.safetensors"
    save_file({k: torch.zeros_like(v) for k, v in RIVALS["arcnn"].build().state_dict().items()}, path)
    path.with_suffix(".json").write_text('{"config": {"residual": true}}')
    image = scene(48, 56)
    _, system = resolve(("arcnn",), {"arcnn": path})
    assert system.title == "AR-CNN, residual"
    np.testing.assert_array_equal(apply(system, image, ground(image)), image.pixels)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "wrong.safetensors"
    save_file(RIVALS["arcnn"].build().state_dict(), path)
    with pytest.raises(WeightsError, match="does not hold the weights of dcad"):
        network_of("dcad", path, None, "cpu")
    path.write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="does not hold"):
        network_of("arcnn", path, "other", "cpu")
    path.with_suffix(".json").write_text("{")
    with pytest.raises(WeightsError, match="card"):
        resolve(("marsqe-swift",), {"marsqe-swift": path})


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the program")
def test_jpegqs_is_run_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "jpegqs"
    program.write_text('#!/bin/sh\ncp "$1" "$2"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    _, system = resolve((JPEGQS,), {})
    assert system.reason is None
    assert system.can_take("HEVC")
    image = scene(40, 40)
    np.testing.assert_array_equal(apply(system, image, ground(image)), image.pixels)
    program.write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(ReadError, match="jpegqs failed"):
        smoothed(image)


def test_a_card_beside_the_file_gives_the_configuration(weights: dict[str, Path]) -> None:
    card = json.loads(weights["marsqe-lite"].with_suffix(".json").read_text())
    weights["marsqe-lite"].with_suffix(".json").write_text(json.dumps(card | {"parameters": 7}))
    (_, system) = resolve(("marsqe-lite",), {"marsqe-lite": weights["marsqe-lite"]})
    assert system.parameters == 7
