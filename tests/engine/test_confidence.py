"""Confidence: a calibrated interval of the error that remains, and where a change goes beyond the evidence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scenes import equal_within, ground, jpeg_bytes, put, texture, truth_crop

import marsqe
from marsqe.cli.main import main
from marsqe.enhancement import confidence as module
from marsqe.enhancement import pipeline
from marsqe.enhancement.confidence import Calibration, Rule, calibration_of, confidence_steps, file_facts, predictors
from marsqe.errors import SettingError
from marsqe.image import MarsImage
from marsqe.judgement.quantization import change_in_steps
from marsqe.networks.registry import load
from marsqe.progress import run
from marsqe.read import decode_image
from marsqe.results import Region
from marsqe.terrain import Terrain
from marsqe.train.calibrate import Example, calibration_card, calibration_sources, coverage, draw, examples, fit
from marsqe.weights import read_card

PLAIN = Rule(np.array([0.0, 1.0, 0, 0, 0, 0, 0]), np.array([4.0]), np.array([1.0, 2.0]))
RECEIVED = Rule(np.array([0.0, 1.0, 0, 0, 0, 0]), np.array([1e9]), np.array([1.0, 1.0]))


def noise(scale: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictors and errors whose scale follows the first predictor."""
    random = np.random.default_rng(seed)
    known = random.normal(size=(6000, 2)).astype(np.float32)
    errors = np.abs(random.laplace(size=6000)) * np.exp(known[:, 0]) * scale
    return known, errors.astype(np.float32)


def test_fitted_rule_covers_nine_in_ten_in_quiet_and_in_rough_places() -> None:
    rule = fit([noise(2, 0), noise(2, 1)])
    known, errors = noise(2, 2)
    share, width = coverage(rule, (known, errors))
    assert share == pytest.approx(0.9, abs=0.015)
    assert width > errors.mean()
    for rough in (True, False):
        part = (known[:, 0] > 0) == rough
        assert coverage(rule, (known[part], errors[part]))[0] == pytest.approx(0.9, abs=0.03)


def test_a_source_that_errs_more_widens_the_interval() -> None:
    alike, mixed = fit([noise(2, 0), noise(2, 1)]), fit([noise(2, 0), noise(4, 1)])
    sample = noise(2, 3)
    assert coverage(mixed, sample)[1] > 1.2 * coverage(alike, sample)[1]


def test_half_width_by_hand() -> None:
    known = np.log(np.array([[3.0, 9, 9, 9, 9, 9], [5.0, 9, 9, 9, 9, 9]], np.float32))
    np.testing.assert_allclose(PLAIN.half_widths(known), [3.0, 10.0], rtol=1e-5)


def test_contrast_change_and_compression_are_what_is_known() -> None:
    pixels = texture(64, 96)
    low, high = (decode_image(jpeg_bytes(pixels, q)) for q in (20, 90))
    facts = [file_facts(i.pixels, i.compression.tables or ()) for i in (low, high)]
    assert facts[0][0] > facts[1][0] and facts[0][1] < facts[1][1] and facts[0][2] > facts[1][2]
    flat = np.full((64, 96), 90, np.uint8)
    flat[:, 48:] = pixels[:, 48:, 0]
    seen = predictors(flat, flat, facts[0])
    assert seen.shape == (64, 96, 6)
    assert seen[:, :40, 0].max() < seen[:, 56:, 0].min()


@pytest.mark.parametrize("colour", [True, False])
def test_intervals_of_an_image(colour: bool) -> None:
    image = marsqe.simulate_downlink(texture(70, 90, colour=colour), 40)
    moved = image.pixels.copy()
    moved[20:40, 20:40] = 255 - moved[20:40, 20:40]
    found = run(confidence_steps(image, moved, Calibration(PLAIN, RECEIVED), Region(8, 8, 60, 50)))
    assert found is not None
    assert found.half_width.shape == image.shape and found.half_width.dtype == np.float32
    assert np.isnan(found.half_width[:8]).all() and (found.half_width[8:58, 8:68] > 0).all()
    assert found.beyond[20:40, 20:40].mean() > 0.5
    assert not found.beyond[:18].any()


def test_without_tables_nothing_is_said() -> None:
    image = MarsImage.from_array(texture(40, 48))
    assert run(confidence_steps(image, image.pixels, Calibration(PLAIN, RECEIVED))) is None
    with pytest.raises(SettingError, match="no quantization tables"):
        change_in_steps(image, image.pixels)


