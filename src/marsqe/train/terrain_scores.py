"""Scores of the terrain network on validation images, through the very steps that a user's image takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from marsqe.colour import LUMA_WEIGHTS
from marsqe.segmentation.run import class_probabilities
from marsqe.terrain import CLASSES
from marsqe.train.terrain_data import NOT_ROCK, ROCK, Labelled


def confusion(labels: NDArray[np.integer], target: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Counts (5, 4) of pixels per target (rows: four classes, anything but rock) and predicted class 0-3."""
    known = target <= NOT_ROCK
    index = target[known].astype(np.int64) * len(CLASSES) + labels[known]
    return np.bincount(index, minlength=(NOT_ROCK + 1) * len(CLASSES)).reshape(NOT_ROCK + 1, len(CLASSES))


def summary(counts: NDArray[np.int64]) -> dict[str, Any]:
    """Intersection over union per class that occurs, their mean, accuracy; only rock where only rock is labelled."""
    if counts[NOT_ROCK].any():
        hit, rest = counts[ROCK, ROCK], counts[NOT_ROCK, ROCK]
        right = hit + counts[NOT_ROCK, :ROCK].sum()
        return {"rock_iou": _ratio(hit, counts[ROCK].sum() + rest), "accuracy": _ratio(right, counts.sum())}
    square = counts[: len(CLASSES)]
    either = square.sum(axis=0) + square.sum(axis=1) - square.diagonal()
    iou = {name: _ratio(square[i, i], either[i]) for i, name in enumerate(CLASSES) if square[i].any()}
    return {
        "iou": iou,
        "mean_iou": round(float(np.mean(list(iou.values()))), 4),
        "accuracy": _ratio(square.diagonal().sum(), square.sum()),
        "confusion": square.tolist(),
    }


def _ratio(part: np.int64, whole: np.int64) -> float:
    return round(float(part) / max(1.0, float(whole)), 4)


def scores(network: nn.Module, images: Iterable[Labelled], *, gray: bool = False) -> dict[str, Any]:
    """Scores per source; with ``gray`` the images lose their colour first."""
    counts: dict[str, NDArray[np.int64]] = {}
    for image in images:
        pixels = np.rint(image.rgb @ LUMA_WEIGHTS).astype(np.uint8) if gray else image.rgb
        labels = class_probabilities(network, pixels, torch.device("cpu")).argmax(axis=0)
        counts[image.source] = counts.get(image.source, 0) + confusion(labels, image.target)
    return {source: summary(count) for source, count in counts.items()}
