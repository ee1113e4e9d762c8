"""Export: images with provenance, terrain as PNG, reports. Every file is written whole or not at all.

What writes images loads when it is first needed: the workbench imports options and tables from here when it starts.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from marsqe.export.options import ExportOptions

if TYPE_CHECKING:
    from marsqe.export.images import read_provenance, save_enhancement, save_pixels, save_terrain

__all__ = ["ExportOptions", "read_provenance", "save_enhancement", "save_pixels", "save_terrain"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'marsqe.export' has no attribute {name!r}")
    return getattr(import_module("marsqe.export.images"), name)
