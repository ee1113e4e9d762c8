"""Export: images with provenance, terrain as PNG, reports. Every file is written whole or not at all."""

from marsqe.export.images import read_provenance, save_enhancement, save_pixels, save_terrain

__all__ = ["read_provenance", "save_enhancement", "save_pixels", "save_terrain"]
