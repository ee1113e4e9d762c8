"""Training with references: matched as the product matches, encoded in the network's own pass, learned from."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scenes import KINDS, TINY, VALIDATION, put, texture

from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg, standard_tables
from marsqe.colour import as_rgb, luma
from marsqe.errors import SettingError
from marsqe.image import Compression, MarsImage
from marsqe.matching import load_dictionary, match
from marsqe.networks.build import build_network
from marsqe.networks.conditioning import condition_vector
from marsqe.networks.padding import split_tiles
from marsqe.terrain import Terrain
from marsqe.train import references
from marsqe.train.batches import PairDataset
from marsqe.train.corpus import GROUPS
from marsqe.train.evaluate import validation_gains
from marsqe.train.loop import Recipe, train
from marsqe.train.losses import loss_eq7, relative_weights
from marsqe.train.objective import Trainee, batch_loss
from marsqe.train.references import Matcher, uses_references

RECIPE = Recipe(
    budget=0.01, batch=1, size=128, warm_up=1, workers=0, validate_every=1e9, rate=3e-3, precision="32-true"
)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images that hold a tile and its margin; small ones for validation."""
    folder = tmp_path_factory.mktemp("large")
    for seed, split in enumerate(GROUPS):
        put(folder, split, "a.png", texture(161, 170, colour="gray" not in split, seed=seed))
    for seed, split in enumerate(VALIDATION):
        put(folder, split, "v.png", texture(70, 140, seed=90 + seed))
    return folder


def tiny(name: str) -> Any:
    torch.manual_seed(3)
    return build_network(KINDS[name], TINY[name])


