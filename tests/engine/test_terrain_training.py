"""Training of the terrain network: labels of three sources, the loss that respects them, resumption."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("lightning_fabric", reason="the extra 'train' is not installed")

from marsqe.networks.segformer import SegFormer, SegFormerConfig, Stage
from marsqe.train.terrain import Recipe, batch_of, load_average, train
from marsqe.train.terrain_augment import augmented, falling_light
from marsqe.train.terrain_data import (
    IGNORE,
    NOT_ROCK,
    ROCK,
    SAND,
    SKY,
    SOIL,
    Labelled,
    TerrainCorpus,
    labelled_images,
    to_target,
)
from marsqe.train.terrain_encoder import converted
from marsqe.train.terrain_export import half, readable
from marsqe.train.terrain_losses import cross_entropy, soft_jaccard, terrain_loss
from marsqe.train.terrain_scores import confusion, summary

TINY = SegFormerConfig(
    stem=4,
    stages=(
        Stage(3, 2, 2, 6, 1, True),
        Stage(3, 2, 2, 8, 1, True),
        Stage(5, 2, 2, 8, 1, True),
        Stage(3, 2, 2, 8, 1, True),
    ),
    width=8,
    attention_width=8,
    heads=2,
)


def labelled(source: str, target: np.ndarray, name: str = "a") -> Labelled:
    rgb = np.random.default_rng(target.size).integers(1, 256, (*target.shape, 3)).astype(np.uint8)
    return Labelled(source, rgb, target.astype(np.uint8), (0.0, 255.0), name)


def test_masks_map_to_the_four_classes() -> None:
    values = np.array([[0, 1, 2, 3, 4, 5, 6, 7, 255]], np.uint8)
    marsscapes = [SOIL, ROCK, SOIL, SAND, ROCK, IGNORE, SKY, IGNORE, IGNORE]
    assert to_target(values, "marsscapes")[0].tolist() == marsscapes
    assert to_target(values[:, [0, 1, 2, 3, 8]], "ai4mars")[0].tolist() == [SOIL, ROCK, SAND, ROCK, IGNORE]
    assert to_target(values[:, :2], "marsdata_rocks")[0].tolist() == [NOT_ROCK, ROCK]
    without = [IGNORE if value == 2 else target for value, target in zip(values[0], marsscapes, strict=True)]
    assert to_target(values, "marsscapes", gravel=False)[0].tolist() == without
    navcam = values[:, :4]
    assert (to_target(navcam, "ai4mars", gravel=False) == to_target(navcam, "ai4mars")).all(), "its 2 is sand"


def test_ignored_pixels_have_no_gradient() -> None:
    torch.manual_seed(0)
    logits = torch.randn(1, 4, 6, 6, requires_grad=True)
    target = torch.full((1, 6, 6), IGNORE)
    target[0, 0, 0] = SAND
    terrain_loss(logits, target).backward()
    assert logits.grad is not None
    assert logits.grad[0, :, 0, 0].abs().sum() > 0
    logits.grad[0, :, 0, 0] = 0
    assert torch.count_nonzero(logits.grad) == 0


def test_nothing_labelled_costs_nothing() -> None:
    logits = torch.randn(2, 4, 5, 5, requires_grad=True)
    loss = terrain_loss(logits, torch.full((2, 5, 5), IGNORE))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None and torch.count_nonzero(logits.grad) == 0


def test_anything_but_rock_moves_rock_down_and_takes_no_side_among_the_rest() -> None:
    logits = torch.tensor([1.0, 0.0, -1.0, 0.5]).view(1, 4, 1, 1).requires_grad_()
    terrain_loss(logits, torch.full((1, 1, 1), NOT_ROCK)).backward()
    assert logits.grad is not None
    gradient = logits.grad.flatten()
    assert gradient[ROCK] > 0
    others = torch.tensor([1.0, 0.0, -1.0]).softmax(0)
    torch.testing.assert_close(gradient[:ROCK] / gradient[:ROCK].sum(), others)


def test_anything_but_rock_is_minus_log_of_the_summed_probability() -> None:
    logits = torch.randn(1, 4, 3, 3, generator=torch.Generator().manual_seed(5))
    expected = -(1 - logits.softmax(1)[:, ROCK]).log().mean()
    torch.testing.assert_close(cross_entropy(logits.log_softmax(1), torch.full((1, 3, 3), NOT_ROCK)), expected)


def test_the_jaccard_loss_vanishes_for_the_truth_and_not_for_its_contrary() -> None:
    target = torch.tensor([[[0, 0, 1, 1], [2, 2, 3, 3], [0, 0, 1, 1], [2, 2, 3, 3]]])
    truth = torch.nn.functional.one_hot(target, 4).permute(0, 3, 1, 2).float()
    assert soft_jaccard(truth, target).item() == pytest.approx(0, abs=1e-6)
    assert soft_jaccard(truth.roll(1, dims=1), target).item() > 0.8


def test_crops_contain_every_class_often_enough() -> None:
    """A class on one pixel in a thousand is seen in far more than a thousandth of the crops."""
    target = np.full((500, 500), SOIL)
    target[:15, :15] = SAND
    corpus = TerrainCorpus([labelled("marsscapes", target)])
    random = np.random.default_rng(0)
    crops = [corpus.crop(random) for _ in range(60)]
    assert all(crop.target.shape[0] == crop.target.shape[1] >= 144 for crop in crops)
    assert np.mean([(crop.target == SAND).any() for crop in crops]) > 0.3


def test_augmentation_keeps_the_labels_on_their_pixels() -> None:
    """Bright stays rock, dark stays soil, through flips, sizes, JPEG and tone."""
    target = np.full((200, 200), SOIL, np.uint8)
    target[:, 120:] = ROCK
    rgb = np.where(target[..., None] == ROCK, 220, 40).astype(np.uint8).repeat(3, axis=2)
    crop = Labelled("marsscapes", rgb, target, (0.0, 255.0), "a")
    for seed in range(20):
        value, out = augmented(crop, np.random.default_rng(seed), 96)
        assert value.shape == (96, 96, 3) and value.dtype == np.float32
        assert 0 <= value.min() and value.max() <= 1
        assert set(np.unique(out)) == {SOIL, ROCK}
        bright = value.mean(axis=2) > (value.max() + value.min()) / 2
        assert (bright == (out == ROCK)).mean() > 0.95


def test_some_crops_lose_their_colour() -> None:
    crop = labelled("marsscapes", np.full((160, 160), SOIL))
    gray = [np.ptp(augmented(crop, np.random.default_rng(s), 64)[0], axis=2).max() < 1e-6 for s in range(40)]
    assert 5 < sum(gray) < 30


def test_light_falls_smoothly_and_never_to_nothing() -> None:
    fields = [falling_light(64, np.random.default_rng(seed)) for seed in range(30)]
    assert all(field.shape == (64, 64) and field.min() > 0.1 and field.max() < 1.5 for field in fields)
    assert all(np.abs(np.diff(field, axis=axis)).max() < 0.05 for field in fields for axis in (0, 1))
    assert max(np.ptp(field) for field in fields) > 0.4


def test_the_corpus_is_read_as_listed(tmp_path: Path) -> None:
    Image.fromarray(np.full((20, 30), 90, np.uint8)).save(tmp_path / "i.png")
    Image.fromarray(np.full((20, 30), 2, np.uint8)).save(tmp_path / "m.png")
    with (tmp_path / "segmentation.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["split", "source", "image", "mask"])
        rows.writerow(["train", "ai4mars", "i.png", "m.png"])
        rows.writerow(["val", "marsscapes", "i.png", "m.png"])
    (train_image,) = labelled_images(tmp_path, "train")
    (val_image,) = labelled_images(tmp_path, "val")
    assert train_image.rgb.shape == (20, 30, 3)
    assert (train_image.target == SAND).all()
    assert (val_image.target == SOIL).all()


def small_corpus() -> TerrainCorpus:
    target = np.full((160, 180), SOIL)
    target[:60], target[60:90] = SKY, ROCK
    target[100:, :60] = SAND
    rocks = np.full((150, 150), NOT_ROCK)
    rocks[40:80, 40:80] = ROCK
    return TerrainCorpus([labelled("marsscapes", target), labelled("marsdata_rocks", rocks)])


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    corpus, recipe = small_corpus(), Recipe(batch=2, size=32)
    first, again, other = (batch_of(corpus, recipe, step) for step in (4, 4, 5))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_training_starts_saves_and_resumes(tmp_path: Path) -> None:
    corpus = small_corpus()
    recipe = Recipe(budget=0.5, batch=2, size=32, warm_up=2, frozen=1, checkpoint_every=0.2, config=TINY)
    torch.manual_seed(0)
    network = SegFormer(TINY)
    frozen = network.encoder.stem.weight.clone()
    before = network.decoder.classify.weight.clone()
    last = list(train(network, corpus, tmp_path, recipe))[-1]
    assert torch.equal(network.encoder.stem.weight, frozen)
    assert not torch.equal(network.decoder.classify.weight, before)
    resumed = SegFormer(TINY)
    reports = list(train(resumed, corpus, tmp_path, replace(recipe, budget=last.elapsed + 0.3), resume=True))
    assert reports[0].step > last.step
    assert reports[0].elapsed > last.elapsed
    averaged = SegFormer(TINY)
    load_average(averaged, tmp_path)
    assert all(torch.isfinite(p).all() for p in averaged.parameters())


def test_scores_count_pixels() -> None:
    target = np.array([[SKY, SAND, SOIL, ROCK, IGNORE]], np.uint8)
    found = summary(confusion(np.array([[SKY, SOIL, SOIL, ROCK, SKY]]), target))
    assert found["accuracy"] == 0.75
    assert found["iou"] == {"sky": 1.0, "sand": 0.0, "soil": 0.5, "rock": 1.0}
    rocks = np.array([[NOT_ROCK, NOT_ROCK, ROCK]], np.uint8)
    assert summary(confusion(np.array([[SAND, ROCK, ROCK]]), rocks)) == {"rock_iou": 0.5, "accuracy": 0.6667}


def test_folding_a_normalisation_changes_nothing() -> None:
    """The converter's folded convolution does what convolution and batch normalisation did."""
    from marsqe.train.terrain_encoder import folded

    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 5, 3, bias=False)
    norm = torch.nn.BatchNorm2d(5, eps=1e-3)
    for values in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        assert values is not None
        values.uniform_(0.5, 1.5)
    norm.eval()
    state = {f"c.{k}": v for k, v in conv.state_dict().items()} | {f"n.{k}": v for k, v in norm.state_dict().items()}
    weight, bias = folded(state, "c", "n")
    x = torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(torch.nn.functional.conv2d(x, weight, bias), norm(conv(x)))


