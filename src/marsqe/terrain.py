"""Terrain classes and the labels of an image. A value; the network that makes it lives in ``marsqe.segmentation``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import SettingError

CLASSES: Final = ("sky", "sand", "soil", "rock")
"""Class names; the label of ``CLASSES[i]`` is ``i + 1``, and 0 is unlabelled."""

UNLABELLED: Final = 0

COLOURS: Final = {
    "sky": (86, 180, 233),
    "sand": (240, 228, 66),
    "soil": (213, 94, 0),
    "rock": (0, 114, 178),
}
"""RGB per class, from the Okabe-Ito palette, told apart by colour-blind readers."""

PALETTES: Final = {
    "okabe-ito": COLOURS,
    "tol-muted": {
        "sky": (136, 204, 238),
        "sand": (221, 204, 119),
        "soil": (204, 102, 119),
        "rock": (51, 34, 136),
    },
}
"""RGB per class of every palette: the usual one, and calmer ones from Paul Tol's "muted" scheme, as safe."""


@dataclass(frozen=True)
class Terrain:
    """Terrain of an image.

    Attributes
    ----------
    labels : ndarray of uint8, shape (H, W)
        0 unlabelled, 1 sky, 2 sand, 3 soil, 4 rock.
    probabilities : ndarray of float32, shape (4, H, W), or None
        In the order of ``CLASSES``, summing to 1; None for labels that a person drew or a file gave.
    source : str
        Who drew the labels: a network with the hash of its weights, or "given".

    Raises
    ------
    SettingError
        If the labels have another shape or dtype, or any is above 4.
    """

    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32] | None = None
    source: str = "given"

    def __post_init__(self) -> None:
        if self.labels.ndim != 2 or self.labels.dtype != np.uint8 or self.labels.max(initial=0) > len(CLASSES):
            raise SettingError(f"terrain labels must be (height, width) of uint8, 0 to {len(CLASSES)}")

    def shares(self) -> dict[str, float]:
        """Share of the labelled pixels per class, 0-1; all zero where nothing is labelled."""
        counts = np.bincount(self.labels.ravel(), minlength=len(CLASSES) + 1)[1 : len(CLASSES) + 1]
        total = max(1, int(counts.sum()))
        return {name: int(n) / total for name, n in zip(CLASSES, counts, strict=True)}
