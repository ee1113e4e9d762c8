"""Confidence: how far, with a stated probability, an enhanced pixel may still be from the truth.

A scale of the remaining error is predicted from what is known without a truth: the local contrast, the local change,
the quantization steps, and how much of the image they left. Split conformal calibration (Vovk et al. 2005; by groups:
Mondrian) then turns the scale into an interval: the factor is the 90 % quantile of error over scale on images with a
truth that the network did not learn from, or learned from at other sizes only. See ``docs/evidence.md``.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn
from scipy.ndimage import uniform_filter

from marsqe.codecs.jpeg import Table
from marsqe.colour import LUMA_WEIGHTS
from marsqe.image import MarsImage, to_stored
from marsqe.progress import Progress, Steps, run
from marsqe.results import Confidence, Enhancement, Region

FILE: Final = "{}.json"
"""Name of a model's calibration in the resources' folder ``confidence``."""
TARGET: Final = 0.9
"""Share of pixels whose error is to lie within the interval."""
NEAR: Final = 7
"""Side in pixels of the window in which contrast and change are measured."""
WIDE: Final = 25
"""Side of the wider window for contrast."""
_ROWS: Final = 1024
_LUMA: Final = LUMA_WEIGHTS.astype(np.float32)
_ORDER: Final = np.add.outer(np.arange(8), np.arange(8))
_LOW: Final = (_ORDER >= 2) & (_ORDER <= 4)


@dataclass(frozen=True)
class Rule:
    """Scale and factor of one kind of interval.

    Attributes
    ----------
    weights : ndarray of float, shape (F,)
        Of the predictors, the constant first; their sum is the logarithm of the scale in DN.
    edges : ndarray of float, shape (B - 1,)
        Scales in DN between the groups.
    factors : ndarray of float, shape (B,)
        Half width of the interval over the scale, by group.
    """

    weights: NDArray[np.float64]
    edges: NDArray[np.float64]
    factors: NDArray[np.float64]

    def half_widths(self, predictors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Half widths (...) in DN for predictors (..., F - 1)."""
        # Kernels of matrix products read past the rows, and now and then raise a flag for numbers that are not ours.
        with np.errstate(invalid="ignore"):
            linear = predictors @ self.weights[1:].astype(np.float32)
        scale = np.exp(linear + np.float32(self.weights[0]))
        widths: NDArray[np.float32] = scale * self.factors.astype(np.float32)[np.digitize(scale, self.edges)]
        return widths


@dataclass(frozen=True)
class Calibration:
    """What was measured for one set of weights: intervals around enhanced and around received pixels."""

    enhanced: Rule
    received: Rule

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Calibration:
        """From the JSON document that ``marsqe train calibrate`` writes."""
        fields = ("weights", "edges", "factors")
        rules = [Rule(*(np.array(card[kind][f], np.float64) for f in fields)) for kind in ("enhanced", "received")]
        return cls(*rules)


def calibration_of(model: str, weights_sha256: str) -> Calibration | None:
    """The calibration that comes with a model's weights; None where there is none, or not for just these."""
    try:
        importlib.import_module("marsqe.resources")
    except ModuleNotFoundError:
        return None
    file = files("marsqe.resources") / "confidence" / FILE.format(model)
    if not file.is_file():
        return None
    card = json.loads(file.read_text(encoding="utf-8"))
    return Calibration.from_card(card) if card["weights_sha256"] == weights_sha256 else None


def confidence_of(enhancement: Enhancement) -> Confidence | None:
    """Intervals of a result; None where its file has no quantization tables or its model no calibration."""
    model = enhancement.provenance.get("model")
    if not isinstance(model, dict):
        return None
    calibration = calibration_of(str(model.get("name")), str(model.get("weights_sha256")))
    if calibration is None:
        return None
    return run(confidence_steps(enhancement.source, enhancement.pixels, calibration, enhancement.region))


