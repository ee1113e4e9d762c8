"""Build the reference dictionary: for each terrain class, the patches that best cover its textures.

What "best" means is a choice: textures as LBP sees them (what the product matches by), as the encoder of marsqe-swift
sees them, or none, by chance. ``benchmarks/dictionary.py`` compares them by what they bring.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from marsqe.codecs.jpeg import decode_jpeg, encode_jpeg
from marsqe.colour import luma
from marsqe.export.atomic import atomic, write_whole
from marsqe.matching.dictionary import Entry
from marsqe.matching.lbp import kl_divergence, lbp_histograms
from marsqe.results import TILE
from marsqe.terrain import CLASSES
from marsqe.train.corpus import load_pixels

MASK_VALUES: Final = {"sky": (6,), "sand": (3,), "soil": (0, 2), "rock": (1, 4)}
"""MarsScapes mask values of each class."""

_PURITY: Final = 0.85
_STRIDE: Final = 32
_LEAST_DEVIATION: Final = {"sky": 0.5}
_CREDIT: Final = "NASA/JPL-Caltech/MSSS"

Choice = Literal["lbp", "learned", "random"]
CHOICES: Final[dict[Choice, str]] = {
    "lbp": "k-medoids of KL divergence of LBP",
    "learned": "k-medoids of the cosine distance of marsqe-swift's features",
    "random": "by chance",
}


@dataclass(frozen=True)
class Candidate:
    """A patch that may serve as a reference, with the LBP histogram of its compressed twin."""

    entry: Entry
    patch: NDArray[np.uint8]
    histogram: NDArray[np.float64]


def candidates(data: Path, quality: int = 30) -> Iterator[Candidate]:
    """Pure, well-exposed patches of the labelled training mosaics, at every 32 pixels."""
    with (data / "segmentation.csv").open(newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["split"] == "train" and r["source"] == "marsscapes"]
    for row in rows:
        pixels, mask = load_pixels(data / row["image"]), load_pixels(data / row["mask"])
        for y in range(0, pixels.shape[0] - TILE + 1, _STRIDE):
            for x in range(0, pixels.shape[1] - TILE + 1, _STRIDE):
                window = (slice(y, y + TILE), slice(x, x + TILE))
                terrain = _pure_class(mask[window])
                patch = pixels[window]
                if terrain is None or not _usable(patch, terrain):
                    continue
                twin = decode_jpeg(encode_jpeg(patch, quality=quality))
                entry = Entry(terrain, Path(row["image"]).name, x, y, _CREDIT)
                yield Candidate(entry, patch, lbp_histograms(luma(twin))[0, 0])


def _pure_class(mask: NDArray[np.uint8]) -> str | None:
    for name, values in MASK_VALUES.items():
        if np.isin(mask, values).mean() >= _PURITY:
            return name
    return None


def _usable(patch: NDArray[np.uint8], terrain: str) -> bool:
    brightest, mean = patch.max(axis=2), patch.mean(axis=2)
    deviation = _LEAST_DEVIATION.get(terrain, 5.0)
    return bool((brightest <= 2).mean() < 0.01 and (brightest >= 254).mean() < 0.05 and mean.std() >= deviation)


def k_medoids(distances: NDArray[np.float64], k: int, entries: Sequence[Entry], most_per_image: int = 2) -> list[int]:
    """Indices of k patches that leave the least total distance to their nearest chosen one.

    Greedy start, then swaps while any helps; at most ``most_per_image`` of one image, which do not overlap.

    Parameters
    ----------
    distances : ndarray of float64, shape (n, n)
        ``distances[i, j]``: cost of serving j by i.
    """

    def cost(chosen: list[int]) -> float:
        return float(distances[chosen].min(axis=0).sum())

    chosen: list[int] = []
    for _ in range(k):
        options = _allowed(chosen, entries, k, most_per_image)
        chosen.append(min(options, key=lambda i: cost([*chosen, i])))
    improved = True
    while improved:
        improved = False
        for place in range(k):
            rest = chosen[:place] + chosen[place + 1 :]
            options = _allowed(rest, entries, k, most_per_image)
            best = min(options, key=lambda i: cost([*rest, i]))
            if cost([*rest, best]) < cost(chosen) - 1e-9:
                chosen = [*chosen[:place], best, *chosen[place + 1 :]]
                improved = True
    return chosen


def at_random(k: int, entries: Sequence[Entry], random: np.random.Generator, most_per_image: int = 2) -> list[int]:
    """Indices of k patches by chance, under the same conditions as :func:`k_medoids`."""
    chosen: list[int] = []
    for _ in range(k):
        chosen.append(int(random.choice(_allowed(chosen, entries, k, most_per_image))))
    return chosen


def _allowed(chosen: Sequence[int], entries: Sequence[Entry], k: int, most_per_image: int) -> list[int]:
    """Patches that may be chosen beside others: few of one image, and these do not overlap."""

    def fits(new: Entry) -> bool:
        same = [entries[c] for c in chosen if entries[c].source == new.source]
        apart = all(max(abs(e.x - new.x), abs(e.y - new.y)) >= TILE for e in same)
        return apart and len(same) < most_per_image

    found = [i for i, entry in enumerate(entries) if fits(entry)]
    if not found:
        raise ValueError(f"only {len(chosen)} of {k} references can be chosen; label more images")
    return found


def _learned_distances(pool: Sequence[Candidate]) -> NDArray[np.float64]:
    """Cosine distances (n, n) of mean and deviation of what marsqe-swift's encoder makes of the raw patches."""
    import torch

    from marsqe.networks.conditioning import CONDITION_SIZE
    from marsqe.networks.registry import load
    from marsqe.networks.swift import MarsQESwift

    network = load("marsqe-swift")
    assert isinstance(network, MarsQESwift)
    described = []
    with torch.inference_mode():
        for candidate in pool:
            pixels = torch.from_numpy(candidate.patch.transpose(2, 0, 1).astype(np.float32) / 255)[None]
            _, coarse = network.encode(pixels, torch.zeros(1, CONDITION_SIZE))
            described.append(torch.cat([coarse.mean(dim=(0, 2, 3)), coarse.std(dim=(0, 2, 3))]).numpy())
    features = np.stack(described).astype(np.float64)
    features = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-9)
    features /= np.linalg.norm(features, axis=1, keepdims=True) + 1e-9
    distances: NDArray[np.float64] = 1 - features @ features.T
    return distances


