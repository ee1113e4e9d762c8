"""Layers of evidence: the confidence, where a change goes beyond it, and the change in quantization steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from marsqe.progress import Progress, Steps
from marsqe.results import Confidence, Enhancement
from napari_marsqe.layers import KEY, Frame, LayerData, name_of

CONFIDENCE, BEYOND, CHANGE_IN_STEPS = "confidence", "beyond the evidence", "change in steps"
ROLES: Final = (CONFIDENCE, BEYOND, CHANGE_IN_STEPS)


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


def _numbers(
    role: str, stem: str, data: NDArray[np.float32], limits: tuple[float, float], frame: Frame, **options: Any
) -> LayerData:
    arguments = {"name": name_of(stem, role), "contrast_limits": limits, "interpolation2d": "nearest"}
    return data, arguments | frame.pixels() | options | {"metadata": {KEY: {"role": role}}}, "image"


def _mask(stem: str, beyond: NDArray[np.bool_], frame: Frame) -> LayerData:
    import pandas as pd
    from napari.utils.colormaps import DirectLabelColormap

    arguments = {
        "name": name_of(stem, BEYOND),
        "colormap": DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", 1: "#ff5fb0"}),
        "features": pd.DataFrame({"index": [0, 1], "evidence": ["", "changed more than the JPEG supports"]}),
        **frame.pixels(),
        "metadata": {KEY: {"role": BEYOND}},
    }
    return beyond.astype(np.uint8), arguments, "labels"
