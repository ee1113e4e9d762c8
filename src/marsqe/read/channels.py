"""Transparency. MarsQE works on gray and RGB, so alpha is dropped where it says nothing and refused where it does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import ReadError

_ADVICE = "it has transparent pixels, of which MarsQE could not know the colour; flatten it onto a background first"


def drop_alpha(pixels: NDArray[Any]) -> NDArray[Any]:
    """Remove the last channel of (H, W, 2) or (H, W, 4) pixels where every pixel is opaque.

    Raises
    ------
    ReadError
        If any pixel is not fully opaque.
    """
    if (pixels[..., -1] != np.iinfo(pixels.dtype).max).any():
        raise ReadError(_ADVICE)
    colour = pixels[..., :-1]
    return np.ascontiguousarray(colour[..., 0] if colour.shape[-1] == 1 else colour)


def refuse_colour_key(pixels: NDArray[Any], key: int | tuple[int, ...]) -> None:
    """Refuse (H, W) or (H, W, 3) pixels of which any has the colour that the file declares transparent."""
    same = pixels == np.asarray(key)
    if (same.all(axis=-1) if pixels.ndim == 3 else same).any():
        raise ReadError(_ADVICE)
