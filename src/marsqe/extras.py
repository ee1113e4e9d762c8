"""Libraries that only some files and formats need, imported when one of those is met."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from marsqe.errors import MissingExtraError


def from_extra(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module that an extra of this package brings.

    Parameters
    ----------
    module : str
        For example "av".
    extra : str
        The extra that brings it, for example "codecs".
    purpose : str
        Beginning of the message: what needs it.

    Raises
    ------
    MissingExtraError
        If it is not installed; the message holds the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'{purpose} needs the library {module}; install it with: pip install "napari-marsqe[{extra}]"'
        ) from error
