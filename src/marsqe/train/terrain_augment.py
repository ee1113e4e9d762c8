"""Augmentations of a labelled crop: size, flip, gray, compression and contrast, in the order of the field."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from marsqe.codecs.jpeg import SUBSAMPLINGS, decode_jpeg, encode_jpeg
from marsqe.segmentation.prepare import resized, stretch_limits, stretched
from marsqe.train.terrain_data import Labelled

GRAY: Final = 0.4
"""Share of crops that lose their colour."""

_LUMA: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def augmented(crop: Labelled, random: np.random.Generator, size: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Input (size, size, 3) float32 in 0-1 and target (size, size) uint8 of one training example."""
    rgb = resized(crop.rgb, (size, size))
    target = np.asarray(Image.fromarray(crop.target).resize((size, size), Image.Resampling.NEAREST))
    if random.random() < 0.5:
        rgb, target = rgb[:, ::-1], target[:, ::-1]
    gray = random.random() < GRAY
    if gray:
        rgb = np.repeat(np.rint(rgb @ _LUMA).astype(np.uint8)[..., None], 3, axis=2)
    if random.random() < 0.15:
        blur = random.uniform(0.4, 1.4)
        rgb = gaussian_filter(rgb, sigma=(blur, blur, 0))
    if random.random() < 0.6:
        rgb = _compressed(rgb, random)
    limits = crop.limits if random.random() < 0.75 else stretch_limits(rgb)
    return _toned(stretched(rgb, limits), random, gray), np.ascontiguousarray(target)


def _compressed(rgb: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    subsampling = SUBSAMPLINGS[int(random.integers(len(SUBSAMPLINGS)))]
    return decode_jpeg(encode_jpeg(rgb, quality=int(random.integers(15, 96)), subsampling=subsampling))


def _toned(value: NDArray[np.float32], random: np.random.Generator, gray: bool) -> NDArray[np.float32]:
    if random.random() < 0.6:
        value = value ** np.float32(np.exp(random.uniform(-0.4, 0.4)))
    if random.random() < 0.6:
        value = (value - 0.5) * np.float32(random.uniform(0.7, 1.25)) + np.float32(0.5 + random.uniform(-0.12, 0.12))
    if not gray and random.random() < 0.5:
        value = value * random.uniform(0.85, 1.15, 3).astype(np.float32)
    return np.clip(value, 0, 1).astype(np.float32)
