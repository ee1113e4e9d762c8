"""How far an image lies from the coefficients that a JPEG file holds, in quantization steps.

The image is taken through the encoder's linear steps in real numbers: luma and chroma, repetition of the last pixels
where blocks reach over the edge, means of chroma, the DCT of 8x8 blocks. Nothing is rounded.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from marsqe.codecs.coefficients import Coefficients
from marsqe.colour import RGB_TO_YCC

Plane = NDArray[np.float64]

BACKWARD: Final = np.linalg.inv(RGB_TO_YCC)


def departures(
    pixels: NDArray[Any], coefficients: Coefficients, subsampling: tuple[int, int] = (1, 1)
) -> list[NDArray[np.float64]]:
    """Of every coefficient: how many steps the image's own lies from the received one.

    Up to 0.5 in size it lies inside the interval that the file recorded.

    Parameters
    ----------
    pixels : ndarray of numbers, shape (H, W) or (H, W, 3)
        In DN, 0-255, in the stored frame of the file; real numbers are taken as they are.
    coefficients : Coefficients
        What the file holds.
    subsampling : (int, int)
        Horizontal and vertical chroma subsampling of the file.

    Returns
    -------
    list of ndarray of float64, each (rows, columns, 8, 8)
        For each component.
    """
    planes = coded_planes(pixels.astype(np.float64), subsampling)
    found = []
    for plane, received, table in zip(planes, coefficients.components, coefficients.tables, strict=True):
        rows, columns = plane.shape[0] // 8, plane.shape[1] // 8
        blocks = plane.reshape(rows, 8, columns, 8).swapaxes(1, 2)
        steps = dctn(blocks, axes=(2, 3), norm="ortho") / table
        found.append(steps - received[:rows, :columns])
    return found


def whole_blocks(shape: tuple[int, int], subsampling: tuple[int, int], colour: bool) -> list[NDArray[np.bool_]]:
    """Of each component: which blocks (rows, columns) lie inside the image with all their samples."""
    ratios = [(1, 1), subsampling, subsampling][: 3 if colour else 1]
    masks = []
    for across, down in ratios:
        sizes = (shape[0], 8 * down), (shape[1], 8 * across)
        whole = [np.arange(-(-size // side)) < size // side for size, side in sizes]
        masks.append(np.logical_and.outer(*whole))
    return masks


def coded_planes(pixels: NDArray[np.float64], subsampling: tuple[int, int]) -> list[Plane]:
    """Samples of each component as they come to the DCT, centred on zero, whole blocks."""
    if pixels.ndim == 2:
        return [coded_plane(pixels - 128.0, (1, 1))]
    ycc = pixels @ RGB_TO_YCC.T
    return [coded_plane(ycc[..., 0] - 128.0, (1, 1)), *(coded_plane(ycc[..., n], subsampling) for n in (1, 2))]


def coded_plane(plane: Plane, ratios: tuple[int, int]) -> Plane:
    """A plane of the image's size at the resolution of its component, with the repetitions of libjpeg.

    To the right these come before the means are taken, below after that.
    """
    across, down = ratios
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % down), (0, -width % (8 * across))), mode="edge")
    means = padded.reshape(padded.shape[0] // down, down, padded.shape[1] // across, across).mean(axis=(1, 3))
    filled: Plane = means[rows_below(len(means), -(-len(means) // 8) * 8)]
    return filled


def rows_below(rows: int | NDArray[np.integer[Any]], filled: int) -> NDArray[np.intp]:
    """Which rows of samples libjpeg takes to fill a plane downwards: after its means of chroma it repeats the last.

    Parameters
    ----------
    rows : int or ndarray of int, shape (n,)
        How many rows of samples the image has, of one plane or of each of n.
    filled : int
        How many are wanted.

    Returns
    -------
    ndarray of int, shape (filled,) or (n, filled)
    """
    return np.minimum(np.arange(filled), np.asarray(rows)[..., None] - 1)
