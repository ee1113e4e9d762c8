"""Intensity along a line, and how wide an edge on it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.colour import LUMA_WEIGHTS
from marsqe.errors import SettingError

CHANNELS: Final = ("luma", "red", "green", "blue")
_ENDS: Final = 0.2
_SCATTER: Final = 3.0
_LEAST: Final = 10


@dataclass(frozen=True)
class Profile:
    """Intensity of several images of one scene along one line.

    Attributes
    ----------
    start, end : (float, float)
        Row and column of the line's ends in pixels; (0, 0) is the middle of the first pixel.
    channel : str
        One of ``CHANNELS``.
    width : int
        Width of the line in pixels; values are means across it.
    distance : ndarray of float64, shape (N,)
        Pixels from the start, about one apart.
    values : dict of str to ndarray of float64, shape (N,)
        Intensity in DN by image; NaN where the line leaves it.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    channel: str
    width: int
    distance: NDArray[np.float64]
    values: dict[str, NDArray[np.float64]]

    def edge_widths(self) -> dict[str, float]:
        """The 10-90 % width of the edge in pixels by image; see :func:`edge_width`."""
        return {name: edge_width(self.distance, values) for name, values in self.values.items()}

    def rows(self) -> list[tuple[float, ...]]:
        """One line of a table for each sample: distance, row, column, and the value in each image."""
        share = self.distance / max(float(self.distance[-1]), 1e-12)
        places = np.outer(1 - share, self.start) + np.outer(share, self.end)
        table = np.column_stack([self.distance, places, *self.values.values()])
        return [tuple(line) for line in table.tolist()]


def profile(
    images: Mapping[str, NDArray[Any]],
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    channel: str = "luma",
    width: int = 1,
) -> Profile:
    """Intensity along a line, bilinearly interpolated, as ``skimage.measure.profile_line`` samples it.

    Parameters
    ----------
    images : mapping of str to ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        Images of the same scene, which lie pixel on pixel.
    start, end : (float, float)
        Row and column in pixels; they may lie outside.
    channel : str
        "luma" (BT.601), "red", "green" or "blue"; gray images have but one.
    width : int
        Width of the line in pixels, 1 or more.

    Raises
    ------
    SettingError
        If the channel is unknown, the width is below 1, the ends coincide or an end is not finite.
    """
    if channel not in CHANNELS:
        raise SettingError(f"there is no channel {channel!r}; choose one of {', '.join(CHANNELS)}")
    if width < 1:
        raise SettingError(f"a line cannot be {width} pixels wide; give 1 or more")
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    if not 0 < length < np.inf:
        raise SettingError("the line has no length; draw it from one place to another")
    values = {name: _along(pixels, start, end, channel, width) for name, pixels in images.items()}
    samples = int(np.ceil(length + 1))
    return Profile(start, end, channel, width, np.linspace(0, length, samples), values)


def edge_width(distance: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Distance over which a profile goes from 10 % to 90 % of its step.

    The step is that between the means of the first and of the last fifth of the line, so the line should run from
    one even side of an edge to the other. A sharp edge of a camera is 1 to 3 pixels wide; the edge of a Gaussian
    blur of standard deviation s is 2.56 s wide.

    Parameters
    ----------
    distance, values : ndarray, shape (N,)
        A profile; NaN are left out.

    Returns
    -------
    float
        NaN where there is no edge to measure: fewer than ten samples, or a step of less than three standard deviations
        of either end.
    """
    known = np.isfinite(values)
    distance, values = distance[known], values[known]
    if values.size < _LEAST:
        return float("nan")
    part = max(2, round(_ENDS * values.size))
    low, high = values[:part], values[-part:]
    step = high.mean() - low.mean()
    if step == 0 or abs(step) < _SCATTER * max(low.std(), high.std()):
        return float("nan")
    share = (values - low.mean()) / step
    above = int(np.argmax(share >= 0.9))
    below = np.flatnonzero(share[:above] <= 0.1)
    if below.size == 0:
        return float("nan")
    return _crossing(distance, share, above, 0.9) - _crossing(distance, share, int(below[-1]) + 1, 0.1)


def _crossing(distance: NDArray[np.float64], share: NDArray[np.float64], after: int, level: float) -> float:
    """Where the line between the samples ``after - 1`` and ``after`` reaches a level."""
    low, high = share[after - 1], share[after]
    part = (level - low) / (high - low)
    return float(distance[after - 1] + part * (distance[after] - distance[after - 1]))


def _along(
    pixels: NDArray[Any], start: tuple[float, float], end: tuple[float, float], channel: str, width: int
) -> NDArray[np.float64]:
    """As ``skimage.measure.profile_line`` does it, which would need the whole image in floating point."""
    from scipy.ndimage import map_coordinates

    way = np.subtract(end, start)
    across = np.array([-way[1], way[0]]) / np.hypot(*way)
    offsets = np.arange(width) - (width - 1) / 2
    line = np.linspace(start, end, int(np.ceil(np.hypot(*way) + 1)))
    places = (line[:, None] + offsets[:, None] * across).transpose(2, 0, 1)
    weights = LUMA_WEIGHTS if channel == "luma" else np.eye(3)[CHANNELS.index(channel) - 1]
    planes = [(pixels, 1.0)] if pixels.ndim == 2 else [(pixels[..., i], float(w)) for i, w in enumerate(weights) if w]
    total = np.zeros(len(line))
    for plane, weight in planes:
        sampled = map_coordinates(plane, places, np.float64, order=1, mode="constant", cval=np.nan)
        total += weight * sampled.mean(axis=1)
    return total
