"""Where an image lies in napari's world, and what is made from it with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from marsqe.results import TILE


@dataclass(frozen=True)
class Frame:
    """Where the source layer lies in the world, so that all that is made from it lies on it."""

    scale: tuple[float, float] = (1.0, 1.0)
    translate: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, layer: Any) -> Frame:
        """The frame of an image layer."""
        scale, translate = np.asarray(layer.scale)[-2:], np.asarray(layer.translate)[-2:]
        return cls((float(scale[0]), float(scale[1])), (float(translate[0]), float(translate[1])))

    def shifted(self, row: float, column: float) -> Frame:
        """The frame of what begins at a pixel of this one."""
        (down, across), (y, x) = self.scale, self.translate
        return Frame(self.scale, (y + down * row, x + across * column))

    def pixels(self) -> dict[str, Any]:
        """Layer arguments for data with a value for each pixel."""
        return {"scale": self.scale, "translate": self.translate}

    def tiles(self) -> dict[str, Any]:
        """Layer arguments for data with a value for each tile: tile (0, 0) covers pixels 0 to 127."""
        middle = (TILE - 1) / 2
        scale = (self.scale[0] * TILE, self.scale[1] * TILE)
        shift = (self.translate[0] + self.scale[0] * middle, self.translate[1] + self.scale[1] * middle)
        return {"scale": scale, "translate": shift}
