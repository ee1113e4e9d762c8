"""How well pixels agree with quantization steps and a grid: the likelihood of their DCT coefficients."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

from marsqe.codecs.jpeg import Table

NOISE: Final = 0.3
"""Deviation in DN that the rounding of pixels leaves in a coefficient of luma."""
_OUTLIERS: Final = 0.03
_BLOCKS: Final = 400
_DCT: Final = np.kron(*[dct(np.eye(8), axis=0, norm="ortho")] * 2).T


def not_clipped(part: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels (H, W) that were not clipped to black or white when the JPEG was decoded."""
    inside = (part > 0) & (part < 255)
    return inside if part.ndim == 2 else np.asarray(inside.all(axis=2))


def coefficients_on(
    plane: NDArray[np.float64], usable: NDArray[np.bool_], offset: tuple[int, int], margin: int = 0
) -> NDArray[np.float64]:
    """DCT (n, 64) of at most ``_BLOCKS`` blocks of a grid without clipped pixels, the most varied first.

    With a ``margin`` these begin that many pixels before the last ones, and blocks at the border are left out.
    """
    rows, columns = ((n - margin - o) // 8 for n, o in zip(plane.shape, offset, strict=True))
    cut = tuple(slice(o, o + 8 * n) for o, n in zip(offset, (rows, columns), strict=True))

    def blocks_of(a: NDArray[Any]) -> NDArray[Any]:
        return a[cut].reshape(rows, 8, columns, 8).swapaxes(1, 2).reshape(-1, 64)

    blocks: NDArray[np.float64] = blocks_of(plane) - 128.0
    whole = np.asarray(blocks_of(usable).all(axis=1))
    if margin:
        inner = np.zeros((rows, columns), bool)
        inner[1:-1, 1:-1] = True
        whole &= inner.ravel()
    blocks = blocks[whole]
    kept = np.argsort(-blocks.std(axis=1), kind="stable")[:_BLOCKS]
    return blocks[kept] @ _DCT


def likelihood(
    coefficients: NDArray[np.float64], table: Table, noise: float | NDArray[np.float64] = NOISE
) -> tuple[float, float]:
    """Mean log-likelihood of a block, in nats: multiples of these steps, and anywhere; both by Laplace's law.

    Parameters
    ----------
    coefficients : ndarray of float, shape (n, 64)
    table : ndarray of int, shape (8, 8)
    noise : float or ndarray of float, shape (64,)
        Deviation around a multiple, in DN.
    """
    if not len(coefficients):
        return 0.0, 0.0
    steps = table.ravel().astype(np.float64)
    size = np.abs(coefficients)
    width = np.maximum(size.mean(axis=0), np.min(noise))
    number = np.rint(size / steps)
    half = steps / (2 * width)
    mass = np.where(number == 0, 1 - np.exp(-half), np.exp(-2 * half * number) * np.sinh(half))
    off = (size - number * steps) / noise
    near = mass * np.exp(-0.5 * off**2) / (noise * np.sqrt(2 * np.pi))
    anywhere = np.exp(-size / width) / (2 * width)
    mixed = np.log((1 - _OUTLIERS) * near + _OUTLIERS * anywhere)
    return float(mixed.sum(axis=1).mean()), float(np.log(anywhere).sum(axis=1).mean())


def support(coefficients: NDArray[np.float64], table: Table) -> float:
    """Mean log-likelihood ratio of a block: multiples of these steps against anywhere, in nats."""
    multiples, anywhere = likelihood(coefficients, table)
    return multiples - anywhere
