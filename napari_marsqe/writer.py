"""Writer contributions: an enhanced layer as TIFF with its provenance, and all layers of a workbench as a session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from marsqe.errors import ExportError
from marsqe.results import Enhancement
from napari_marsqe.layers import KEY


def write_enhanced(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one of our enhanced layers.

    Raises
    ------
    ExportError
        If the layer is not one, if its pixels were replaced since, or if the file cannot be written.
    """
    from marsqe.export import save_enhancement

    facts = (attributes.get("metadata") or {}).get(KEY) or {}
    enhancement = facts.get("enhancement")
    if not isinstance(enhancement, Enhancement):
        raise ExportError(
            f"layer '{attributes.get('name', '')}' holds no MarsQE result; choose an 'enhanced' layer, "
            "or save this one with napari's own writer"
        )
    pixels = np.asarray(data)
    if pixels is not enhancement.pixels and not np.array_equal(pixels, enhancement.pixels):
        raise ExportError(
            "the pixels of this layer were changed after the enhancement, so its record would be wrong; "
            "enhance again, or save it with napari's own writer"
        )
    return [str(save_enhancement(replace(enhancement, pixels=pixels), Path(path)))]


def write_session(path: str, layers: list[tuple[Any, dict[str, Any], str]]) -> list[str]:
    """Write the whole session of the workbench that shows these layers into one folder.

    Raises
    ------
    ExportError
        If no workbench shows them, or the folder cannot be written.
    """
    from marsqe.progress import run
    from napari_marsqe.saving.sessions import save_steps
    from napari_marsqe.session import session_of

    known = [(attributes.get("metadata") or {}).get(KEY) for _, attributes, _ in layers]
    session = session_of([facts for facts in known if facts is not None])
    if session is None:
        raise ExportError("these layers are in no MarsQE Workbench; open it (Plugins > MarsQE Workbench), then save")
    return [str(run(save_steps(session, Path(path))()))]
