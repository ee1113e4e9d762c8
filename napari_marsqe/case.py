"""One image on its way through the steps, with its results and the layers that show them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsqe.image import MarsImage
from marsqe.results import Enhancement, Judgement
from napari_marsqe import layers as conventions
from napari_marsqe.frame import Frame
from napari_marsqe.work import Understanding


@dataclass(eq=False)
class Case:
    """One image on its way through the steps.

    Attributes
    ----------
    image : MarsImage
    source : napari layer
        The layer that shows it; when it is removed the case is forgotten.
    stem : str
        First part of the names of new layers.
    truth : napari layer or None
    understanding, enhancement, judgement, exported
        Results so far; where the enhancement was saved.
    layers : dict
        Layers of the results by role. Layers are known by identity: renaming one changes nothing.
    selected : pair of (row, column), or None
        First and last tile of the rectangle that was clicked.
    put_away : list
        Layers that were visible when another case took over.
    argued : Settled or None
        What the last argument about references changed.
    past : list of Past
        What was before each argument, for undoing.
    """

    image: MarsImage
    source: Any
    stem: str
    truth: Any | None = None
    understanding: Understanding | None = None
    enhancement: Enhancement | None = None
    judgement: Judgement | None = None
    exported: Path | None = None
    layers: dict[str, Any] = field(default_factory=dict)
    selected: tuple[tuple[int, int], tuple[int, int]] | None = None
    put_away: list[Any] = field(default_factory=list)
    argued: Any | None = None
    past: list[Any] = field(default_factory=list)

    @property
    def frame(self) -> Frame:
        """Where the image lies in the world."""
        return Frame.of(self.source)

    @property
    def enhanced(self) -> Any | None:
        """The layer of the newest enhancement."""
        return None if self.enhancement is None else self.layers.get(enhanced_role(self.enhancement.model))

    @property
    def redrawn(self) -> NDArray[Any] | None:
        """Labels of the terrain layer where somebody drew in it since they were matched, else None."""
        layer = self.layers.get(conventions.TERRAIN)
        if layer is None or self.understanding is None:
            return None
        labels = np.asarray(layer.data)
        return None if np.array_equal(labels, self.understanding.terrain.labels) else labels

    @property
    def next_step(self) -> str:
        """Name of the step that is to be done next; empty when all are done."""
        done = {
            "understand": self.understanding,
            "enhance": self.enhancement,
            "judge": self.judgement,
            "export": self.exported,
        }
        return next((step for step, result in done.items() if result is None), "")


def enhanced_role(model: str) -> str:
    """Key of an enhanced layer among a case's layers: each model has its own, so that they can be compared."""
    return f"{conventions.ENHANCED} {model}"