def _chosen(pool: Sequence[Candidate], k: int, choice: Choice, random: np.random.Generator) -> list[int]:
    entries = [c.entry for c in pool]
    if choice == "random":
        return at_random(k, entries, random)
    if choice == "learned":
        return k_medoids(_learned_distances(pool), k, entries)
    histograms = np.stack([c.histogram for c in pool])
    return k_medoids(kl_divergence(histograms[:, None], histograms[None]), k, entries)


def build_dictionary(
    data: Path,
    out: Path,
    per_class: int = 6,
    most_candidates: int = 250,
    seed: int = 1,
    choice: Choice = "lbp",
) -> None:
    """Write ``dictionary.png`` (a row of patches for each class) and ``dictionary.json`` (their origins) to ``out``."""
    random = np.random.default_rng(seed)
    found = list(candidates(data))
    sheet = np.zeros((len(CLASSES) * TILE, per_class * TILE, 3), np.uint8)
    entries = []
    for row, name in enumerate(CLASSES):
        pool = [c for c in found if c.entry.terrain == name]
        pool = [pool[i] for i in random.permutation(len(pool))[:most_candidates]]
        for column, index in enumerate(_chosen(pool, per_class, choice, random)):
            sheet[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = pool[index].patch
            entries.append(asdict(pool[index].entry))
    listing = {"tile": TILE, "per_class": per_class, "choice": CHOICES[choice], "entries": entries}
    out.mkdir(parents=True, exist_ok=True)
    with atomic(out / "dictionary.png") as part:
        Image.fromarray(sheet).save(part, "PNG", optimize=True)
    write_whole(out / "dictionary.json", (json.dumps(listing, indent=1) + "\n").encode())
