"""Multi-scale structural similarity."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from marsqe.image import Pixels
from marsqe.judgement.pairs import peak_of

Floats = NDArray[np.float64]

SMALLEST: Final = 176
"""Shortest side in pixels: halved four times it still holds the window of 11."""

_WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_RADIUS: Final = 5
_SIGMA: Final = 1.5


def ms_ssim(image: Pixels, truth: Pixels) -> float:
    """Multi-scale SSIM (Wang, Simoncelli & Bovik 2003): five scales, Gaussian window of sigma 1.5 and 11 pixels.

    As in the paper, every scale counts only where the whole window fits. (torchmetrics mirrors the border of the last
    scale and counts it, which moves scores by some 0.0003, and needs a minute for two megapixels in float64.)

    Parameters
    ----------
    image, truth : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        Gray, or RGB as it is: each scale is the mean over the three channels. The data range is 255 or 65535.

    Returns
    -------
    float
        0 to 1, which equal images have. Negative similarities of a scale count as zero. NaN for images with a side
        under 176 pixels, where the fifth scale is smaller than the window: no fewer scales are used in its place, for
        their scores could not be compared.

    Raises
    ------
    SettingError
        If shapes or dtypes differ.
    """
    top = peak_of(image, truth)
    if min(image.shape[:2]) < SMALLEST:
        return float("nan")
    a, b = (np.ascontiguousarray(np.moveaxis(np.atleast_3d(p), 2, 0), dtype=np.float64) for p in (image, truth))
    product = 1.0
    for scale, weight in enumerate(_WEIGHTS):
        last = scale == len(_WEIGHTS) - 1
        product *= max(_similarity(a, b, top, luminance=last), 0.0) ** weight
        if not last:
            a, b = _halved(a), _halved(b)
    return product


def _similarity(a: Floats, b: Floats, top: int, *, luminance: bool) -> float:
    """Mean contrast and structure term of one scale, times the luminance term where that is wanted."""
    c1, c2 = (0.01 * top) ** 2, (0.03 * top) ** 2
    mean_a, mean_b = _blurred(a), _blurred(b)
    squares, both = mean_a**2 + mean_b**2, mean_a * mean_b
    index = (2 * (_blurred(a * b) - both) + c2) / (_blurred(a**2 + b**2) - squares + c2)
    if luminance:
        index *= (2 * both + c1) / (squares + c1)
    return float(index.mean())


def _blurred(planes: Floats) -> Floats:
    """Gaussian mean over (C, H, W) planes wherever the whole window fits."""
    taps = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    taps /= taps.sum()
    inner = slice(_RADIUS, -_RADIUS)
    return correlate1d(correlate1d(planes, taps, axis=1)[:, inner], taps, axis=2)[:, :, inner]


def _halved(planes: Floats) -> Floats:
    """Means of 2 x 2 pixels; an odd last line is cut."""
    planes = planes[:, : planes.shape[1] // 2 * 2, : planes.shape[2] // 2 * 2]
    rows = planes[:, ::2] + planes[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) / 4
