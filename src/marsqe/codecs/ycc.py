"""Planes of luma and chroma, as video codecs take and give them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.uint8] | NDArray[np.uint16]

SHRINK: Final = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2)}
"""Horizontal and vertical subsampling of chroma."""

# Weights of red and blue in luma.
_WEIGHTS: Final = {"BT.601": (0.299, 0.114), "BT.709": (0.2126, 0.0722), "BT.2020": (0.2627, 0.0593)}
MATRICES: Final = (*_WEIGHTS, "RGB", "YCgCo")


def planes_of(pixels: NDArray[np.uint8], subsampling: str) -> list[NDArray[np.uint8]]:
    """Split pixels as JPEG does: full-range BT.601, each chroma sample the mean of the pixels that it stands for.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        Colour with sides that the subsampling divides.
    subsampling : {"4:4:4", "4:2:2", "4:2:0"}

    Returns
    -------
    list of ndarray of uint8
        Luma alone for gray, else luma, Cb and Cr.
    """
    if pixels.ndim == 2:
        return [np.ascontiguousarray(pixels)]
    luma, *chroma = Image.fromarray(np.ascontiguousarray(pixels)).convert("YCbCr").split()
    return [np.asarray(luma), *(np.asarray(band.reduce(SHRINK[subsampling])) for band in chroma)]


def pixels_of(
    planes: list[Plane],
    shape: tuple[int, int],
    *,
    depth: int = 8,
    matrix: str = "BT.601",
    limited: bool = False,
    cosited: bool = False,
) -> NDArray[Any]:
    """Put planes together again.

    Parameters
    ----------
    planes : list of ndarray
        One (gray) or three; those of "RGB" are green, blue, red, as HEVC orders them. They may reach beyond ``shape``.
    shape : (int, int)
        Height and width of the image, at the upper left of the planes.
    depth : int
        Bits per sample, 8 to 16.
    matrix : str
        One of ``MATRICES``.
    limited : bool
        Whether black is 16 and white 235 (of 255), as in video.
    cosited : bool
        Whether subsampled chroma lies on every other column, as in video, instead of between the columns, as in JPEG.

    Returns
    -------
    ndarray of uint8 (8 bits) or uint16 (more), shape (H, W) or (H, W, 3)
        The full range of the dtype; chroma is interpolated linearly.
    """
    height, width = shape
    if len(planes) == 1 and depth == 8 and not limited:
        return np.ascontiguousarray(planes[0][:height, :width])
    top = float((1 << depth) - 1)
    step = float(1 << (depth - 8))
    luma = planes[0][:height, :width].astype(np.float32)
    bands = [luma, *(_grown(plane, planes[0].shape, shape, cosited=cosited) for plane in planes[1:])]
    if len(bands) == 1 or matrix in ("RGB", "YCgCo"):
        colour = bands if matrix != "YCgCo" else _from_ycgco(bands, float(1 << (depth - 1)))
        scaled = [(band - 16 * step) / (219 * step) if limited else band / top for band in colour]
    else:
        scaled = _from_ycc(bands, depth, _WEIGHTS[matrix], limited=limited)
    most = 255 if depth == 8 else 65535
    dtype = np.uint8 if depth == 8 else np.uint16
    rounded = [np.rint(np.clip(band, 0, 1) * most).astype(dtype) for band in scaled]
    if len(rounded) == 1:
        return rounded[0]
    if matrix == "RGB":
        rounded = [rounded[2], rounded[0], rounded[1]]
    return np.stack(rounded, axis=-1)


def _from_ycgco(bands: list[NDArray[np.float32]], middle: float) -> list[NDArray[np.float32]]:
    luma, green, orange = bands[0], bands[1] - middle, bands[2] - middle
    rest = luma - green
    return [rest + orange, luma + green, rest - orange]


def _from_ycc(
    bands: list[NDArray[np.float32]], depth: int, weights: tuple[float, float], *, limited: bool
) -> list[NDArray[np.float32]]:
    top, step, middle = float((1 << depth) - 1), float(1 << (depth - 8)), float(1 << (depth - 1))
    luma = (bands[0] - 16 * step) / (219 * step) if limited else bands[0] / top
    blue_less, red_less = ((band - middle) / (224 * step if limited else top) for band in bands[1:])
    of_red, of_blue = weights
    red = luma + 2 * (1 - of_red) * red_less
    blue = luma + 2 * (1 - of_blue) * blue_less
    green = (luma - of_red * red - of_blue * blue) / (1 - of_red - of_blue)
    return [red, green, blue]


def _grown(plane: Plane, stored: tuple[int, ...], shape: tuple[int, int], *, cosited: bool) -> NDArray[np.float32]:
    """Interpolate a chroma plane to the size of the image."""
    height, width = shape
    down, across = (round(stored[axis] / plane.shape[axis]) for axis in (0, 1))
    if (down, across) == (1, 1):
        return plane[:height, :width].astype(np.float32)
    # Of what lies beyond the image nothing may reach into it.
    kept = plane[: -(-height // down), : -(-width // across)].astype(np.float32)
    framed = Image.fromarray(np.pad(kept, 1, mode="edge"))
    left = 1.25 if cosited and across == 2 else 1.0
    box = (left, 1.0, left + width / across, 1.0 + height / down)
    return np.asarray(framed.resize((width, height), Image.Resampling.BILINEAR, box=box))
