"""Training: the losses, the loop that can be stopped and resumed, validation, and the bundle."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from scenes import TINY, VALIDATION

from marsqe.errors import SettingError
from marsqe.networks.registry import PRESETS
from marsqe.networks.swift import MarsQESwift, SwiftConfig
from marsqe.train import bundle as bundle_module
from marsqe.train import loop, objective
from marsqe.train.bundle import Origin, bundle, half
from marsqe.train.checkpoint import Average, Progress
from marsqe.train.clock import CLOCKS
from marsqe.train.evaluate import Gain, summarise, validation_gains
from marsqe.train.loop import Recipe, learning_rate, train
from marsqe.train.losses import loss_eq7, relative_charbonnier, relative_squared


def test_eq7_by_hand() -> None:
    raw = torch.zeros(1, 3, 2, 2)
    enhanced, post = raw + 0.2, raw + 0.1
    assert float(loss_eq7(enhanced, post, raw)) == pytest.approx(0.04 + 0.01)
    assert float(loss_eq7(enhanced, post, raw, weight=3)) == pytest.approx(0.04 + 0.03)
    assert float(loss_eq7(raw, raw, raw)) == 0


def test_relative_loss_weighs_every_quality_alike() -> None:
    """Halving the error costs the same at every quality, but for the floor."""
    raw = torch.full((1, 3, 8, 8), 0.5)
    losses = [float(relative_charbonnier(raw + e / 2, raw + e, raw, floor=0)) for e in (0.02, 0.2)]
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
    assert losses[1] == pytest.approx(0.5, rel=0.01)
    expected = math.sqrt(0.1**2 + 1e-6) / (0.2 + 1 / 255)
    assert float(relative_charbonnier(raw + 0.1, raw + 0.2, raw)) == pytest.approx(expected, rel=1e-4)
    perfect = relative_charbonnier(raw, raw, raw)
    assert float(perfect) < 0.3, "a perfect input does not divide by zero"
    both = relative_charbonnier(torch.cat([raw + 0.01, raw + 0.1]), torch.cat([raw + 0.02, raw + 0.2]), raw, floor=0)
    assert float(both) == pytest.approx(0.5, rel=0.01), "samples count alike"


def test_squared_loss_is_the_ratio_of_squared_errors() -> None:
    raw = torch.zeros(2, 3, 4, 4)
    compressed, enhanced = raw + torch.tensor([0.1, 0.2])[:, None, None, None], raw + 0.1
    assert float(relative_squared(enhanced, compressed, raw, floor=0)) == pytest.approx((1 + 0.25) / 2)
    assert float(relative_squared(raw, compressed, raw)) == 0


def test_learning_rate_warms_up_and_falls_to_nothing() -> None:
    recipe = Recipe(budget=100, rate=0.01, warm_up=10)
    assert learning_rate(recipe, Progress(0, 0)) == pytest.approx(0.001)
    assert learning_rate(recipe, Progress(9, 0)) == pytest.approx(0.01)
    assert learning_rate(recipe, Progress(50, 50)) == pytest.approx(0.005)
    assert learning_rate(recipe, Progress(50, 100)) == pytest.approx(0)
    assert learning_rate(recipe, Progress(50, 250)) == pytest.approx(0), "never up again"
    rates = [learning_rate(recipe, Progress(20 + t, float(t))) for t in range(101)]
    assert rates == sorted(rates, reverse=True)


def test_average_follows_quickly_at_first_and_slowly_later() -> None:
    network = torch.nn.Linear(1, 1)
    with torch.no_grad():
        network.weight.fill_(0)
    average = Average(network, decay=0.99)
    with torch.no_grad():
        network.weight.fill_(1)
    average.update(network, 0)
    assert float(average.values["weight"]) == pytest.approx(0.9)
    average.values["weight"].fill_(0)
    average.update(network, 10**6)
    assert float(average.values["weight"]) == pytest.approx(0.01)


class Clock:
    """A clock that goes on by one second each time it is read: a step of training takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


RECIPE = Recipe(
    budget=6, batch=2, size=24, warm_up=2, workers=0, checkpoint_every=3, validate_every=1e9, seed=3, rate=2e-3
)


