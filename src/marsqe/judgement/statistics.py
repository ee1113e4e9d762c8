"""Statistics of natural scenes that BRISQUE and NIQE measure (Mittal, Moorthy & Bovik 2012; Mittal et al. 2013)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from scipy.special import gamma as gamma_function

from marsqe.colour import luma
from marsqe.image import Pixels
from marsqe.judgement.pairs import peak

Floats = NDArray[np.float64]

# To the right, below, and along both diagonals.
_NEIGHBOURS: Final = ((0, 1), (1, 0), (1, 1), (1, -1))
_WINDOW: Final = 7
_SIGMA: Final = 7 / 6
_FLAT: Final = 1e-9


def luma_255(pixels: Pixels) -> Floats:
    """BT.601 luma of gray or RGB pixels, rounded at their own depth, on a scale of 0 to 255."""
    return luma(pixels).astype(np.float64) * (255 / peak(pixels))


def normalised(plane: Floats) -> Floats:
    """Contrast-normalised luminance: deviation from the local mean over the local deviation plus one DN.

    The locality is a Gaussian window of 7 x 7 pixels and sigma 7/6; borders are repeated.
    """
    taps = np.exp(-0.5 * ((np.arange(_WINDOW) - _WINDOW // 2) / _SIGMA) ** 2)
    taps /= taps.sum()

    def blur(x: Floats) -> Floats:
        return correlate1d(correlate1d(x, taps, axis=0, mode="nearest"), taps, axis=1, mode="nearest")

    mean = blur(plane)
    # A flat place has a variance of zero give or take rounding.
    deviation = np.sqrt(np.abs(blur(plane**2) - mean**2))
    field = (plane - mean) / (deviation + 1)
    # There, rounding alone would also decide the signs that the fits count, differently on every machine.
    return np.where(np.abs(field) < _FLAT, 0, field)


def halved(plane: Floats, taps: Floats, mode: Literal["edge", "symmetric"]) -> Floats:
    """Every second sample between pixels of a separable filter with an even number of taps; an odd last line is cut."""
    for axis in (0, 1):
        x = np.moveaxis(plane, axis, 0)
        x = x[: x.shape[0] // 2 * 2]
        outer = taps.size // 2 - 1
        padded = np.pad(x, ((outer, outer), (0, 0)), mode=mode)
        plane = np.moveaxis(sum(t * padded[k : k + x.shape[0] : 2] for k, t in enumerate(taps)), 0, axis)
    return plane


def products(plane: Floats, *, wrap: bool) -> Iterator[Floats]:
    """Each pixel times its neighbour in four directions, over the last two axes.

    At the border the neighbour is that of the opposite side (``wrap``), or zero.
    """
    for down, right in _NEIGHBOURS:
        shifted = np.roll(plane, (down, right), axis=(-2, -1))
        if not wrap:
            if down:
                shifted[..., 0, :] = 0
            if right:
                shifted[..., :, 0 if right > 0 else -1] = 0
        yield plane * shifted


def asymmetric_fit(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Fit an asymmetric generalised Gaussian by its moments, over the last two axes.

    Returns
    -------
    shape, left, right : ndarray
        Shape parameter (0.2 to 10, in steps of 0.001) and the deviations of negative and positive values, of the
        leading axes of ``values``. NaN where values of either sign are missing.
    """
    axes = (-2, -1)
    square = values**2
    with np.errstate(divide="ignore", invalid="ignore"):
        left, right = (
            np.sqrt(np.where(side, square, 0).sum(axis=axes) / side.sum(axis=axes)) for side in (values < 0, values > 0)
        )
        ratio = left / right
        moments = np.abs(values).mean(axis=axes) ** 2 / square.mean(axis=axes)
        wanted = moments * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    shapes, table = _ratio_table()
    place = np.clip(np.searchsorted(table, wanted), 1, table.size - 1)
    place -= np.abs(table[place - 1] - wanted) <= np.abs(table[place] - wanted)
    return np.where(np.isnan(wanted), np.nan, shapes[place]), left, right


def spread(shape: Any) -> Any:
    """Scale parameter over the deviation, of a generalised Gaussian of this shape."""
    return np.sqrt(gamma_function(1 / shape) / gamma_function(3 / shape))


def offset(shape: Any, left: Any, right: Any) -> Any:
    """Mean of an asymmetric generalised Gaussian of this shape and these deviations."""
    return (right - left) * spread(shape) * gamma_function(2 / shape) / gamma_function(1 / shape)


@cache
def _ratio_table() -> tuple[Floats, Floats]:
    """Shapes and their ratio of squared mean magnitude to variance, which rises with the shape."""
    shapes = np.arange(200, 10001) / 1000
    return shapes, gamma_function(2 / shapes) ** 2 / (gamma_function(1 / shapes) * gamma_function(3 / shapes))
