"""The workbench's few style rules, in the colours of napari's theme."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QWidget

_RULES = """
QFrame#marsqeSection {{ border: none; border-bottom: 1px solid {primary}; border-radius: 0; }}
QPushButton#marsqeFold {{ border: none; background: transparent; font-weight: bold; text-align: left; padding: 2px; }}
QPushButton#marsqeFold:disabled {{ color: {text}; background: transparent; }}
QPushButton#marsqeFold:hover:enabled {{ background: {primary}; border-radius: 3px; }}
QLabel#marsqeHint {{ color: {faint}; }}
QLabel#marsqeError {{ color: {on_error}; background: {error}; border-radius: 3px; padding: 4px; }}
QLabel#marsqeWarning {{ color: {text}; border: 1px solid {warning}; border-radius: 3px; padding: 4px; }}
QPushButton#marsqeNext {{ background: {current}; color: {on_current}; font-weight: bold; }}
QPushButton#marsqeNext:hover {{ background: {current_hover}; }}
QPushButton#marsqeNext:disabled {{ background: {primary}; color: {faint}; font-weight: normal; }}
QToolButton#marsqeReference {{ border: 2px solid transparent; border-radius: 3px; padding: 0px; }}
QToolButton#marsqeForbidden {{ border: 2px dashed {error}; border-radius: 3px; padding: 0px; color: {faint}; }}
QToolButton#marsqeReference:hover {{ background: {primary}; }}
QToolButton#marsqeReference:checked {{ border-color: {current}; background: {primary}; }}
QFrame#marsqeProgress {{ background: {foreground}; border-radius: 3px; }}
"""


def style_sheet(theme_id: str) -> str:
    """Style rules for a theme of napari's."""
    from napari.utils.theme import get_theme

    theme = get_theme(theme_id)
    colours = {
        name: _hex(getattr(theme, name)) for name in ("foreground", "primary", "error", "warning", "current", "text")
    }
    faint = _mix(colours["text"], _hex(theme.background), 0.35)
    readable = {f"on_{name}": _readable_on(colours[name]) for name in ("current", "error")}
    return _RULES.format(**colours, **readable, faint=faint, current_hover=_mix(colours["current"], "#ffffff", 0.15))


class ThemeFollower:
    """Keeps a widget in the colours of a viewer's theme."""

    def __init__(self, viewer: Any, widget: QWidget) -> None:
        self._viewer, self._widget = viewer, widget
        viewer.events.theme.connect(self._on_theme)
        self._on_theme()

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        self._viewer.events.theme.disconnect(self._on_theme)

    def _on_theme(self, event: Any = None) -> None:
        self._widget.setStyleSheet(style_sheet(self._viewer.theme))


def _hex(colour: Any) -> str:
    red, green, blue = colour.as_rgb_tuple()[:3]
    return f"#{red:02x}{green:02x}{blue:02x}"


def _readable_on(colour: str) -> str:
    """White or black, whichever stands out more against a colour: by relative luminance, as WCAG 2 defines contrast."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000000"


def _mix(one: str, other: str, share: float) -> str:
    pairs = [(int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)
