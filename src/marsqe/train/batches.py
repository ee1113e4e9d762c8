"""Batches whose content depends only on the seed and the step: a resumed run sees what the first would have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from marsqe.train.corpus import PLAIN_SCALES
from marsqe.train.degrade import USUAL, Degradation, plain_pair, training_pair
from marsqe.train.packed import open_corpus
from marsqe.train.references import Matcher


class PairDataset(Dataset[tuple[Tensor, ...]]):
    """Training pairs by number: ``(compressed, raw)`` (3, S, S) uint8 and the condition (12,).

    With ``references`` also the raw references and their twins (n, 3, 128, 128) uint8 of the patch's n tiles, and the
    labels (S, S) uint8.
    """

    def __init__(self, data: Path, size: int, seed: int, how: Degradation = USUAL, *, references: bool = False) -> None:
        self.corpus, self.size, self.seed = open_corpus(data, size + (32 if data.is_dir() else 16)), size, seed
        self.how = how
        self.matcher = Matcher() if references else None

    def __getitem__(self, number: int) -> tuple[Tensor, ...]:
        random = np.random.default_rng((self.seed, number))
        side = self.size + 16
        if self.how.is_plain(random):
            pair = plain_pair(self.corpus.crop(random, side, PLAIN_SCALES), random, self.size)
        else:
            pair = training_pair(self.corpus.crop(random, side), random, self.size, self.how)
        sample = (_planes(pair.compressed), _planes(pair.raw), torch.from_numpy(pair.condition))
        if self.matcher is None:
            return sample
        matched = self.matcher.match(pair.compressed, pair.compression, colour=bool(pair.condition[10]))
        return *sample, _planes(matched.raw), _planes(matched.twins), torch.from_numpy(matched.labels)


def _planes(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels, -1, -3)))


class _From(Sampler[int]):
    """Numbers from ``first`` on: of every ``world`` runs of ``batch`` numbers the one of ``rank``."""

    def __init__(self, first: int, batch: int, rank: int, world: int) -> None:
        self.first, self.batch, self.rank, self.world = first, batch, rank, world

    def __iter__(self) -> Iterator[int]:
        step = self.first
        while True:
            start = (step * self.world + self.rank) * self.batch
            yield from range(start, start + self.batch)
            step += 1


def batches(
    data: Path,
    *,
    batch: int,
    size: int,
    seed: int,
    first_step: int,
    workers: int,
    how: Degradation = USUAL,
    references: bool = False,
    rank: int = 0,
    world: int = 1,
) -> DataLoader[object]:
    """Endless batches from ``first_step`` on; each of ``world`` processes has its own, of ``batch`` pairs."""
    return DataLoader(
        PairDataset(data, size, seed, how, references=references),
        batch_size=batch,
        sampler=_From(first_step, batch, rank, world),
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        persistent_workers=bool(workers),
    )
