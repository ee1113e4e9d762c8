"""Every table and figure of the paper, for a folder of images, by one command."""

from marsqe.reproduce.run import Report, reproduce, reproduce_steps
from marsqe.reproduce.settings import Settings

__all__ = ["Report", "Settings", "reproduce", "reproduce_steps"]
