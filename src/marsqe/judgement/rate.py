"""Rate: bits per pixel, and the Bjøntegaard delta rate of two rate-distortion curves (extra ``metrics``)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import SettingError
from marsqe.judgement.optional import from_extra

_POINTS = 4


def bits_per_pixel(size: int, shape: tuple[int, ...]) -> float:
    """Bits of a file of ``size`` bytes, header included, for each pixel of an image of ``shape`` (H, W, ...)."""
    if size < 0 or len(shape) < 2 or min(shape[:2]) < 1:
        raise SettingError(f"{size} bytes for an image of shape {shape} have no rate; give its size and (H, W)")
    return 8 * size / (shape[0] * shape[1])


def bd_rate(
    rate: Sequence[float], quality: Sequence[float], anchor_rate: Sequence[float], anchor_quality: Sequence[float]
) -> float:
    """Bjøntegaard delta rate in percent: the mean change of rate at equal quality (VCEG-M33, 2001).

    A cubic polynomial of log10 rate over quality is fitted to each curve and integrated over the qualities that both
    reach.

    Parameters
    ----------
    rate, anchor_rate : sequence of float
        Rates above zero, in one unit of your choice (such as bits per pixel), of the method and of what it is
        compared with. At least four points each, in any order.
    quality, anchor_quality : sequence of float
        Quality at these rates, higher being better: PSNR in dB, for instance. It has to rise with the rate.

    Returns
    -------
    float
        Negative where the method saves rate: -50 for half of it. NaN where the curves share no quality.

    Raises
    ------
    SettingError
        If a curve is too short, is not finite, or falls.
    MissingExtraError
        If bjontegaard is not installed.
    """
    test, anchor = _curve(rate, quality, "the method"), _curve(anchor_rate, anchor_quality, "the anchor")
    if max(test[1][0], anchor[1][0]) >= min(test[1][-1], anchor[1][-1]):
        return float("nan")
    bjontegaard = from_extra("bjontegaard", "BD-rate")
    return float(bjontegaard.bd_rate(*anchor, *test, method="cubic", require_matching_points=False, min_overlap=0))


def _curve(
    rate: Sequence[float], quality: Sequence[float], name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rates, qualities = np.asarray(rate, dtype=np.float64), np.asarray(quality, dtype=np.float64)
    if rates.ndim != 1 or rates.shape != qualities.shape or rates.size < _POINTS:
        raise SettingError(
            f"the curve of {name} has {rates.size} rates and {qualities.size} qualities; "
            f"give as many of the one as of the other, {_POINTS} or more"
        )
    if not (np.isfinite(rates).all() and np.isfinite(qualities).all() and (rates > 0).all()):
        raise SettingError(f"the curve of {name} must be of finite numbers with rates above zero")
    order = np.argsort(rates)
    rates, qualities = rates[order], qualities[order]
    if not ((np.diff(rates) > 0).all() and (np.diff(qualities) > 0).all()):
        raise SettingError(
            f"the quality of {name} must rise with the rate; leave out the points where it falls or stays, "
            "or compare the curves point by point"
        )
    return rates, qualities
