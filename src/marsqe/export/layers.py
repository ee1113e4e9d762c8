"""What can go into the file beside the image: further pages with names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marsqe.errors import ExportError
from marsqe.ome import Page
from marsqe.results import Enhancement, Judgement

_NAMES = {
    "terrain": "terrain (0 unlabelled, 1 sky, 2 sand, 3 soil, 4 rock)",
    "confidence": "confidence (0 to 1)",
    "change": "change (mean absolute difference to the source, DN)",
    "residual": "residual to raw (mean absolute difference to the truth, DN)",
}


def pages_of(enhancement: Enhancement, judgement: Judgement | None, layers: Sequence[str]) -> list[Page]:
    """The pages of layers.

    Raises
    ------
    ExportError
        If a layer is asked for that this result does not have.
    """
    return [Page(_NAMES[name], _pixels(enhancement, judgement, name)) for name in layers]


def available_layers(enhancement: Enhancement, judgement: Judgement | None) -> list[str]:
    """Layers that can be written of a result."""
    found = {"confidence": confidence_of(enhancement) is not None, "residual": _residual(judgement) is not None}
    return [name for name in _NAMES if found.get(name, True)]


def confidence_of(enhancement: Enhancement) -> NDArray[np.float32] | None:
    """Confidence (H, W), the half width in DN of the interval of the remaining error, where there is one."""
    return enhancement.confidence


def _residual(judgement: Judgement | None) -> NDArray[np.float32] | None:
    return None if judgement is None else judgement.residual_enhanced


def _pixels(enhancement: Enhancement, judgement: Judgement | None, name: str) -> NDArray[Any]:
    if name == "terrain":
        return enhancement.terrain.labels
    if name == "change":
        return _change(enhancement)
    found = confidence_of(enhancement) if name == "confidence" else _residual(judgement)
    if found is None:
        why = "no truth was given to judge by" if name == "residual" else "this enhancement has none"
        raise ExportError(f"the layer '{name}' cannot be written: {why}; leave it out")
    return np.asarray(found, np.float32)


def _change(enhancement: Enhancement) -> NDArray[np.float32]:
    difference = np.abs(enhancement.pixels.astype(np.float32) - enhancement.source.pixels.astype(np.float32))
    return difference.mean(axis=2, dtype=np.float32) if difference.ndim == 3 else difference
