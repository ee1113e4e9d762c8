"""Layers of evidence: the confidence, where a change goes beyond it, and the change in quantization steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.progress import Progress, Steps
from marsqe.results import Confidence, Enhancement
from napari_marsqe.frame import Frame
from napari_marsqe.layers import KEY, LayerData, name_of

CONFIDENCE, BEYOND, CHANGE_IN_STEPS = "confidence", "beyond the evidence", "change in steps"
ROLES: Final = (CONFIDENCE, BEYOND, CHANGE_IN_STEPS)
_BEYOND_COLOUR: Final = "#ff5fb0"
LEGEND: Final = (
    "<b>Confidence</b>: nine pixels in ten are within this many DN of the truth. "
    f"<span style='color:{_BEYOND_COLOUR}'>■</span>&nbsp;<b>Beyond the evidence</b>: changed by more than the JPEG’s "
    "own pixels are expected to be wrong; look twice before you rely on it. <b>Change in steps</b>: up to 0.5 the JPEG "
    "leaves it open. The status bar has the numbers under the mouse."
)


@dataclass(frozen=True)
class Evidence:
    """What is known of a result without a truth; None where its file or its model leaves it unknown."""

    confidence: Confidence | None
    change_in_steps: NDArray[np.float32] | None


def gather(enhancement: Enhancement) -> Steps[Evidence]:
    """Compute all of it, in the worker."""
    yield Progress("Gathering evidence", 0, 1)
    from marsqe.errors import SettingError
    from marsqe.judgement.quantization import change_in_steps

    try:
        steps = change_in_steps(enhancement.source, enhancement.pixels)
    except SettingError:
        steps = None
    return Evidence(enhancement.evidence, steps)


def evidence_layers(stem: str, evidence: Evidence, frame: Frame) -> dict[str, LayerData]:
    """Layers by role, bottom first; the status bar shows their numbers under the cursor."""
    found: dict[str, LayerData] = {}
    if evidence.change_in_steps is not None:
        found[CHANGE_IN_STEPS] = _numbers(
            CHANGE_IN_STEPS, stem, evidence.change_in_steps, (0.0, 1.0), frame, colormap="viridis", visible=False
        )
    if evidence.confidence is not None:
        half_width = evidence.confidence.half_width
        finite = half_width[np.isfinite(half_width)]
        top = max(1.0, float(np.percentile(finite, 99))) if finite.size else 1.0
        found[CONFIDENCE] = _numbers(CONFIDENCE, stem, half_width, (0.0, top), frame, colormap="cividis", visible=True)
        found[BEYOND] = _mask(stem, evidence.confidence.beyond, frame)
    return found


def at_cursor(layers: dict[str, Any], position: Sequence[float]) -> str:
    """What the layers of evidence, by role, say of a place of the world; empty outside them or without any."""
    shown = {role: layers[role] for role in (CONFIDENCE, CHANGE_IN_STEPS, BEYOND) if role in layers}
    if not any(layer.visible for layer in shown.values()):
        return ""
    found = {}
    for role, layer in shown.items():
        row, column = (round(float(n)) for n in layer.world_to_data(position)[-2:])
        height, width = layer.data.shape[:2]
        if not (0 <= row < height and 0 <= column < width):
            return ""
        found[role] = float(layer.data[row, column])
    words = []
    if np.isfinite(found.get(CONFIDENCE, np.nan)):
        words.append(f"nine in ten within ±{found[CONFIDENCE]:.1f} DN")
    if CHANGE_IN_STEPS in found:
        words.append(f"change {found[CHANGE_IN_STEPS]:.2f} steps")
    words += ["beyond the evidence"] if found.get(BEYOND) else []
    return ", ".join(words)


def _numbers(
    role: str, stem: str, data: NDArray[np.float32], limits: tuple[float, float], frame: Frame, **options: Any
) -> LayerData:
    arguments = {"name": name_of(stem, role), "contrast_limits": limits, "interpolation2d": "nearest"}
    return data, arguments | frame.pixels() | options | {"metadata": {KEY: {"role": role}}}, "image"


def _mask(stem: str, beyond: NDArray[np.bool_], frame: Frame) -> LayerData:
    from napari.utils.colormaps import DirectLabelColormap

    arguments = {
        "name": name_of(stem, BEYOND),
        "colormap": DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", 1: _BEYOND_COLOUR}),
        "features": beyond_features(),
        **frame.pixels(),
        "metadata": {KEY: {"role": BEYOND}},
    }
    return beyond.astype(np.uint8), arguments, "labels"


def beyond_features() -> Any:
    """What the labels stand for, as the status bar shows it: a table with the columns index and evidence."""
    import pandas as pd

    return pd.DataFrame({"index": [0, 1], "evidence": ["", "changed more than the JPEG supports"]})