def test_the_converted_encoder_has_every_tensor_that_ours_wants() -> None:
    ours = SegFormer().encoder.state_dict()
    shapes = {name.rsplit(".", 1)[0]: value.shape for name, value in ours.items() if name.endswith("weight")}
    theirs: dict[str, torch.Tensor] = {}
    number = 0

    def put(conv: str, norm: str, shape: torch.Size) -> None:
        theirs[f"{conv}.weight"] = torch.zeros(shape)
        for field in ("weight", "bias", "running_mean", "running_var"):
            theirs[f"{norm}.{field}"] = torch.ones(shape[0])

    put("_conv_stem", "_bn0", shapes["stem"])
    for stage, blocks in ((0, 1), (1, 2), (2, 2), (3, 3), (4, 3), (5, 4), (6, 1)):
        for block in range(blocks):
            for ours_name, (conv, norm) in {
                "expand": ("_expand_conv", "_bn0"),
                "depthwise": ("_depthwise_conv", "_bn1"),
                "project": ("_project_conv", "_bn2"),
            }.items():
                name = f"stages.{stage}.{block}.{ours_name}"
                if name in shapes:
                    put(f"_blocks.{number}.{conv}", f"_blocks.{number}.{norm}", shapes[name])
            number += 1
    out = converted(theirs)
    assert {k: v.shape for k, v in out.items()} == {k: v.shape for k, v in ours.items()}


def test_exported_weights_are_half_and_the_card_reads_well() -> None:
    state = SegFormer(TINY).state_dict()
    assert {v.dtype for v in half(state).values()} == {torch.float16, torch.int64}
    card = {
        "name": "n", "parameters": 1234, "known_failures": ["takes plumes for sand"], "trained_on": "t", "split": "s",
        "command": "c", "hours": 0.5, "device": "d", "weights_sha256": "abc", "licence": "l", "credits": "r",
        "validation": {
            "panoramas": {"iou": {"sky": 0.9512, "rock": 0.7}, "mean_iou": 0.8256, "accuracy": 0.9},
            "stones": {"rock_iou": 0.6, "accuracy": 0.8},
        },
    }  # fmt: skip
    text = readable(card)
    assert "| panoramas | 0.951 | - | - | 0.700 | 0.826 | 0.900 |" in text
    assert "| stones | - | - | - | 0.600 | - | 0.800 |" in text
    assert "- takes plumes for sand" in text
