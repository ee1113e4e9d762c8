"""BRISQUE and NIQE: how unnatural an image looks, judged without a truth.

Both were made for photographs of the Earth. On other scenes their order of two versions of one image says more than
the numbers do.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from marsqe.image import Pixels
from marsqe.judgement.parameters import parameter_arrays
from marsqe.judgement.statistics import (
    Floats,
    asymmetric_fit,
    halved,
    luma_255,
    normalised,
    offset,
    products,
    spread,
)

BRISQUE_SMALLEST: Final = 16
NIQE_PATCH: Final = 96

NOT_COMPUTED: Final = {
    "perceptual index": (
        "it is (10 - Ma + NIQE) / 2, and the trained model of Ma et al. (2017) is to be had neither as a library nor "
        "as parameters that this package could carry; its other half, NIQE, is reported"
    )
}
"""Metrics of the paper that this package does not compute, and why; for pages and reports."""

# Cubic interpolation half-way between pixels: at a = -0.75 without, and at a = -0.5 with a filter against aliasing, as
# in the programs with which the two models were fitted.
_HALF_BRISQUE: Final = np.array([-3, 19, 19, -3]) / 32
_HALF_NIQE: Final = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256


def brisque(image: Pixels) -> float:
    """BRISQUE (Mittal, Moorthy & Bovik 2012), with the model fitted to the LIVE database.

    Parameters
    ----------
    image : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        RGB is converted to BT.601 luma, rounded, on a scale of 0 to 255.

    Returns
    -------
    float
        0 (natural) to 100. NaN for images with a side under 16 pixels, and for flat ones, which have no statistics.
        Equal to OpenCV's within 0.01 for images without flat places. In flat places (the blocks of a strong JPEG) the
        rounding of OpenCV's single precision decides to which sign a pixel counts, here it counts to neither: on
        JPEGs of quality 30 the two then differ by up to about one. So they do for odd sides, whose last line is cut
        here before the image is halved.

    Raises
    ------
    SettingError
        If the pixels are of another type or shape.
    WeightsError
        If the bundled model is missing or damaged.
    """
    plane = luma_255(image)
    if min(plane.shape) < BRISQUE_SMALLEST:
        return float("nan")
    features = np.concatenate([_brisque_features(p) for p in (plane, halved(plane, _HALF_BRISQUE, "edge"))])
    model = parameter_arrays("brisque-live.npz")
    low, high = model["range"]
    scaled = 2 * (features - low) / (high - low) - 1
    distance = ((model["support_vectors"] - scaled) ** 2).sum(axis=1)
    score = model["coefficients"] @ np.exp(-model["gamma"] * distance) - model["rho"]
    return float(np.clip(score, 0, 100))


def _brisque_features(plane: Floats) -> Floats:
    """Eighteen features of one scale."""
    field = normalised(plane)
    shape, left, right = asymmetric_fit(field)
    features = [shape, (left**2 + right**2) / 2]
    for product in products(field, wrap=False):
        shape, left, right = asymmetric_fit(product)
        features += [shape, offset(shape, left, right), left**2, right**2]
    return np.array(features)


def niqe(image: Pixels) -> float:
    """NIQE (Mittal, Soundararajan & Bovik 2013), against the published model of pristine photographs.

    Parameters
    ----------
    image : ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        RGB is converted to BT.601 luma, rounded, on a scale of 0 to 255 (not the 16 to 235 of video). Patches of
        96 x 96 from the top left are used; what is left over at the right and bottom is not.

    Returns
    -------
    float
        0 (natural) and up. NaN where fewer than two patches fit or vary.

    Raises
    ------
    SettingError
        If the pixels are of another type or shape.
    WeightsError
        If the bundled model is missing or damaged.
    """
    plane = luma_255(image)
    height, width = (side // NIQE_PATCH * NIQE_PATCH for side in plane.shape)
    if not (height and width):
        return float("nan")
    plane = plane[:height, :width]
    scales = ((plane, NIQE_PATCH), (halved(plane, _HALF_NIQE, "symmetric"), NIQE_PATCH // 2))
    features = np.concatenate([_niqe_features(_patches(normalised(p), side)) for p, side in scales], axis=1)
    # A patch without any variation, such as a black frame, tells nothing; the mean takes what it has of the others.
    whole = features[~np.isnan(features).any(axis=1)]
    if len(whole) < 2:
        return float("nan")
    model = parameter_arrays("niqe-pristine.npz")
    difference = model["mu_pris_param"][0] - np.nanmean(features, axis=0)
    covariance = (model["cov_pris_param"] + np.cov(whole, rowvar=False)) / 2
    return float(np.sqrt(difference @ np.linalg.pinv(covariance) @ difference))


def _patches(field: Floats, side: int) -> Floats:
    """(N, side, side) patches of a plane that they fill."""
    rows, columns = (length // side for length in field.shape)
    return field.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(-1, side, side)


def _niqe_features(patches: Floats) -> Floats:
    """(N, 18) features of one scale."""
    shape, left, right = asymmetric_fit(patches)
    features = [shape, spread(shape) * (left + right) / 2]
    for product in products(patches, wrap=True):
        shape, left, right = asymmetric_fit(product)
        features += [shape, offset(shape, left, right), spread(shape) * left, spread(shape) * right]
    return np.stack(features, axis=1)
