"""Choosing the reference patches of the dictionary."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenes import texture

from marsqe.matching.dictionary import Entry, dictionary_from_sheet
from marsqe.results import TILE
from marsqe.terrain import CLASSES
from marsqe.train.dictionary import CHOICES, Choice, at_random, build_dictionary, k_medoids


def random() -> np.random.Generator:
    return np.random.default_rng(0)


def far(count: int) -> list[Entry]:
    return [Entry("rock", f"image{i}", 0, 0, "NASA") for i in range(count)]


def test_medoids_of_a_toy_case_are_the_best_of_all() -> None:
    generator = random()
    for _ in range(5):
        points = np.concatenate([generator.normal(centre, 0.3, 4) for centre in (0, 10, 25)])
        distances = np.abs(points[:, None] - points[None])

        def cost(chosen: Any, table: NDArray[np.float64] = distances) -> float:
            return float(table[list(chosen)].min(axis=0).sum())

        best = min(itertools.combinations(range(12), 3), key=cost)
        assert cost(k_medoids(distances, 3, far(12))) == pytest.approx(cost(best))


def test_medoids_serve_from_reference_to_tile() -> None:
    """``distances[i, j]`` is what it costs to serve j by i: the direction of Eq. 1."""
    distances = np.array([[0.0, 1, 1], [9, 0, 9], [9, 9, 0]])
    assert k_medoids(distances, 1, far(3)) == [0]
    assert k_medoids(distances.T, 1, far(3)) != [0]


def test_medoids_come_from_several_images_and_do_not_overlap() -> None:
    entries = [Entry("rock", "a", 32 * i, 0, "") for i in range(10)] + [Entry("rock", "b", 0, 0, "")]
    distances = np.abs(np.arange(11.0)[:, None] - np.arange(11.0)[None])
    chosen = k_medoids(distances, 3, entries)
    assert 10 in chosen
    first, second = (entries[c].x for c in chosen if c != 10)
    assert abs(first - second) >= TILE
    with pytest.raises(ValueError, match="only 3 of 4"):
        k_medoids(distances, 4, entries)


def test_chance_keeps_to_the_same_conditions() -> None:
    entries = [Entry("rock", "a", 32 * i, 0, "") for i in range(10)] + [Entry("rock", "b", 0, 0, "")]
    draws = [at_random(3, entries, np.random.default_rng(seed)) for seed in range(20)]
    for chosen in draws:
        assert 10 in chosen
        first, second = (entries[c].x for c in chosen if c != 10)
        assert abs(first - second) >= TILE
    assert len({tuple(chosen) for chosen in draws}) > 5


@pytest.mark.parametrize("choice", ["lbp", "learned", "random"])
def test_dictionary_is_built_from_labelled_images_alone(tmp_path: Path, choice: Choice) -> None:
    """A synthetic folder: two images of each class, one of another split; what is built is what is opened."""
    value = {"sky": 6, "sand": 3, "soil": 2, "rock": 4}
    rows = []
    for number, (name, mask) in enumerate(value.items()):
        for index in range(2):
            stem = f"{name}{index}"
            Image.fromarray(texture(TILE, TILE + 32, seed=10 * number + index)).save(tmp_path / f"{stem}.png")
            Image.fromarray(np.full((TILE, TILE + 32), mask, np.uint8)).save(tmp_path / f"{stem}m.png")
            rows.append(["train", "marsscapes", f"{stem}.png", f"{stem}m.png"])
    Image.fromarray(texture(TILE, TILE)).save(tmp_path / "v.png")
    rows.append(["val", "marsscapes", "v.png", "sky0m.png"])
    with (tmp_path / "segmentation.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["split", "source", "image", "mask"], *rows])
    build_dictionary(tmp_path, tmp_path / "out", per_class=2, choice=choice)
    listing = json.loads((tmp_path / "out" / "dictionary.json").read_text())
    assert listing["choice"] == CHOICES[choice]
    with Image.open(tmp_path / "out" / "dictionary.png") as image:
        built = dictionary_from_sheet(np.asarray(image.convert("RGB")), listing)
    for label, name in enumerate(CLASSES, start=1):
        assert {e.source for e in built.entries[label]} == {f"{name}0.png", f"{name}1.png"}
        for index, entry in enumerate(built.entries[label]):
            with Image.open(tmp_path / entry.source) as image:
                source = np.asarray(image)[entry.y : entry.y + TILE, entry.x : entry.x + TILE]
            np.testing.assert_array_equal(built.reference(label, index), source)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["dictionary.json", "dictionary.png"]
