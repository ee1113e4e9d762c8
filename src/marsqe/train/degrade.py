"""Degradations made on the fly, as the field sees them: augment the truth, then compress it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from marsqe.codecs.hevc import decode_hevc, encode_hevc
from marsqe.codecs.jpeg import Table, decode_jpeg, encode_jpeg, standard_tables
from marsqe.colour import as_rgb
from marsqe.image import Compression
from marsqe.networks.conditioning import condition_vector

_MARGIN = 8
_LEAST_QP, _MOST_QP = 22, 45


@dataclass(frozen=True)
class Degradation:
    """What departs from the usual mixture of compressions.

    Attributes
    ----------
    qualities : (int, int), optional
        Draw the quality factor evenly from this range, both ends included, with standard tables only.
    hevc : float
        Share of HEVC main still pictures, QP 22-45, 4:2:0, whose tables are unknown (needs the extra ``codecs``).
    plain : float
        Share of plain pairs: images as they are, flipped and turned alone, compressed once at 4:2:0 with standard
        tables that are known. The rest makes a network robust; this is what most files are.
    """

    qualities: tuple[int, int] | None = None
    hevc: float = 0.0
    plain: float = 0.0

    def is_plain(self, random: np.random.Generator) -> bool:
        """Whether the next pair is a plain one; nothing is drawn for a share of zero."""
        return bool(self.plain) and random.random() < self.plain


USUAL = Degradation()


@dataclass(frozen=True)
class Pair:
    """Compressed and raw pixels (S, S, 3) uint8, the condition vector (12,) and what is known of the compression."""

    compressed: NDArray[np.uint8]
    raw: NDArray[np.uint8]
    condition: NDArray[np.float32]
    compression: Compression


def turn(crop: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """One of the eight ways to flip and turn a crop (H, W[, 3])."""
    out = np.rot90(crop, int(random.integers(4)))
    return out[:, ::-1] if random.random() < 0.5 else out


def augment(crop: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Flip, turn, and vary tone, colour and sharpness of a truth crop (H, W[, 3]) uint8."""
    out = turn(crop, random)
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


def draw_tables(random: np.random.Generator, qualities: tuple[int, int] | None = None) -> tuple[Table, Table]:
    """Quantization tables: mostly the standard ones, sometimes flattened and jittered as cameras have them.

    With ``qualities`` always the standard ones of a quality in that range.
    """
    if qualities is not None:
        return standard_tables(int(random.integers(qualities[0], qualities[1] + 1)))
    tables = standard_tables(draw_quality(random))
    if random.random() < 0.85:
        return tables
    power, gain = random.uniform(0.4, 1.2), random.uniform(0.7, 1.4)
    jitter = random.uniform(0.9, 1.1, (8, 8))
    luma, chroma = (
        np.clip(np.rint(gain * t.mean() * (t / t.mean()) ** power * jitter), 1, 255).astype(np.int64) for t in tables
    )
    return luma, chroma


def degrade(raw: NDArray[np.uint8], random: np.random.Generator, size: int, how: Degradation = USUAL) -> Pair:
    """Compress a truth crop of ``size + 16`` pixels a side to a training pair of ``size``.

    6 % are compressed twice with a shifted grid; for 8 % the tables, and with them the grid, stay unknown.
    """
    # Nothing is drawn for a share of zero: a run without HEVC sees what it saw before there was such a choice.
    if how.hevc and random.random() < how.hevc:
        return _degrade_hevc(raw, random, size)
    tables = draw_tables(random, how.qualities)
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
    return _pair(compressed, raw[window], _told(tables, ratios, colour=raw.ndim == 3) if known else Compression())


def _degrade_hevc(raw: NDArray[np.uint8], random: np.random.Generator, size: int) -> Pair:
    stream = encode_hevc(raw, int(random.integers(_LEAST_QP, _MOST_QP + 1)))
    y, x = random.integers(2 * _MARGIN, size=2)
    window = (slice(y, y + size), slice(x, x + size))
    return _pair(decode_hevc(stream, (raw.shape[0], raw.shape[1]))[window], raw[window], Compression())


def _told(tables: tuple[Table, Table], ratios: tuple[int, int], *, colour: bool) -> Compression:
    """What a JPEG tells of its compression; a gray one has one table and no chroma."""
    return Compression("JPEG", True, tables if colour else tables[:1], subsampling=ratios if colour else None)


def _pair(compressed: NDArray[np.uint8], truth: NDArray[np.uint8], facts: Compression) -> Pair:
    condition = condition_vector(facts.tables, facts.subsampling or (1, 1), colour=truth.ndim == 3)
    return Pair(as_rgb(compressed), as_rgb(truth), condition, facts)


def plain_pair(crop: NDArray[np.uint8], random: np.random.Generator, size: int) -> Pair:
    """A plain pair, see :class:`Degradation`, from a crop of ``size + 16`` pixels a side."""
    raw = np.ascontiguousarray(turn(crop, random)[_MARGIN : _MARGIN + size, _MARGIN : _MARGIN + size])
    tables = standard_tables(draw_quality(random))
    compressed = decode_jpeg(encode_jpeg(raw, tables=tables, subsampling="4:2:0"))
    return _pair(compressed, raw, _told(tables, (2, 2), colour=raw.ndim == 3))


def training_pair(crop: NDArray[np.uint8], random: np.random.Generator, size: int, how: Degradation = USUAL) -> Pair:
    """Augment and compress one crop of ``size + 16`` pixels a side."""
    return degrade(augment(crop, random), random, size, how)
