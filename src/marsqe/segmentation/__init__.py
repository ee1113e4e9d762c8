"""Segment: terrain of an image."""

from marsqe.segmentation.run import segment, segment_steps

__all__ = ["segment", "segment_steps"]
