"""The workbench's tools: folding panels below its steps, made when somebody first unfolds them.

To add one, write a widget with the two methods of :class:`Panel` and append a :class:`Tool` to :data:`TOOLS`. Its class
is called with the workbench, and uses of it

- ``bench.session``: the cases, the current one, and signals that tell of changes;
- ``bench.submit(task)``: run a :class:`~napari_marsqe.jobs.Task` in the background, if nothing else is at work. What
  fails in a task whose ``key`` is the tool's is told in the tool's panel;
- ``bench.tell(key, text)`` and ``bench.fail(key, failure)``: say something in that panel;
- ``bench.runner``: signals of what begins and ends;
- ``bench.viewer``: napari's viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from qtpy.QtWidgets import QFrame, QSizePolicy, QVBoxLayout, QWidget

from marsqe.errors import MarsqeError
from napari_marsqe.labels import Words
from napari_marsqe.sections.base import Fold
from napari_marsqe.session import Session
from napari_marsqe.wording import escape

if TYPE_CHECKING:
    from napari_marsqe.workbench import Workbench


class Panel(Protocol):
    """What the workbench asks of a tool's widget."""

    def refresh(self, session: Session, busy: bool) -> None:
        """Show the state of the session; called at every change while the panel is unfolded."""

    def disconnect_viewer(self) -> None:
        """Let go of the viewer: the workbench closes. Its Qt side may be gone already, so touch no widget here."""


@dataclass(frozen=True)
class Tool:
    """A panel that the workbench offers.

    Attributes
    ----------
    key : str
        Its name in code, and the ``key`` of its tasks.
    title : str
        Its heading.
    tooltip : str
        One sentence that says what it is for.
    panel : str
        ``module:Class`` of its widget, imported when it is first unfolded.
    """

    key: str
    title: str
    tooltip: str
    panel: str


TOOLS: tuple[Tool, ...] = (
    Tool(
        "magnifier",
        "Magnifier",
        "The ground under the mouse in every layer, pixel for pixel.",
        "napari_marsqe.views.magnifier:Magnifier",
    ),
    Tool(
        "profile",
        "Line profile",
        "Intensity along a line that you draw, and how sharp an edge on it is.",
        "napari_marsqe.views.line_profile:LineProfile",
    ),
    Tool("figures", "Figures", "What the judgement found, as charts.", "napari_marsqe.views.figures:Figures"),
    Tool("tiles", "Tiles", "Every tile in a table that can be sorted.", "napari_marsqe.views.tiles:Tiles"),
    Tool(
        "references",
        "My references",
        "Add patches of your own that tiles are matched with, list and remove them.",
        "napari_marsqe.views.own_references:OwnReferences",
    ),
    Tool(
        "models",
        "Models",
        "Which models there are, what they gain, and weights of your own.",
        "napari_marsqe.views.models:Models",
    ),
    Tool("help", "Help and shortcuts", "What to press, and a few hints.", "napari_marsqe.shortcuts:HelpPanel"),
)


class Drawer(QFrame):
    """A tool's place in the workbench: its heading, what went wrong, and its panel once it is unfolded."""

    def __init__(self, tool: Tool, bench: Workbench, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("marsqeSection")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.tool = tool
        self.panel: Any | None = None
        """The tool's widget, None until it is first unfolded."""
        self._bench = bench
        self.words = Words()
        self.words.hide()
        self._body = QWidget()
        self._column = QVBoxLayout(self._body)
        self._column.setContentsMargins(4, 2, 0, 4)
        self.heading = Fold(tool.title, self._body, tool.tooltip)
        self.heading.toggled.connect(self._on_toggled)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 5, 4, 7)
        layout.setSpacing(4)
        for widget in (self.heading, self.words, self._body):
            layout.addWidget(widget)

    def unfold(self) -> Any:
        """Show the tool and return its panel; None where it cannot be made, which is then said."""
        self.heading.setChecked(True)
        return self.panel

    def refresh(self, session: Session, busy: bool) -> None:
        """Show the state of the session, if anybody can see it."""
        self.words.hide()
        if self.panel is not None and self.heading.isChecked():
            self.panel.refresh(session, busy)

    def say(self, text: str, kind: str = "Result") -> None:
        """Tell what happened to the tool's task."""
        self.words.say(text, kind)
        self.words.show()

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        if self.panel is not None:
            self.panel.disconnect_viewer()

    def _on_toggled(self, on: bool) -> None:
        if not on:
            return
        try:
            if self.panel is None:
                module, _, name = self.tool.panel.partition(":")
                self.panel = getattr(import_module(module), name)(self._bench)
                self._column.addWidget(self.panel)
            self.refresh(self._bench.session, self._bench.runner.is_busy)
            self._bench.column.reveal(self)
        except MarsqeError as error:
            self.say(escape(str(error)), "Error")
