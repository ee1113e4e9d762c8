"""Faithful mode: keep the enhanced image among those that the received JPEG allows.

Every coefficient that the file holds says: the true value lay within half a quantization step of this. The
projection moves each DCT coefficient of the enhanced image to the nearest value inside a cell around the received
one. With a cell narrower than half a step it also guards against harm: a network cannot leave what was measured.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn

from marsqe.codecs.coefficients import Coefficients, coefficients_from_bytes
from marsqe.codecs.intervals import BACKWARD
from marsqe.colour import RGB_TO_YCC
from marsqe.enhancement.edges import hold_edges
from marsqe.enhancement.settling import settle
from marsqe.errors import ReadError
from marsqe.image import Compression, MarsImage, to_stored, to_upright

CELL: Final = 0.35
"""Half-width of the cell in quantization steps. Measured on validation images from quality 20 to 92: a narrower cell
than the half step that the file allows gains as much at the lowest and up to 0.08 dB more at the highest of them."""
NARROW_CELL: Final = 0.25
"""The same above quality 92, where steps are so small that a file saved twice could be harmed."""
_NARROW_FROM: Final = 93
BY_CHOICE: Final = "by choice"
NO_TABLES: Final = "the image came from no JPEG whose quantization tables are known"
OTHER_COMPONENTS: Final = "the JPEG's components are not luma and chroma"
UNREADABLE: Final = (
    "the JPEG's coefficients could not be read: the file is damaged, or has changed or gone since it was opened"
)


def cell_for(compression: Compression) -> float:
    """Half-width of the cell for a file, by its quality factor."""
    return cell_of_quality(compression.quality or 0)


def cell_of_quality(quality: int) -> float:
    """Half-width of the cell for a quality factor; 0 stands for none."""
    return NARROW_CELL if quality >= _NARROW_FROM else CELL


def coefficients_of(image: MarsImage) -> Coefficients | None:
    """The coefficients of the JPEG that an image came from.

    None where it came from none, where its components are not luma and chroma at the subsampling that is known, where
    the file is damaged where only its pixels survive, or has changed or gone since it was opened.
    """
    estimated = image.metadata.get("coefficients")
    if isinstance(estimated, Coefficients):  # see marsqe.codecs.estimated
        return estimated if _covers(estimated, image) else None
    if image.compression.codec != "JPEG" or image.metadata.get("colour_transform") == "RGB":
        return None
    data = image.metadata.get("encoded")
    if data is None and image.path is not None:
        with suppress(OSError):
            data = image.path.read_bytes()
    if data is None or hashlib.sha256(data).hexdigest() != image.sha256:
        return None
    try:
        found = coefficients_from_bytes(data)
    except ReadError:  # pixels could be decoded; what lies behind them could not be read
        return None
    return found if _covers(found, image) else None


def why_not_held(image: MarsImage, *, wanted: bool) -> str:
    """Why a result is not held to its file, of which :func:`coefficients_of` found nothing or was not asked."""
    if not wanted:
        return BY_CHOICE
    if image.metadata.get("colour_transform") == "RGB":
        return OTHER_COMPONENTS
    return NO_TABLES if image.compression.tables is None else UNREADABLE


def _covers(found: Coefficients, image: MarsImage) -> bool:
    """Whether the blocks are those of the image: not so where pixels were cut out, or luma is the subsampled plane."""
    height, width = to_stored(image.pixels, image.orientation).shape[:2]
    horizontal, vertical = image.compression.subsampling or (1, 1)
    chroma = (-(-height // (8 * vertical)), -(-width // (8 * horizontal)))
    wanted = [(-(-height // 8), -(-width // 8)), chroma, chroma][: 3 if image.is_colour else 1]
    return [part.shape[:2] for part in found.components] == wanted


def project_plane(
    plane: NDArray[np.float64], received: NDArray[np.int16], table: NDArray[np.integer[Any]], cell: float = CELL
) -> NDArray[np.float64]:
    """Project one component onto its quantization cells.

    Parameters
    ----------
    plane : ndarray of float64, shape (h, w)
        Samples centred on zero (128 subtracted).
    received : ndarray of int16, shape (rows, columns, 8, 8)
        Quantized coefficients of the file, covering at least the plane.
    table : ndarray of int, shape (8, 8)
        Quantization steps.
    cell : float
        Half-width of the cell in steps, 0-0.5.

    Returns
    -------
    ndarray of float64, shape (h, w)
    """
    rows, columns = -(-plane.shape[0] // 8), -(-plane.shape[1] // 8)
    received = received[:rows, :columns]
    padded = np.pad(plane, ((0, rows * 8 - plane.shape[0]), (0, columns * 8 - plane.shape[1])), mode="edge")
    blocks = padded.reshape(rows, 8, columns, 8).swapaxes(1, 2)
    steps = dctn(blocks, axes=(2, 3), norm="ortho") / table - received
    clamped = np.clip(steps, -cell, cell)
    back = idctn((clamped + received) * table, axes=(2, 3), norm="ortho")
    projected: NDArray[np.float64] = back.swapaxes(1, 2).reshape(rows * 8, columns * 8)
    return projected[: plane.shape[0], : plane.shape[1]]


def project(
    pixels: NDArray[np.floating[Any]],
    coefficients: Coefficients,
    subsampling: tuple[int, int] = (1, 1),
    cell: float = CELL,
) -> NDArray[np.float64]:
    """Project enhanced pixels onto the images that a JPEG file allows.

    Chroma is compared at the file's own resolution; only the correction is brought back, so that detail which the
    network restored above that resolution survives.

    Parameters
    ----------
    pixels : ndarray of float, shape (H, W) or (H, W, 3)
        Enhanced pixels in DN, 0-255, in the stored frame of the file.
    coefficients : Coefficients
        What the file holds.
    subsampling : (int, int)
        Horizontal and vertical chroma subsampling of the file.
    cell : float
        Half-width of the cell in quantization steps.

    Returns
    -------
    ndarray of float64, same shape
        Not clipped to 0-255.
    """
    if pixels.ndim == 2:
        return (
            project_plane(pixels.astype(np.float64) - 128.0, coefficients.components[0], coefficients.tables[0], cell)
            + 128.0
        )
    ycc = pixels.astype(np.float64) @ RGB_TO_YCC.T
    ycc[..., 0] = project_plane(ycc[..., 0] - 128.0, coefficients.components[0], coefficients.tables[0], cell) + 128.0
    horizontal, vertical = subsampling
    for channel in (1, 2):
        low = _box_mean(ycc[..., channel], horizontal, vertical)
        moved = project_plane(low, coefficients.components[channel], coefficients.tables[channel], cell) - low
        correction = moved.repeat(vertical, axis=0).repeat(horizontal, axis=1)
        ycc[..., channel] += correction[: ycc.shape[0], : ycc.shape[1]]
    result: NDArray[np.float64] = ycc @ BACKWARD.T
    return result


def hold(
    values: NDArray[np.floating[Any]],
    decoded: NDArray[np.uint8],
    coefficients: Coefficients,
    subsampling: tuple[int, int] = (1, 1),
    cell: float = CELL,
) -> NDArray[np.uint8]:
    """Project pixels and round them so that they compress to the received file again, as far as that can be.

    Parameters are those of :func:`project`; ``decoded`` are the received pixels. See
    :func:`marsqe.enhancement.settling.settle`.
    """
    return settle(project(values, coefficients, subsampling, cell), decoded, coefficients, subsampling)


def float_pixels(pixels: NDArray[np.uint8], image: MarsImage) -> NDArray[np.float32] | None:
    """Real-numbered pixels whose DCT coefficients all lie within the intervals of the received file.

    What rounding to 8 bits moved out of its cell is moved back, by fractions of a DN; nothing else is changed but the
    last pixels of blocks that reach over the edge (:mod:`marsqe.enhancement.edges`).

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W) or (H, W, 3)
        The enhanced image, upright as ``image``.
    image : MarsImage
        What was enhanced.

    Returns
    -------
    ndarray of float32, same shape, or None
        In DN; not clipped to 0-255. None where the file's coefficients are not at hand.
    """
    coefficients = coefficients_of(image)
    if coefficients is None:
        return None
    compression = image.compression
    stored = to_stored(pixels, image.orientation).astype(np.float64)
    ratios = compression.subsampling or (1, 1)
    held = hold_edges(project(stored, coefficients, ratios, cell_for(compression)), coefficients, ratios)
    return to_upright(held.astype(np.float32), image.orientation)


def _box_mean(plane: NDArray[np.float64], horizontal: int, vertical: int) -> NDArray[np.float64]:
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % vertical), (0, -width % horizontal)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // vertical, vertical, padded.shape[1] // horizontal, horizontal)
    mean: NDArray[np.float64] = blocks.mean(axis=(1, 3))
    return mean