def tiny_network() -> MarsQESwift:
    torch.manual_seed(5)
    return MarsQESwift(SwiftConfig(widths=(4, 4, 4), encoder=(1, 1), middle=1, decoder=(1, 1)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLOCKS, "wall", Clock())


@pytest.fixture
def restart_clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda: monkeypatch.setitem(CLOCKS, "wall", Clock())


def test_stopped_and_resumed_is_as_if_never_stopped(data: Path, tmp_path: Path, restart_clock: Any) -> None:
    """Six steps in one go, and three steps, a new process, three more: every stored number is the same."""
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    restart_clock()
    reports = list(train(tiny_network(), data, straight, RECIPE))
    assert [r.step for r in reports if not r.gains] == [3, 6]

    restart_clock()
    run = train(tiny_network(), data, broken, RECIPE)
    assert next(run).step == 3
    run.close()
    with safe_open(broken / "checkpoint.safetensors", framework="pt") as stream:
        assert json.loads(stream.metadata()["progress"]) == {"step": 3, "elapsed": 3.0}
    torch.manual_seed(99)
    other = MarsQESwift(SwiftConfig(widths=(4, 4, 4), encoder=(1, 1), middle=1, decoder=(1, 1)))
    restart_clock()
    resumed = list(train(other, data, broken, RECIPE, resume=True))
    assert resumed[0].step == 6

    for name in ("checkpoint", "average"):
        a, b = (load_file(folder / f"{name}.safetensors") for folder in (straight, broken))
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert torch.equal(value, b[key]), key
    assert any(key.startswith("optimizer.") for key in load_file(straight / "checkpoint.safetensors"))
    assert (straight / "curve.csv").read_text() == (broken / "curve.csv").read_text()
    assert resumed[-1].gains == reports[-1].gains
    assert not list(broken.glob("*.part"))


def test_training_moves_the_network_and_ends_with_validation(data: Path, tmp_path: Path, clock: None) -> None:
    network = tiny_network()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    reports = list(train(network, data, tmp_path, RECIPE))
    assert any(not torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert network.training
    assert {(g.split, g.quality) for g in reports[-1].gains} == {(s, q) for s in VALIDATION for q in (20, 30, 50, 85)}
    average = load_file(tmp_path / "average.safetensors")
    assert average.keys() == before.keys()
    rows = list(csv.reader((tmp_path / "curve.csv").open()))
    assert rows[0] == ["step", "elapsed_s", "loss"]
    assert [row[0] for row in rows[1:]] == ["3", "6"]
    assert all(math.isfinite(float(row[2])) for row in rows[1:])


def test_budget_of_processor_time_does_not_see_the_wall(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the wall an age passes with every step; by the processor's clock a second."""
    ages = itertools.count(step=10**6)
    monkeypatch.setitem(CLOCKS, "wall", lambda: float(next(ages)))
    monkeypatch.setitem(CLOCKS, "cpu", Clock())
    reports = list(train(tiny_network(), data, tmp_path, replace(RECIPE, clock="cpu")))
    assert (reports[-1].step, reports[-1].elapsed) == (6, 6.0)
    assert json.loads((tmp_path / "validation.json").read_text())["recipe"]["clock"] == "cpu"


def test_processor_time_is_that_of_work_alone() -> None:
    before = CLOCKS["cpu"]()
    assert before == pytest.approx(time.process_time(), abs=0.5)
    sum(range(10**6))
    assert CLOCKS["cpu"]() > before


def test_new_run_does_not_go_on_with_an_old_curve(data: Path, tmp_path: Path, clock: None) -> None:
    (tmp_path / "curve.csv").write_text("step,elapsed_s,loss\n999,1,1\n")
    run = train(tiny_network(), data, tmp_path, RECIPE)
    next(run)
    run.close()
    assert "999" not in (tmp_path / "curve.csv").read_text()


@pytest.mark.parametrize(
    ("at", "bad"),
    [(0, math.nan), (0, math.inf), (1, 1e6), (2, math.nan), (3, math.nan), (4, 1e6), (4, math.inf)],
)
def test_runaway_step_is_undone(
    data: Path, tmp_path: Path, clock: None, monkeypatch: pytest.MonkeyPatch, at: int, bad: float
) -> None:
    """One loss that explodes, be it the first after a report: the run goes on from the average, all numbers finite."""
    count = itertools.count()

    def loss(*tensors: torch.Tensor) -> torch.Tensor:
        value = relative_charbonnier(*tensors)
        return value * bad if next(count) == at else value

    monkeypatch.setitem(objective.LOSSES, "charbonnier", loss)
    reports = list(train(tiny_network(), data, tmp_path, RECIPE))
    tensors = load_file(tmp_path / "checkpoint.safetensors")
    assert all(torch.isfinite(t).all() for t in tensors.values())
    assert max(r.step for r in reports) == 7, "the lost step's pairs are not shown again"
    assert all(r.loss < 100 for r in reports if not r.gains)


def test_hopeless_run_ends_with_advice(
    data: Path, tmp_path: Path, clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(objective.LOSSES, "charbonnier", lambda *tensors: tensors[0].sum() * float("nan"))
    with pytest.raises(SettingError, match="lower learning rate"):
        list(train(tiny_network(), data, tmp_path, RECIPE))


def test_validation_takes_no_training_time_and_leaves_the_network(
    data: Path, tmp_path: Path, clock: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = tiny_network()
    seen: list[bool] = []
    original = loop.validation_gains

    def watch(net: torch.nn.Module, *rest: Any, **options: Any) -> Any:
        seen.append(net.training)
        return original(net, *rest, **options)

    monkeypatch.setattr(loop, "validation_gains", watch)
    reports = list(train(network, data, tmp_path, replace(RECIPE, validate_every=2)))
    looks = [r for r in reports if r.gains]
    assert len(looks) >= 2
    assert {g.quality for g in looks[0].gains} == {30, 85}
    assert not any(seen)
    assert looks[-1].step <= 8


def test_gain_of_a_network_that_does_nothing_is_none(data: Path) -> None:
    """The residual tail starts at zero, so an untrained network gives the JPEG back, projected or not."""
    for faithful in (False, True):
        gains = list(validation_gains(tiny_network().eval(), data, VALIDATION, (30, 85), faithful=faithful))
        assert len(gains) == 4
        assert all(abs(g.gain) < (0.2 if faithful else 1e-6) for g in gains)
    assert gains[0].jpeg < gains[1].jpeg


def test_the_last_validation_can_be_of_squares(data: Path, tmp_path: Path, clock: None) -> None:
    last = list(train(tiny_network(), data, tmp_path, replace(RECIPE, validation_side=24)))[-1]
    network = tiny_network()
    network.load_state_dict(load_file(tmp_path / "average.safetensors"))
    assert last.gains == tuple(validation_gains(network.eval(), data, VALIDATION, (20, 30, 50, 85), crop=24))
    assert json.loads((tmp_path / "validation.json").read_text())["whole_images"] is False


def test_validation_can_be_cut_short(data: Path) -> None:
    gains = list(validation_gains(tiny_network().eval(), data, VALIDATION, (30,), crop=24, most=0))
    assert gains == []
    assert len(list(validation_gains(tiny_network().eval(), data, VALIDATION[:1], (30,), crop=24, most=5))) == 1


def test_summary_tells_mean_and_worst() -> None:
    gains = [Gain("v", "a", 30, 30, 1.0), Gain("v", "b", 30, 30, 0.5), Gain("v", "a", 85, 30, -0.25)]
    assert summarise(gains) == {"v": {30: (0.75, 0.5), 85: (-0.25, -0.25)}}


def test_bundle_writes_what_its_card_says(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = replace(PRESETS["marsqe-swift"], config=TINY["marsqe-swift"])
    monkeypatch.setattr(bundle_module, "PRESETS", {"marsqe-swift": preset})
    network = tiny_network()
    with torch.no_grad():
        network.tail.bias.add_(0.001)
    weights = tmp_path / "average.safetensors"
    save_file(network.state_dict(), weights)
    out = tmp_path / "out"
    origin = Origin("marsqe train", 0.75, "two cores", "crops", "noise", steps=6)
    gains = bundle("marsqe-swift", weights, data, out, origin, qualities=(30,))
    content = (out / "marsqe-swift.safetensors").read_bytes()
    card = json.loads((out / "marsqe-swift.json").read_text())
    assert card["weights_sha256"] == hashlib.sha256(content).hexdigest()
    assert card["weights_bytes"] == len(content)
    assert card["config"] == TINY["marsqe-swift"]
    assert card["hours"] == 0.75
    assert card["known_failures"] == "noise"
    assert {g.split for g in gains} == set(VALIDATION)
    for gain in gains:
        row = card["validation"][gain.split]["30"]
        assert row == {"mean": round(gain.gain, 3), "worst": round(gain.gain, 3)}
    stored = load_file(out / "marsqe-swift.safetensors")
    assert {v.dtype for v in stored.values()} == {torch.float16}
    again = half(network.state_dict())
    assert all(torch.equal(stored[k], again[k]) for k in again)
    assert sorted(p.name for p in out.iterdir()) == [
        f"marsqe-swift.{suffix}" for suffix in ("json", "md", "safetensors")
    ]
    assert "whole images" in card["validation_note"]
    bundle("marsqe-swift", weights, data, out, origin, qualities=(30,), crop=24)
    assert "central squares of 24 pixels" in (out / "marsqe-swift.md").read_text()
