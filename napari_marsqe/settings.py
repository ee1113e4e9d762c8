"""The plugin's remembered settings, as napari's Preferences show them (``configurations`` in the manifest)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from qtpy.QtCore import QObject, QTimer


@dataclass(frozen=True)
class EngineSettings:
    """Defaults of the workbench's choices."""

    model: str = "auto"
    device: str = "auto"
    quality: int = 30
    faithful: bool = True
    batch: int = 8
    precision: str = "auto"
    palette: str = "okabe-ito"


_DEFAULTS = asdict(EngineSettings())


def engine_settings() -> EngineSettings:
    """What Preferences say; the defaults where napari does not know the plugin (a bare widget in a test)."""
    from napari.settings import get_plugin_settings

    try:
        chosen = get_plugin_settings("napari-marsqe").engine
        return EngineSettings(**{name: type(value)(getattr(chosen, name)) for name, value in _DEFAULTS.items()})
    except (AttributeError, LookupError, ValueError):
        return EngineSettings()


def when_shown(owner: QObject, start: Callable[[EngineSettings], None]) -> None:
    """Tell a widget its settings as soon as the window has drawn it.

    napari searches the manifests of all plugins when the first one asks for its settings, which nobody should wait for
    in front of an empty dock. What is chosen before is remembered, and so among the settings.
    """
    timer = QTimer(owner)  # goes with its owner
    timer.setSingleShot(True)
    timer.timeout.connect(lambda: start(engine_settings()))
    timer.start(0)


def remember(name: str, value: Any) -> None:
    """Keep a choice for the next start, where napari knows the plugin."""
    from napari.settings import get_plugin_settings

    # A model of the user's own is none that Preferences offer.
    with suppress(AttributeError, LookupError, ValueError):
        setattr(get_plugin_settings("napari-marsqe").engine, name, value)


def remembering(name: str) -> Callable[[Any], None]:
    """A slot that remembers what it is told. (PySide6 calls a ``functools.partial`` without the signal's value.)"""

    def slot(value: Any) -> None:
        remember(name, value)

    return slot
