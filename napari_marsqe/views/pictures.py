"""Small pictures of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap

from marsqe.colour import as_8bit
from marsqe.results import TILE

SIDE = 92


def to_pixmap(pixels: NDArray[Any], full_scale: int = 65535, side: int = SIDE) -> QPixmap:
    """Gray or RGB pixels as a square picture, 16-bit ones by their full scale; a cut tile keeps its proportions."""
    shown = as_8bit(pixels, full_scale)
    colour = np.ascontiguousarray(np.stack([shown] * 3, axis=-1) if shown.ndim == 2 else shown)
    height, width = colour.shape[:2]
    image = QImage(colour.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
    edge = max(1, round(side * max(height, width) / TILE))
    return QPixmap.fromImage(image).scaled(
        edge, edge, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    )
