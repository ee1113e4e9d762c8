"""Export: images with provenance, terrain as PNG, reports. Every file is written whole or not at all."""

from __future__ import annotations

from marsqe.export.images import read_provenance, save_enhancement, save_pixels, save_terrain
from marsqe.export.options import ExportOptions

__all__ = ["ExportOptions", "read_provenance", "save_enhancement", "save_pixels", "save_terrain"]
