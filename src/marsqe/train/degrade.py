"""Degradations made on the fly, as the field sees them: augment the truth, then compress it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from marsqe.codecs.jpeg import Table, decode_jpeg, encode_jpeg, standard_tables
from marsqe.networks.conditioning import condition_vector

_MARGIN = 8


@dataclass(frozen=True)
class Pair:
    """Compressed and raw pixels (S, S, 3) uint8 and the condition vector (12,)."""

    compressed: NDArray[np.uint8]
    raw: NDArray[np.uint8]
    condition: NDArray[np.float32]


def augment(crop: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Flip, turn, and vary tone, colour and sharpness of a truth crop (H, W[, 3]) uint8."""
    out = np.rot90(crop, int(random.integers(4)))
    if random.random() < 0.5:
        out = out[:, ::-1]
    if out.ndim == 3 and random.random() < 0.12:
        out = np.rint(out @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    if random.random() < 0.6:
        return np.ascontiguousarray(out)
    value = out.astype(np.float32) / 255
    if random.random() < 0.5:
        value = value ** np.float32(random.uniform(0.6, 1.6))
    if value.ndim == 3 and random.random() < 0.4:
        value = value * random.uniform(0.75, 1.15, 3).astype(np.float32)
    if random.random() < 0.4:
        value = (value - 0.5) * np.float32(random.uniform(0.5, 1.2)) + 0.5
    if random.random() < 0.35:
        sigma = random.uniform(0.3, 1.2)
        value = gaussian_filter(value, (sigma, sigma, 0)[: value.ndim])
    if random.random() < 0.15:
        value = value + random.normal(0, random.uniform(0.002, 0.015), value.shape).astype(np.float32)
    return np.rint(np.clip(value, 0, 1) * 255).astype(np.uint8)


def draw_quality(random: np.random.Generator) -> int:
    """Quality factor 10-95, weighted to 20-50 (studies) and 75-95 (missions)."""
    which = random.random()
    low, high = (20, 50) if which < 0.42 else (75, 95) if which < 0.70 else (10, 95)
    return int(random.integers(low, high + 1))


def draw_tables(random: np.random.Generator) -> tuple[Table, Table]:
    """Quantization tables: mostly the standard ones, sometimes flattened and jittered as cameras have them."""
    tables = standard_tables(draw_quality(random))
    if random.random() < 0.85:
        return tables
    power, gain = random.uniform(0.4, 1.2), random.uniform(0.7, 1.4)
    jitter = random.uniform(0.9, 1.1, (8, 8))
    luma, chroma = (
        np.clip(np.rint(gain * t.mean() * (t / t.mean()) ** power * jitter), 1, 255).astype(np.int64) for t in tables
    )
    return luma, chroma


def degrade(raw: NDArray[np.uint8], random: np.random.Generator, size: int) -> Pair:
    """Compress a truth crop of ``size + 16`` pixels a side to a training pair of ``size``.

    6 % are compressed twice with a shifted grid; for 8 % the tables, and with them the grid, stay unknown.
    """
    tables = draw_tables(random)
    choices = [("4:2:0", (2, 2)), ("4:2:2", (2, 1)), ("4:4:4", (1, 1))]
    name, ratios = choices[int(random.choice(3, p=[0.74, 0.13, 0.13]))]
    source = raw
    if random.random() < 0.06:
        dy, dx = random.integers(_MARGIN, size=2)
        first = raw[dy:, dx:]
        source = raw.copy()
        source[dy:, dx:] = decode_jpeg(encode_jpeg(first, quality=int(random.integers(70, 96)), subsampling="4:4:4"))
    known = random.random() >= 0.08
    if known:
        window = (slice(_MARGIN, _MARGIN + size),) * 2
        compressed = decode_jpeg(encode_jpeg(source[window], tables=tables, subsampling=name))
    else:
        y, x = random.integers(2 * _MARGIN, size=2)
        window = (slice(y, y + size), slice(x, x + size))
        compressed = decode_jpeg(encode_jpeg(source, tables=tables, subsampling=name))[window]
    truth = raw[window]
    colour = truth.ndim == 3
    if not colour:
        truth, compressed = (np.repeat(p[:, :, None], 3, axis=2) for p in (truth, compressed))
    return Pair(compressed, truth, condition_vector(tables if known else None, ratios, colour=colour))


def training_pair(crop: NDArray[np.uint8], random: np.random.Generator, size: int) -> Pair:
    """Augment and compress one crop of ``size + 16`` pixels a side."""
    return degrade(augment(crop, random), random, size)
