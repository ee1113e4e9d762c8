"""What there is of an image to be compared, pixel on pixel."""

from __future__ import annotations

from typing import Any, Final

from napari_marsqe import layers
from napari_marsqe.session import Case

COMPRESSED, ENHANCED, TRUTH, REFERENCE = "compressed", "enhanced", "truth", "reference"
NAMES: Final = (COMPRESSED, ENHANCED, TRUTH, REFERENCE)


def at_hand(case: Case | None) -> dict[str, Any]:
    """Layers of a case by what they show, in the order of ``NAMES``: those that exist and have the image's size."""
    if case is None:
        return {}
    found = (case.source, case.enhanced, case.truth, case.layers.get(layers.REFERENCES))
    return {
        name: layer
        for name, layer in zip(NAMES, found, strict=True)
        if layer is not None and tuple(layer.data.shape[:2]) == case.image.shape
    }
