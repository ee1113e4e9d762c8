"""The same steps without a screen: the command ``marsqe``."""

from marsqe.cli.main import main

__all__ = ["main"]
