"""Enhancement: tiling, devices, faithful projection and the pipeline that a user calls."""

from marsqe.enhancement.pipeline import enhance, enhance_steps

__all__ = ["enhance", "enhance_steps"]
