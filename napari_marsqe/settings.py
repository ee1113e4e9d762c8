"""The plugin's remembered settings, as napari's Preferences show them (``configurations`` in the manifest)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final

from qtpy.QtCore import QObject, QTimer

from marsqe.errors import in_one_line

_REMEDY: Final = "Remove the file napari-marsqe.yaml beside napari's own settings, or mend it."


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


def _engine() -> Any | None:
    """Napari's settings of the engine; None where it does not know the plugin (a bare widget in a test)."""
    from napari.settings import get_plugin_settings

    try:
        return get_plugin_settings("napari-marsqe").engine
    except (AttributeError, LookupError):
        return None
    except Exception as error:  # a file that is no mapping gets as far as napari's own assertions
        tell(f"The settings of MarsQE cannot be read ({in_one_line(error)}): the defaults are used. {_REMEDY}")
        return None


@cache
def tell(text: str) -> None:
    """Say something once."""
    from napari.utils.notifications import show_warning

    show_warning(text)


def engine_settings() -> EngineSettings:
    """What Preferences say; the defaults where napari knows none."""
    chosen = _engine()
    if chosen is None:
        return EngineSettings()
    try:
        return EngineSettings(**{name: type(value)(getattr(chosen, name)) for name, value in _DEFAULTS.items()})
    except (AttributeError, TypeError, ValueError):  # of an older or a newer version
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
    chosen = _engine()
    with suppress(AttributeError, LookupError, ValueError):
        if chosen is not None:
            setattr(chosen, name, value)


class PaletteFollower:
    """Tells when other colours of the terrain are chosen in Preferences, once it was told to start."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._events: Any = None

    def start(self) -> None:
        """Listen; needs napari's settings, and so waits for :func:`when_shown`."""
        from napari.settings import get_plugin_settings

        with suppress(AttributeError, LookupError):
            self._events = get_plugin_settings("napari-marsqe").engine.events.palette
            self._events.connect(self._on_palette)

    @property
    def listens(self) -> bool:
        """Whether it was started and has not ended."""
        return self._events is not None

    def disconnect_viewer(self) -> None:
        """Listen no more."""
        if self._events is not None:
            self._events.disconnect(self._on_palette)
            self._events = None

    def _on_palette(self, event: Any = None) -> None:
        self._changed()


def remembering(name: str) -> Callable[[Any], None]:
    """A slot that remembers what it is told. (PySide6 calls a ``functools.partial`` without the signal's value.)"""

    def slot(value: Any) -> None:
        remember(name, value)

    return slot
