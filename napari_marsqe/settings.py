"""The plugin's remembered settings, as napari's Preferences show them (``configurations`` in the manifest)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineSettings:
    """Defaults of the workbench's choices."""

    model: str = "auto"
    device: str = "auto"
    quality: int = 30


def engine_settings() -> EngineSettings:
    """What Preferences say; the defaults where napari does not know the plugin (a bare widget in a test)."""
    from napari.settings import get_plugin_settings

    try:
        chosen = get_plugin_settings("napari-marsqe").engine
        return EngineSettings(model=str(chosen.model), device=str(chosen.device), quality=int(chosen.quality))
    except (AttributeError, KeyError, LookupError, ValueError):
        return EngineSettings()
