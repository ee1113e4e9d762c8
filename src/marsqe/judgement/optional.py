"""Libraries that only some metrics need, imported when such a metric is asked for."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from marsqe.errors import MissingExtraError


def from_extra(module: str, metric: str) -> ModuleType:
    """Import a module that the extra ``metrics`` brings.

    Raises
    ------
    MissingExtraError
        If it is not installed; the message names ``metric`` and the command that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{metric} needs {module.split('.')[0]}; install it with: pip install 'napari-marsqe[metrics]'"
        ) from error
