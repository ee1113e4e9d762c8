"""Means over images and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

RESAMPLES: Final = 2000
SEED: Final = 1


@dataclass(frozen=True)
class Estimate:
    """Mean of n values with its bootstrap 95 % interval; NaN where n is too small for either."""

    mean: float
    low: float
    high: float
    n: int

    def text(self, digits: int = 2, sign: bool = False) -> str:
        """For example ``34.61 [34.20, 35.02]``; a dash where there is nothing."""
        if self.n == 0 or np.isnan(self.mean):
            return "–"
        plus = "+" if sign else ""
        mean = f"{self.mean:{plus}.{digits}f}"
        return mean if np.isnan(self.low) else f"{mean} [{self.low:{plus}.{digits}f}, {self.high:{plus}.{digits}f}]"

    def shown(self, digits: int = 2, *, sign: bool = False) -> Shown:
        """A cell of a table: text on the page, three columns of numbers in the CSV file."""
        return Shown(self, digits, sign)


@dataclass(frozen=True)
class Shown:
    """An estimate as a cell of a table."""

    estimate: Estimate
    digits: int
    sign: bool = False

    def __str__(self) -> str:
        return self.estimate.text(self.digits, self.sign)

    def numbers(self) -> list[str]:
        """Mean, lower and upper end; empty where there is none."""
        e = self.estimate
        return ["" if math.isnan(x) else f"{x:.6g}" for x in (e.mean, e.low, e.high)]


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and percentile bootstrap interval over images (2000 resamples, fixed seed).

    NaN values are left out, and so are infinite ones (images that came back identical).
    """
    array = np.asarray([v for v in values if np.isfinite(v)], dtype=np.float64)
    if array.size == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    if array.size == 1:
        return Estimate(float(array[0]), float("nan"), float("nan"), 1)
    draws = np.random.default_rng(SEED).integers(array.size, size=(RESAMPLES, array.size))
    low, high = np.percentile(array[draws].mean(axis=1), [2.5, 97.5])
    return Estimate(float(array.mean()), float(low), float(high), int(array.size))
