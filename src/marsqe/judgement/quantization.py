"""What was changed in units of the quantization step: the ruler that the JPEG itself gives."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from marsqe.colour import RGB_TO_YCC
from marsqe.errors import SettingError
from marsqe.image import MarsImage, Pixels, to_stored, to_upright

_YCC: Final = RGB_TO_YCC.astype(np.float32)


def change_in_steps(image: MarsImage, enhanced: Pixels) -> NDArray[np.float32]:
    """Largest change of any DCT coefficient of a block, in quantization steps.

    Up to 0.5 the change stays within what the file leaves open; above, it contradicts what was received. Values a
    little above 0.5 also come from the rounding of both images to whole DN where steps are small.

    Parameters
    ----------
    image : MarsImage
        The received JPEG.
    enhanced : ndarray of uint8, shape (H, W) or (H, W, 3)
        What was made of it, upright.

    Returns
    -------
    ndarray of float32, shape (H, W)
        For every pixel the value of its 8x8 block: the largest over coefficients and, where colour, components.

    Raises
    ------
    SettingError
        If the image has no quantization tables, or the shapes differ.
    """
    tables = image.compression.tables
    if tables is None or image.metadata.get("colour_transform") == "RGB":
        raise SettingError(f"{image.name} has no quantization tables of luma and chroma to measure a change with")
    if enhanced.shape != image.pixels.shape:
        raise SettingError("the enhanced image has another size than the JPEG; give the one made from it")
    change = enhanced.astype(np.float32) - image.pixels.astype(np.float32)
    stored = to_stored(change, image.orientation)
    if stored.ndim == 2:
        return to_upright(_largest(stored, tables[0], (1, 1)), image.orientation)
    ratios = image.compression.subsampling or (1, 1)
    shown = _largest(stored @ _YCC[0], tables[0], (1, 1))
    for index in (1, 2):
        np.maximum(shown, _largest(stored @ _YCC[index], tables[min(index, len(tables) - 1)], ratios), out=shown)
    return to_upright(shown, image.orientation)


def _largest(plane: NDArray[Any], table: NDArray[np.int64], ratios: tuple[int, int]) -> NDArray[np.float32]:
    """Largest change of each block (in the resolution of its component), at all pixels that it stands for."""
    across, down = ratios
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % (8 * down)), (0, -width % (8 * across))), mode="edge")
    rows, columns = padded.shape[0] // (8 * down), padded.shape[1] // (8 * across)
    blocks = padded.reshape(rows, 8, down, columns, 8, across).mean(axis=(2, 5)).swapaxes(1, 2)
    most = np.abs(dctn(blocks, axes=(2, 3), norm="ortho") / table).max(axis=(2, 3)).astype(np.float32)
    return most.repeat(8 * down, axis=0).repeat(8 * across, axis=1)[:height, :width]
