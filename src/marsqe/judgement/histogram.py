"""How often residuals of each size occur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import SettingError
from marsqe.results import Judgement


@dataclass(frozen=True)
class ResidualHistogram:
    """Shares of the pixels by size of their residual, or of their change where there is no truth.

    Attributes
    ----------
    edges : ndarray of float64, shape (N + 1,)
        Bounds of the bins in DN; the last bin also holds all that is larger.
    shares : dict of str to ndarray of float64, shape (N,)
        "compressed" and "enhanced" with a truth, "change" without one; each sums to 1.
    means : dict of str to float
        Mean in DN, by the same names.
    """

    edges: NDArray[np.float64]
    shares: dict[str, NDArray[np.float64]]
    means: dict[str, float]


def residual_histogram(judgement: Judgement, bins: int = 40) -> ResidualHistogram:
    """Histogram of a judgement's residuals, up to what 99.5 % of the compressed pixels keep to.

    Bins are whole DN wide: residuals come in thirds of one (means over three channels), and other bins would hold now
    more, now fewer of them.

    Parameters
    ----------
    judgement : Judgement
    bins : int
        At most, 2 or more.

    Raises
    ------
    SettingError
        If there are fewer than 2 bins.
    """
    if bins < 2:
        raise SettingError(f"a histogram of {bins} bins shows nothing; give 2 or more")
    before, after = judgement.residual_compressed, judgement.residual_enhanced
    if before is None or after is None:
        maps = {"change": judgement.change}
    else:
        maps = {"compressed": before, "enhanced": after}
    first = next(iter(maps.values()))
    top = max(1.0, float(np.percentile(first, 99.5)))
    width = np.ceil(top / bins)
    edges = np.arange(max(2, np.ceil(top / width)) + 1) * width
    shares = {
        name: np.histogram(np.minimum(values, edges[-1]), edges)[0] / values.size for name, values in maps.items()
    }
    return ResidualHistogram(edges, shares, {name: float(values.mean()) for name, values in maps.items()})
