"""marsqe-swift-ref: the trunk with references, window by window, and the dictionary that is encoded once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scenes import KINDS, TINY, bundle_tiny, enhanced, ground, scene, texture

import marsqe
from marsqe.cli.main import main
from marsqe.colour import as_rgb
from marsqe.enhancement import references
from marsqe.enhancement.matched import run_matched_windows
from marsqe.enhancement.networks import Job
from marsqe.enhancement.references import encoded_references
from marsqe.image import Compression
from marsqe.matching import load_dictionary, match
from marsqe.networks.build import build_network
from marsqe.networks.conditioning import condition_vector
from marsqe.networks.swift_ref import MarsQESwiftRef
from marsqe.progress import run
from marsqe.train import loop
from marsqe.train.loop import Report
from marsqe.train.objective import Trainee, batch_loss

REF = "marsqe-swift-ref"
CPU = torch.device("cpu")


@pytest.fixture
def network() -> Any:
    """Random weights everywhere, the joining convolutions included."""
    torch.manual_seed(2)
    built: Any = build_network(KINDS[REF], TINY[REF])
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return built.eval()


def told(compression: Compression) -> torch.Tensor:
    return torch.from_numpy(condition_vector(compression.tables, (2, 2)))[None]


def test_an_untrained_branch_leaves_the_trunk_as_it_is() -> None:
    torch.manual_seed(1)
    network: Any = build_network(KINDS[REF], TINY[REF])
    for parameter in network.trunk.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x, condition, reference = torch.rand(1, 3, 144, 128), torch.rand(1, 12), torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        encoded = network.encode_references(reference, reference * 0.9, condition.expand(2, -1))
        assert torch.equal(network(x, condition, encoded), network.trunk(x, condition))
        assert not torch.equal(network.trunk(x, condition), x)


def test_only_the_branch_learns_with_a_frozen_trunk(network: MarsQESwiftRef) -> None:
    network.freeze_trunk()
    x, references_ = torch.rand(2, 3, 128, 128), torch.rand(2, 1, 3, 128, 128)
    outputs = Trainee(network)(x, torch.rand(2, 12), references_, references_ * 0.9)
    batch_loss(network, outputs, x, x * 0.9).backward()
    with_gradient = {name.split(".")[0] for name, p in network.named_parameters() if p.grad is not None}
    assert with_gradient == {"fine", "coarse"}
    assert all(p.grad is not None for p in network.fine.parameters())


def test_windows_give_what_one_pass_gives(network: MarsQESwiftRef) -> None:
    image = scene(200, 420)
    matches, dictionary = match(image, ground(image)), load_dictionary()
    job = Job(as_rgb(image.pixels).astype(np.float32) / 255, told(image.compression)[0].numpy(), None, CPU)
    whole, parts = (
        run(run_matched_windows(network, job, matches, dictionary, image.compression, core, colour=True))
        for core in (768, 128)
    )
    assert np.abs(whole - parts).max() < 1e-4
    assert np.abs(whole - job.pixels).max() > 0.01


def test_another_reference_changes_its_tile_and_nothing_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle_tiny(tmp_path / "weights", monkeypatch, REF, scale=0.1)
    image = scene(128, 640)
    matches = match(image, ground(image))
    other = replace(matches, references=matches.references.copy())
    other.references[0, 0] = (matches.references[0, 0] + 1) % 6
    first, second = (enhanced(image, REF, matches=m, faithful=False).pixels for m in (matches, other))
    assert (first[:, :128] != second[:, :128]).any()
    np.testing.assert_array_equal(first[:, 300:], second[:, 300:])


def test_gray_with_references_stays_gray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle_tiny(tmp_path / "weights", monkeypatch, REF)
    image = marsqe.simulate_downlink(texture(70, 150, colour=False), 40)
    assert enhanced(image, REF).pixels.shape == (70, 150)


ALL = [(label, index) for label in (1, 2, 3, 4) for index in range(6)]


def test_what_is_needed_is_encoded_once_for_a_compression(
    network: MarsQESwiftRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    dictionary, compression, other = load_dictionary(), scene(quality=30).compression, scene(quality=50).compression
    batches: list[int] = []
    original = network.encode_references

    def encode(raw: torch.Tensor, *rest: torch.Tensor) -> Any:
        batches.append(len(raw))
        return original(raw, *rest)

    monkeypatch.setattr(network, "encode_references", encode)

    def ask(facts: Compression, needed: Any = ALL) -> Any:
        batches.clear()
        with torch.inference_mode():
            return encoded_references(network, dictionary, needed, facts, told(facts), colour=True)

    ask(compression, ALL[:3])
    assert batches == [3]
    first = ask(compression)
    assert batches == [6, 6, 6, 3], "only what is new, in small batches"
    assert ask(compression, ALL[5:9]) is first and not batches
    ask(other, ALL[:2])
    assert batches == [2]
    with torch.no_grad():
        network.trunk.head.weight.mul_(2)
    again = ask(other)
    assert sum(batches) == 24, "other weights, other features"
    monkeypatch.setattr(references, "_MOST", 4)
    ask(other, ALL[:3])
    assert batches == [3], "what would be too much is let go"

    monkeypatch.setattr(references, "_BATCH", 24)
    at_once = ask(scene(quality=50).compression)
    for small, large in zip(again.of(ALL), at_once.of(ALL), strict=True):
        torch.testing.assert_close(small.keys, large.keys)
        torch.testing.assert_close(small.values, large.values)


def test_tiles_get_their_own_references(network: MarsQESwiftRef) -> None:
    dictionary, compression = load_dictionary(), scene().compression
    with torch.inference_mode():
        encoded = encoded_references(network, dictionary, ALL, compression, told(compression), colour=True)
        chosen = encoded.of([(2, 5), (4, 0)])
        raw = torch.from_numpy(np.stack([dictionary.reference(2, 5), dictionary.reference(4, 0)]))
        planes = raw.permute(0, 3, 1, 2).float() / 255
        expected = network.encode_references(planes, planes, told(compression).expand(2, -1))
    for level, by_hand in zip(chosen, expected, strict=True):
        torch.testing.assert_close(level.values, by_hand.values, atol=1e-5, rtol=1e-4)


def test_single_tiles_can_be_enhanced_again(network: MarsQESwiftRef) -> None:
    image = scene(256, 300)
    matches, dictionary = match(image, ground(image)), load_dictionary()
    pixels, condition = as_rgb(image.pixels).astype(np.float32) / 255, told(image.compression)[0].numpy()
    wanted = np.zeros((2, 3), bool)
    wanted[1, 0] = True
    whole, part = (
        run(
            run_matched_windows(
                network, Job(pixels, condition, None, CPU, 8, t), matches, dictionary, image.compression, colour=True
            )
        )
        for t in (None, wanted)
    )
    np.testing.assert_allclose(part[128:, :128], whole[128:, :128], atol=1e-4)
    np.testing.assert_array_equal(part[:128], pixels[:128])
    np.testing.assert_array_equal(part[:, 128:], pixels[:, 128:])


def test_the_trunk_is_given_and_frozen(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from marsqe.networks.registry import build_design

    trunk = {k: torch.full_like(v, 0.25) for k, v in build_design("marsqe-swift").state_dict().items()}
    save_file(trunk, tmp_path / "trunk.safetensors")
    seen: list[Any] = []
    monkeypatch.setattr(loop, "train", lambda network, *rest, **more: iter((seen.append(network), Report(1, 1, 1))[1:]))
    words = ["train", REF, "--data", str(data), "--out", str(tmp_path / "run")]
    assert main([*words, "--trunk", str(tmp_path / "trunk.safetensors")]) == 0
    (network,) = seen
    assert all(bool((p == 0.25).all()) and not p.requires_grad for p in network.trunk.parameters())
    assert all(p.requires_grad for p in network.coarse.parameters())
