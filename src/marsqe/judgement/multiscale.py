"""Multi-scale structural similarity, by torchmetrics (extra ``metrics``)."""

from __future__ import annotations

from typing import Final

import numpy as np

from marsqe.image import Pixels
from marsqe.judgement.optional import from_extra
from marsqe.judgement.pairs import peak_of

SMALLEST: Final = 176
"""Shortest side in pixels: halved four times it still holds the window of 11."""


def ms_ssim(image: Pixels, truth: Pixels) -> float:
    """Multi-scale SSIM (Wang, Simoncelli & Bovik 2003): five scales, Gaussian window of sigma 1.5 and 11 pixels.

    Parameters
    ----------
    image, truth : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        Gray, or RGB as it is: each scale is the mean over the three channels. The data range is 255 or 65535.

    Returns
    -------
    float
        At most 1, which equal images have. Negative similarities of a scale count as zero. NaN for images with a side
        under 176 pixels, where the fifth scale is smaller than the window: no fewer scales are used in its place, for
        their scores could not be compared.

    Raises
    ------
    SettingError
        If shapes or dtypes differ.
    MissingExtraError
        If torchmetrics is not installed.
    """
    top = peak_of(image, truth)
    if min(image.shape[:2]) < SMALLEST:
        return float("nan")
    functional = from_extra("torchmetrics.functional.image", "MS-SSIM")
    import torch

    # float64: the variances are differences of large numbers.
    planes = [
        torch.from_numpy(np.moveaxis(np.atleast_3d(p), 2, 0)[None].astype(np.float64)) for p in (image, truth)
    ]
    with torch.inference_mode():
        return float(functional.multiscale_structural_similarity_index_measure(*planes, data_range=float(top)))
