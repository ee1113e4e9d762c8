"""The network over an image of any size: overlapping windows, blended where they overlap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.terrain import CLASSES

if TYPE_CHECKING:
    import torch
    from torch import nn

WINDOW: Final = (800, 1200)
"""Height and width of a window: the larger view of a frame of 4:3 or 3:2 is one window."""

OVERLAP: Final = 192
"""Pixels that neighbouring windows share at least."""


def starts(length: int, window: int, overlap: int = OVERLAP) -> list[int]:
    """First pixels of evenly spread windows that cover ``length`` and overlap by at least ``overlap``."""
    if length <= window:
        return [0]
    count = -(-(length - overlap) // (window - overlap))
    return [round(i * (length - window) / (count - 1)) for i in range(count)]


def ramp(length: int, overlap: int = OVERLAP) -> NDArray[np.float32]:
    """Weight of a window's pixels along one side: 1 inside, falling linearly towards both ends, never 0."""
    edge = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
    return np.minimum(1.0, edge / overlap).astype(np.float32)


def corners(height: int, width: int) -> list[tuple[int, int]]:
    """Top left corners of all windows, row by row."""
    return [(y, x) for y in starts(height, WINDOW[0]) for x in starts(width, WINDOW[1])]


class Blend:
    """Weighted mean of overlapping windows' class probabilities."""

    def __init__(self, height: int, width: int) -> None:
        self.sums = np.zeros((len(CLASSES), height, width), np.float32)
        self.weights = np.zeros((height, width), np.float32)

    def add(self, y: int, x: int, probabilities: NDArray[np.float32]) -> None:
        """Add the probabilities (4, h, w) of the window at (y, x)."""
        height, width = probabilities.shape[1:]
        weight = np.outer(ramp(height), ramp(width))
        window = np.s_[y : y + height, x : x + width]
        self.sums[:, *window] += probabilities * weight
        self.weights[window] += weight

    def mean(self) -> NDArray[np.float32]:
        """Blended probabilities (4, H, W)."""
        return self.sums / self.weights


def window_probabilities(
    network: nn.Module, image: NDArray[np.float32], device: torch.device
) -> Iterator[tuple[int, int, NDArray[np.float32]]]:
    """Probabilities (4, h, w) of each window of an (H, W, 3) float image, with its corner."""
    import torch

    for y, x in corners(*image.shape[:2]):
        window = np.ascontiguousarray(image[y : y + WINDOW[0], x : x + WINDOW[1]])
        with torch.inference_mode():
            inputs = torch.from_numpy(window).to(device).permute(2, 0, 1)[None]
            found = network(inputs).float().softmax(dim=1)[0]
        yield y, x, found.cpu().numpy()