def confidence_steps(
    image: MarsImage, pixels: NDArray[Any], calibration: Calibration, region: Region | None = None
) -> Steps[Confidence | None]:
    """Intervals of an enhanced image, with progress; see :class:`Confidence`.

    Parameters
    ----------
    image : MarsImage
        What was received.
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        What was made of it.
    calibration : Calibration
    region : Region, optional
        The part that was enhanced.

    Returns
    -------
    Confidence or None
        None where the quantization tables are unknown: then nothing is known of the error.
    """
    tables = image.compression.tables
    if tables is None or image.metadata.get("colour_transform") == "RGB" or image.data_range != 255:
        return None
    yield Progress("Confidence", 0, 1)
    facts = file_facts(to_stored(image.pixels, image.orientation), tables)
    half_width = np.empty(image.shape, np.float32)
    beyond = np.empty(image.shape, np.bool_)
    for top in range(0, image.shape[0], _ROWS):
        first, last = max(0, top - WIDE), min(image.shape[0], top + _ROWS + WIDE)
        kept = slice(top - first, top - first + _ROWS)
        received, enhanced = (part[first:last] for part in (image.pixels, pixels))
        rows = slice(top, top + _ROWS)
        half_width[rows] = calibration.enhanced.half_widths(predictors(enhanced, received, facts))[kept]
        allowed = calibration.received.half_widths(predictors(received, None, facts))[kept]
        beyond[rows] = mean_difference(enhanced, received)[kept] > allowed
        yield Progress("Confidence", min(top + _ROWS, image.shape[0]), image.shape[0])
    if region is not None:
        outside = np.ones(image.shape, np.bool_)
        outside[region.y : region.y + region.height, region.x : region.x + region.width] = False
        half_width[outside], beyond[outside] = np.nan, False
    return Confidence(half_width, beyond)


def file_facts(stored: NDArray[Any], tables: Sequence[Table]) -> NDArray[np.float32]:
    """What an image's compression tells of the error everywhere in it.

    Returns
    -------
    ndarray of float32, shape (3,)
        Mean log2 of the low luma steps; log of the share of luma coefficients that were not quantized to zero; log of
        the loss in DN (RMS) to be expected where coefficients follow Laplace's law with the widths that these shares
        imply, frequency by frequency.
    """
    height, width = (n // 8 * 8 for n in stored.shape[:2])
    steps = np.asarray(tables[0], np.float64).ravel()
    blocks = luma(stored)[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)
    found = dctn(blocks - np.float32(128), axes=(2, 3), norm="ortho").reshape(-1, 64)
    kept = (np.rint(found / steps) != 0).sum(axis=0)
    shares = (kept + 0.5) / (len(found) + 1)
    # |x| of Laplace's law with width b exceeds q/2 with the probability exp(-q / 2b).
    half = steps / 2
    ratio = np.log(1 / shares)
    b = half / ratio
    inside = 2 * b**2 - shares * (half**2 + 2 * half * b + 2 * b**2)
    lost = np.minimum(inside, (1 - shares) * steps**2 / 12) + shares * steps**2 / 12
    lost[0] = steps[0] ** 2 / 12
    low = float(np.log2(np.asarray(tables[0], np.float64).reshape(8, 8)[_LOW]).mean())
    return np.array([low, np.log(shares[1:].mean()), np.log(np.sqrt(lost.mean()) + 0.1)], np.float32)


def predictors(pixels: NDArray[Any], received: NDArray[Any] | None, facts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Predictors (H, W, F - 1) of the error's scale: contrast near and wide, the change if any, the file's facts."""
    level = luma(pixels)
    found = [_deviation(level, NEAR), _deviation(level, WIDE)]
    if received is not None:
        found.append(uniform_filter(mean_difference(pixels, received), NEAR))
    out = np.empty((*level.shape, len(found) + len(facts)), np.float32)
    for index, values in enumerate(found):
        out[..., index] = np.log(np.maximum(values, 0) + np.float32(0.5))
    out[..., len(found) :] = facts
    return out


def luma(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Luma (H, W) in DN."""
    values = pixels.astype(np.float32)
    return values if values.ndim == 2 else values @ _LUMA


def mean_difference(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float32]:
    """Mean absolute difference over channels (H, W) in DN."""
    difference = np.abs(a.astype(np.float32) - b.astype(np.float32))
    return difference if difference.ndim == 2 else difference.mean(axis=2)


def _deviation(level: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    # Around the image's mean, or the difference of two large numbers would lose its digits.
    centred = level - level.mean()
    mean = uniform_filter(centred, side)
    found: NDArray[np.float32] = np.sqrt(np.maximum(uniform_filter(centred**2, side) - mean**2, 0))
    return found
