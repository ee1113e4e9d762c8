"""The training command: its options reach the recipe, and mistakes are told before anything is loaded."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from marsqe.cli.main import main, parser
from marsqe.networks.registry import build_design
from marsqe.networks.rivals import RIVALS
from marsqe.networks.rivals.arcnn import ARCNN
from marsqe.train import loop
from marsqe.train.evaluate import Gain
from marsqe.train.loop import Recipe, Report

PRESETS = ("marsqe-swift", "marsqe-swift-ref", "marsqe-lite", "marsqe")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[nn.Module, Path, Path, Recipe, bool]]:
    """What the loop is asked for, which here only reports."""
    calls: list[Any] = []

    def train(network: nn.Module, data: Path, out: Path, recipe: Recipe, *, resume: bool) -> Iterator[Report]:
        calls.append((network, data, out, recipe, resume))
        yield Report(7, 3.0, 0.5)
        yield Report(
            7, 3.0, float("nan"), (Gain("val/some", "a", 30, 30.0, 0.25), Gain("val/some", "b", 30, 30.0, 0.75))
        )

    monkeypatch.setattr(loop, "train", train)
    return calls


def words(name: str, data: Path, *more: str) -> list[str]:
    return ["train", name, "--data", str(data), "--out", "runs/some", *more]


@pytest.mark.parametrize("name", [*PRESETS, *RIVALS])
def test_every_network_can_be_asked_for(name: str, data: Path) -> None:
    arguments = parser().parse_args(words(name, data))
    assert arguments.preset == name
    assert arguments.size % 128 == 0 or name not in PRESETS[1:], "whole tiles for networks with references"


def test_options_reach_the_recipe(data: Path, asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    more = "--budget 2m --batch 3 --size 64 --rate 0.002 --precision 32-true --qualities 20 40 --devices 2 --workers 5"
    clock = ("--clock", "cpu", "--warm-up", "40", "--validate-side", "256")
    assert main(words("marsqe-swift", data, *more.split(), *clock, "--seed", "9", "--resume")) == 0
    ((_, folder, out, recipe, resume),) = asked
    assert (folder, out, resume) == (data, Path("runs/some"), True)
    expected = Recipe(
        budget=120,
        clock="cpu",
        warm_up=40,
        validation_side=256,
        batch=3,
        size=64,
        rate=0.002,
        precision="32-true",
        qualities=(20, 40),
        devices=2,
        workers=5,
        seed=9,
    )
    assert recipe == expected
    said = capsys.readouterr().err
    assert "step 7, 3 of 120 s, loss 0.50000" in said
    assert "val/some: QF 30 +0.500 (worst +0.250)" in said


def test_swift_and_rivals_learn_by_the_same_recipe(data: Path, asked: Any) -> None:
    """And by the loop's own defaults, as runs before there were options did."""
    assert main(words("marsqe-swift", data, "--budget", "15m")) == 0
    assert main(words("dcad", data, "--budget", "15m")) == 0
    assert asked[0][3] == asked[1][3] == Recipe(budget=900)


def test_residual_arcnn_starts_from_its_input_and_its_card_says_so(
    data: Path, asked: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words("arcnn", data, "--residual")) == 0
    assert main(words("arcnn", data)) == 0
    (with_input, without) = (call[0] for call in asked)
    assert isinstance(with_input, ARCNN)
    x = torch.rand(1, 3, 16, 16)
    without.load_state_dict(with_input.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(with_input(x), x + without(x))
    assert json.loads((tmp_path / "runs/some/average.json").read_text()) == {"config": {"residual": True}}


def test_marsqe_can_begin_with_the_main_network_of_lite(data: Path, asked: Any, tmp_path: Path) -> None:
    weights = {name: torch.rand_like(value) for name, value in build_design("marsqe-lite").state_dict().items()}
    save_file(weights, tmp_path / "lite.safetensors")
    assert main(words("marsqe", data, "--main", str(tmp_path / "lite.safetensors"))) == 0
    begun = asked[0][0].state_dict()
    assert weights
    for name, value in weights.items():
        torch.testing.assert_close(begun[f"main.{name}"], value)
    assert not begun["post.tail.weight"].any(), "the post-enhancement begins as the identity"
    other = {name: value for name, value in weights.items() if "sam" not in name}
    save_file(other, tmp_path / "other.safetensors")
    assert main(words("marsqe", data, "--main", str(tmp_path / "other.safetensors"))) == 2


@pytest.mark.parametrize(
    ("option", "value"),
    [("--hevc", "1.5"), ("--hevc", "x"), ("--batch", "0"), ("--size", "-8"), ("--rate", "nan"), ("--rate", "-1")],
)
def test_values_without_meaning_are_refused(
    option: str, value: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words("marsqe-lite", data, f"{option}={value}"))
    assert stopped.value.code == 2
    assert value in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--qualities", "50", "30"], "--qualities 30 50"),
        (["--validate-side", "100"], "multiple of 8"),
        (["--hevc", "0.1"], "napari-marsqe[codecs]"),
    ],
)
def test_what_cannot_be_done_is_told_at_once(
    more: list[str],
    message: str,
    data: Path,
    asked: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(words("marsqe-swift", data, *more)) != 0
    assert message in capsys.readouterr().err
    assert not asked


def test_folder_without_list_is_told(tmp_path: Path, asked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words("marsqe-lite", tmp_path)) != 0
    assert "manifest.csv" in capsys.readouterr().err
    assert not asked