@pytest.mark.parametrize("colour", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_patches_are_matched_as_the_product_matches_unlabelled_tiles(colour: bool, known: bool) -> None:
    pixels = decode_jpeg(encode_jpeg(texture(256, 256, colour=colour, seed=4), quality=25))
    tables = standard_tables(25)[: 2 if colour else 1]
    facts = Compression("JPEG", True, tables, subsampling=(2, 2) if colour else None) if known else Compression()
    image = MarsImage.from_array(pixels, compression=facts)
    expected = match(image, Terrain(np.zeros(image.shape, np.uint8)))
    matched = Matcher().match(as_rgb(pixels), facts, colour=colour)

    dictionary = load_dictionary()
    assert np.array_equal(matched.labels[::128, ::128], expected.classes)
    assert (matched.labels[:128, :128] == matched.labels[0, 0]).all()
    for n, (label, index) in enumerate(zip(expected.classes.flat, expected.references.flat, strict=True)):
        raw = dictionary.reference(int(label), int(index))
        assert np.array_equal(matched.raw[n], raw if colour else as_rgb(luma(raw)))
        if known:
            twin = dictionary.compressed(int(label), facts, colour=colour)[index]
            assert np.array_equal(matched.twins[n], as_rgb(twin))
    if not known:
        assert not np.array_equal(matched.twins, matched.raw), "a coarse patch has coarse twins, tables or not"


def test_histograms_of_a_compression_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    matcher, made = Matcher(), []
    original = type(matcher.dictionary).histograms

    def histograms(self: Any, label: int, compression: Compression, *, colour: bool) -> Any:
        made.append((label, colour))
        return original(self, label, compression, colour=colour)

    monkeypatch.setattr(type(matcher.dictionary), "histograms", histograms)
    monkeypatch.setattr(references, "_KEPT", 2)
    facts = [Compression("JPEG", True, standard_tables(q), subsampling=(2, 2)) for q in (21, 22, 23)]
    for compression in (facts[0], facts[0], facts[1], facts[0]):
        matcher.histograms(compression, colour=True)
    assert len(made) == 2 * 4
    matcher.histograms(facts[0], colour=False)
    assert len(made) == 3 * 4, "gray is another"
    matcher.histograms(facts[2], colour=True)
    matcher.histograms(facts[0], colour=True)
    assert len(made) == 5 * 4, "the oldest made room"


def test_samples_carry_references_and_the_labels_of_their_classes(large: Path) -> None:
    compressed, _, condition, raw, twins, labels = PairDataset(large, 128, 1, references=True)[2]
    assert compressed.shape == (3, 128, 128)
    assert raw.shape == twins.shape == (1, 3, 128, 128)
    assert raw.dtype == twins.dtype == labels.dtype == torch.uint8
    assert labels.shape == (128, 128)
    assert int(labels.min()) == int(labels.max()) in {1, 2, 3, 4}
    plain = PairDataset(large, 128, 1)[2]
    assert len(plain) == 3
    assert torch.equal(plain[0], compressed), "references change nothing of the pair"
    assert torch.equal(plain[2], condition)


def batch(tiles: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    side = 128 * tiles
    x = torch.rand(2, 3, side, side, generator=generator)
    raw, twins = torch.rand(2, 2, tiles**2, 3, 128, 128, generator=generator)
    condition = torch.from_numpy(condition_vector(standard_tables(30), (2, 2)))[None].repeat(2, 1)
    return x, condition, raw, twins, torch.ones(2, side, side, dtype=torch.uint8)


def wake(network: torch.nn.Module) -> Any:
    for parameter in network.parameters():
        if parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.05)
    return network


def test_each_tile_learns_with_its_own_reference() -> None:
    network = wake(tiny("marsqe-lite"))
    x, condition, raw, twins, labels = batch(2)
    with torch.no_grad():
        (out,) = Trainee(network)(x, condition, raw, twins, labels)
        for sample in range(2):
            for tile, (row, column) in enumerate(np.ndindex(2, 2)):
                window = (..., slice(128 * row, 128 * row + 128), slice(128 * column, 128 * column + 128))
                one = condition[:1]
                encoded = network.encode_references(raw[sample, tile][None], twins[sample, tile][None], one)
                expected = network(split_tiles(x, 128)[4 * sample + tile][None], one, encoded).enhanced[0]
                torch.testing.assert_close(out[sample][window], expected, atol=1e-5, rtol=1e-4)


def test_marsqe_learns_by_eq7_weighed_by_the_compressed_error() -> None:
    network = wake(tiny("marsqe"))
    x, condition, raw, twins, labels = batch(1)
    truth = (x + torch.tensor([0.02, 0.2])[:, None, None, None]).clamp(0, 1)
    outputs = Trainee(network)(x, condition, raw, twins, labels)
    assert len(outputs) == 2
    loss = batch_loss(network, outputs, x, truth)
    weights = relative_weights(x, truth)
    by_hand = [
        float(weights[i]) * sum(float((out[i].detach() - truth[i]).square().mean()) for out in outputs)
        for i in range(2)
    ]
    assert loss.item() == pytest.approx(sum(by_hand) / 2, rel=1e-4)
    assert weights[0] > 20 * weights[1], "the finer quality counts as much as the coarse one"
    assert float(loss_eq7(x, x, truth, weights=weights)) == pytest.approx(2, rel=0.1), "nothing gained: about one each"
    loss.backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("name", ["marsqe-swift-ref", "marsqe-lite", "marsqe"])
def test_presets_with_references_train_validate_and_resume(name: str, large: Path, tmp_path: Path) -> None:
    network = tiny(name)
    assert uses_references(network)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    reports = list(train(network, large, tmp_path, RECIPE))
    assert reports[0].step == 1
    moved = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
    assert any("to_image" in k or "trunk.tail" in k for k in moved)
    assert any(k.startswith("post.tail") for k in moved) == (name == "marsqe")
    assert {(g.split, g.quality) for g in reports[-1].gains} == {(s, q) for s in VALIDATION for q in (20, 30, 50, 85)}
    again = list(train(tiny(name), large, tmp_path, replace(RECIPE, budget=1e-9), resume=True))
    assert again[0].step == 2
    assert load_file(tmp_path / "average.safetensors").keys() == before.keys()


def test_tables_of_the_end_say_what_the_gains_say(large: Path, tmp_path: Path) -> None:
    last = list(train(tiny("marsqe-lite"), large, tmp_path, RECIPE))[-1]
    document = json.loads((tmp_path / "validation.json").read_text())
    rows = list(csv.DictReader((tmp_path / "validation.csv").open()))
    assert document["step"] == last.step
    assert document["recipe"]["batch"] == 1
    assert document["whole_images"] is True
    assert [{k: str(v) for k, v in row.items()} for row in document["validation"]] == rows
    for gain in last.gains:
        (row,) = (r for r in document["validation"] if (r["split"], r["quality"]) == (gain.split, gain.quality))
        assert row["images"] == 1
        assert row["worst_image"] == "v.png"
        assert row["gain_mean"] == row["gain_worst"] == pytest.approx(gain.gain, abs=1e-4)
        assert row["jpeg_psnr"] == pytest.approx(gain.jpeg, abs=1e-3)
    images = list(csv.DictReader((tmp_path / "validation_images.csv").open()))
    assert [(r["split"], r["file"], int(r["quality"])) for r in images] == [
        (g.split, g.file, g.quality) for g in last.gains
    ]
    assert [float(r["gain"]) for r in images] == pytest.approx([g.gain for g in last.gains], abs=1e-4)


@pytest.mark.parametrize("name", ["marsqe-swift-ref", "marsqe-lite", "marsqe"])
def test_untrained_networks_with_references_gain_nothing(name: str, large: Path) -> None:
    for gain in validation_gains(tiny(name).eval(), large, VALIDATION[:1], (30,)):
        assert gain.gain == pytest.approx(0, abs=1e-6)


def test_patches_must_be_whole_tiles(large: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="multiple"):
        list(train(tiny("marsqe-lite"), large, tmp_path, replace(RECIPE, size=96)))
    assert not list(tmp_path.iterdir())