def test_only_weights_that_were_measured_have_a_calibration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rule = {"weights": [0.0, 1, 0, 0, 0, 0, 0], "edges": [4.0], "factors": [1.0, 2.0]}
    card = {"weights_sha256": "abc", "enhanced": rule, "received": rule | {"weights": [0.0, 1, 0, 0, 0, 0]}}
    (tmp_path / "confidence").mkdir()
    (tmp_path / "confidence" / "some.json").write_text(json.dumps(card))
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    assert calibration_of("some", "abc") is not None
    assert calibration_of("some", "other") is None
    assert calibration_of("none", "abc") is None


def test_a_result_carries_its_confidence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "loaded", lambda name, device: lambda pixels, condition: pixels)
    monkeypatch.setattr(module, "calibration_of", lambda model, sha: Calibration(PLAIN, RECEIVED))
    image = marsqe.simulate_downlink(truth_crop(64, 80), 40)
    result = marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image))
    assert result.confidence is not None and result.confidence.shape == image.shape
    assert result.evidence is result.evidence, "computed once"
    monkeypatch.setattr(module, "calibration_of", lambda model, sha: None)
    assert marsqe.enhance(image, "marsqe-swift", "cpu", terrain=ground(image)).confidence is None


@pytest.mark.parametrize(("subsampling", "colour"), [("4:2:0", True), ("4:4:4", True), ("4:4:4", False)])
def test_change_in_steps_of_one_coefficient(subsampling: str, colour: bool) -> None:
    """A block whose luma mean moves by 3 DN: its DC moves by 24, and its table says how many steps that is."""
    image = marsqe.simulate_downlink(np.full((32, 48, 3)[: 3 if colour else 2], 120, np.uint8), 30, subsampling)
    assert image.compression.tables is not None
    moved = image.pixels.copy()
    moved[8:16, 16:24] += 3
    found = change_in_steps(image, moved)
    assert found[8:16, 16:24] == pytest.approx(24 / image.compression.tables[0][0, 0], rel=1e-4)
    found[8:16, 16:24] = 0
    assert found.max() < 0.01


def test_calibration_from_a_folder(tmp_path: Path) -> None:
    for split in ("val/msl_mastcam", "val/m2020_hazcam"):
        put(tmp_path, split, "a.png", texture(64, 64, seed=len(split)))
    names = [source.name for source in calibration_sources(tmp_path)]
    assert names == ["val/msl_mastcam", "val/m2020_hazcam"]
    samples = {}
    for seed, name in enumerate(names):
        truth = texture(64, 64, seed=seed)
        jpeg = decode_image(jpeg_bytes(truth, 40))
        assert jpeg.compression.tables is not None
        decoded = np.asarray(jpeg.pixels, np.uint8)
        found = Example(name, "a", 40, jpeg.compression.tables, truth, decoded, decoded)
        samples[name] = draw([found])
    card = calibration_card("some", "abc", samples)
    assert set(card["left_out"]) == set(names)
    assert len(Calibration.from_card(card).enhanced.weights) == 7
    assert len(Calibration.from_card(card).received.weights) == 6


@pytest.mark.parametrize("model", ["marsqe-swift", "marsqe-swift-ref", "marsqe-lite", "marsqe"])
def test_every_preset_can_be_calibrated_by_the_command(
    model: str, tiny: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for split in ("val/msl_mastcam", "val/m2020_hazcam"):
        put(tmp_path, split, "a.png", texture(96, 96, seed=len(split)))
    out = tmp_path / "out"
    where = ["--model", model, "--data", str(tmp_path), "--out", str(out)]
    assert main(["train", "calibrate", *where, "--images", "1", "--side", "72"]) == 0
    card = json.loads((out / f"{model}.json").read_text())
    assert card["weights_sha256"] == read_card(model)["weights_sha256"]
    rule = Calibration.from_card(card).enhanced
    assert np.isfinite(rule.weights).all()
    assert (rule.factors > 0).all()
    assert "val/m2020_hazcam, left out: " in capsys.readouterr().err


def test_calibration_gives_references_to_networks_that_take_them(tiny: object, tmp_path: Path) -> None:
    """What is calibrated is what the product makes: without its references another image."""
    put(tmp_path, "val/msl_mastcam", "a.png", texture(136, 136, seed=3))
    put(tmp_path, "val/m2020_hazcam", "a.png", texture(136, 136, seed=4))
    source, network = calibration_sources(tmp_path)[0], load("marsqe-swift-ref")
    (example,) = examples(network, source, 1, 136, qualities=(30,))
    image = marsqe.simulate_downlink(example.truth, 30)
    unknown = Terrain(np.zeros(image.shape, np.uint8))
    result = marsqe.enhance(image, model="marsqe-swift-ref", terrain=unknown)
    np.testing.assert_array_equal(example.jpeg, image.pixels)
    assert equal_within(example.enhanced, np.asarray(result.pixels))
