"""Keys for the main steps, in the workbench and on napari's canvas, and the panel that lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_marsqe.labels import Words
from napari_marsqe.session import Session

if TYPE_CHECKING:
    from napari_marsqe.workbench import Workbench

KEYS: Final = {
    "1": "Open an image",
    "2": "Find the terrain",
    "3": "Enhance",
    "4": "Judge",
    "5": "Export",
    "C": "Compare side by side, and back",
    "N": "Show the next image",
}
"""What is pressed together with Control and Alt; the digits are those of the steps."""

HELP = (
    "<b>Three clicks:</b> drop an image here or on the canvas, press <i>Enhance</i>, press <i>Export…</i>; what a step "
    "needs is done before it.<br>"
    "<b>Part of an image:</b> what you look at is enhanced first; <i>Region</i> leaves the rest as it is.<br>"
    "<b>Tiles:</b> a click on the image shows a tile, <i>Shift</i> and a click selects more of them.<br>"
    "<b>Before and after:</b> hold <i>H</i> over the image, or press <i>Swipe</i> or <i>Blink</i>.<br>"
    "<b>Terrain:</b> paint in its layer with napari's brush, then press <i>Re-match what was drawn</i>.<br>"
    "<b>Next day:</b> <i>Session</i> in Open saves everything into a folder and reopens it.<br>"
    "<b>Defaults</b> are in napari's Preferences, under <i>MarsQE</i>."
)


class Shortcuts(QObject):
    """Binds the keys to the workbench's buttons: a step that cannot begin now does not."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._viewer = bench.viewer
        buttons = {
            "1": bench.open.action,
            "2": bench.understand.action,
            "3": bench.enhance.action,
            "4": bench.judge.action,
            "5": bench.export.action,
            "C": bench.judge.compare,
            "N": bench.open.following,
        }
        for key, button in buttons.items():
            # Twice, for Qt and napari each look only at keys that are pressed in their own widgets.
            shortcut = QShortcut(QKeySequence(f"Ctrl+Alt+{key}"), bench)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(button.click)
            self._viewer.bind_key(f"Control-Alt-{key}", _clicking(button.click), overwrite=True)
            button.setToolTip(f"{button.toolTip().rstrip('.')} ({shown(key)}).")

    def disconnect_viewer(self) -> None:
        """Give the keys back."""
        for key in KEYS:
            self._viewer.bind_key(f"Control-Alt-{key}", None)


class HelpPanel(QWidget):
    """What to press, and a few hints."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.words, self.keys = Words(), Words()
        self.words.say(HELP)
        rows = "".join(f"<tr><td>{shown(key)}&nbsp;&nbsp;</td><td>{what}</td></tr>" for key, what in KEYS.items())
        self.keys.say(f"<table>{rows}</table>")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.words)
        layout.addWidget(self.keys)

    def refresh(self, session: Session, busy: bool) -> None:
        """It is always the same."""

    def disconnect_viewer(self) -> None:
        """It follows nothing."""


def shown(key: str) -> str:
    """The keys as this system writes them."""
    return str(QKeySequence(f"Ctrl+Alt+{key}").toString(QKeySequence.SequenceFormat.NativeText))


def _clicking(click: Callable[[], None]) -> Callable[[Any], None]:
    # A function and no partial: at every key napari looks for the names of all that are bound.
    def press(_viewer: Any) -> None:
        click()

    return press
