"""The metrics of :func:`marsqe.judge` for images that are too large for the memory, read row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.judgement.fidelity import SSIM_WINDOW, ssim_map
from marsqe.judgement.residual import residual, squared_error
from marsqe.progress import Progress, Steps

ReadRows = Callable[[int, int], NDArray[Any]]

_AT_ONCE: Final = 2_000_000
"""Pixels of each image that are in memory at once."""


def judge_in_bands_steps(
    shape: tuple[int, ...], enhanced: ReadRows, compressed: ReadRows, truth: ReadRows
) -> Steps[dict[str, float]]:
    """Change, PSNR and SSIM as :func:`marsqe.judge` gives them, but for the last digits of the sums.

    Parameters
    ----------
    shape : tuple of int
        (H, W) or (H, W, 3), of all three.
    enhanced, compressed, truth : callable
        Give the rows from a first up to, not including, a last one; uint8 or uint16, all of one dtype.
    """
    height, width = shape[:2]
    step = max(SSIM_WINDOW, _AT_ONCE // width)
    before, after, change, largest = _Sums(), _Sums(), 0.0, 0.0
    for top in range(0, height, step):
        yield Progress("Comparing", top, height)
        bottom = min(top + step, height)
        # The window looks beyond the band; where the image ends, so does what counts.
        first, last = max(0, top - SSIM_WINDOW // 2), min(height, bottom + SSIM_WINDOW // 2)
        original, received, made = truth(first, last), compressed(first, last), enhanced(first, last)
        own = slice(top - first, bottom - first)
        difference = residual(made[own], received[own])
        change, largest = change + float(difference.sum(dtype=np.float64)), max(largest, float(difference.max()))
        before.add(received, original, own)
        after.add(made, original, own)
    peak = np.iinfo(original.dtype).max
    gain = after.psnr(peak) - before.psnr(peak) if after.error != before.error else 0.0
    return {
        "mean_change": change / (height * width),
        "largest_change": largest,
        "psnr_compressed": before.psnr(peak),
        "psnr_enhanced": after.psnr(peak),
        "delta_psnr": gain,
        "ssim_compressed": before.ssim,
        "ssim_enhanced": after.ssim,
    }


class _Sums:
    """What PSNR and SSIM are means of, of an image that comes in bands."""

    def __init__(self) -> None:
        self.error, self._pixels, self._similarity, self._windows = 0.0, 0, 0.0, 0

    def add(self, image: NDArray[Any], truth: NDArray[Any], own: slice) -> None:
        """Add the rows ``own`` of a band with its surroundings."""
        error = squared_error(image[own], truth[own])
        self.error, self._pixels = self.error + float(error.sum(dtype=np.float64)), self._pixels + error.size
        if min(image.shape[:2]) >= SSIM_WINDOW:
            similar = ssim_map(image, truth)
            self._similarity, self._windows = self._similarity + float(similar.sum()), self._windows + similar.size

    def psnr(self, peak: int) -> float:
        return float("inf") if self.error == 0 else float(10 * np.log10(peak**2 / (self.error / self._pixels)))

    @property
    def ssim(self) -> float:
        return self._similarity / self._windows if self._windows else float("nan")
