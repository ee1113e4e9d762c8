"""Batches whose content depends only on the seed and the step: a resumed run sees what the first would have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from marsqe.train.corpus import Corpus
from marsqe.train.degrade import training_pair


class PairDataset(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Training pairs by number: ``(compressed, raw)`` (3, S, S) uint8 and the condition (12,)."""

    def __init__(self, data: Path, size: int, seed: int) -> None:
        self.corpus, self.size, self.seed = Corpus(data, size + 32), size, seed

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        random = np.random.default_rng((self.seed, number))
        pair = training_pair(self.corpus.crop(random, self.size + 16), random, self.size)
        planes = (torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1))) for p in (pair.compressed, pair.raw))
        return *planes, torch.from_numpy(pair.condition)  # type: ignore[return-value]


class _From(Sampler[int]):
    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        number = self.first
        while True:
            yield number
            number += 1


def batches(data: Path, *, batch: int, size: int, seed: int, first_step: int, workers: int) -> DataLoader[object]:
    """Endless batches from ``first_step`` on."""
    return DataLoader(
        PairDataset(data, size, seed),
        batch_size=batch,
        sampler=_From(first_step * batch),
        num_workers=workers,
        prefetch_factor=8 if workers else None,
        persistent_workers=bool(workers),
    )
