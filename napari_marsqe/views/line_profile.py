"""Line profile: intensity along a line that is drawn across a grain or an edge, in every image at hand."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPushButton, QSpinBox, QVBoxLayout, QWidget

from marsqe.errors import MarsqeError
from marsqe.export.tables import write_csv
from marsqe.judgement.profile import CHANNELS, Profile, profile
from napari_marsqe import layers as conventions
from napari_marsqe.labels import Words
from napari_marsqe.session import Case, Session
from napari_marsqe.views.canvas import steady
from napari_marsqe.views.charts import profile_chart
from napari_marsqe.views.hand import REFERENCE, at_hand
from napari_marsqe.views.plot import Plot
from napari_marsqe.views.saving import CSV, ask_and_write
from napari_marsqe.wording import escape

if TYPE_CHECKING:
    from napari_marsqe.workbench import Workbench

KEY = "profile"
OPEN = "Open an image first."
DRAW = "Press <b>Draw a line</b>, then drag across an edge, from one even side to the other."
DRAWING = "Drag across an edge in the image, from one even side to the other."
NO_EDGE = "No single edge on this line: draw it from one even side of an edge to the other."
DELAY = 30
"""Milliseconds between two profiles while a line is being drawn."""
_BUTTONS: Final = 52
"""Pixels that the buttons and margins of a spin box take in napari's style."""


class LineProfile(QWidget):
    """A line of ours in the viewer, and the intensities along it."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench, self._viewer = bench, bench.viewer
        self._heard: Any = None
        self._active: Any = None
        self.line: Profile | None = None
        self.button = QPushButton("Draw a line")
        self.button.setCheckable(True)
        self.button.setToolTip("Draw a line across an edge with the mouse; another one takes its place.")
        self.channel = QComboBox()
        self.channel.addItems(CHANNELS)
        self.channel.setToolTip("Luma is brightness; colour images have three channels besides.")
        self.width_box = QSpinBox()
        self.width_box.setRange(1, 50)
        self.width_box.setSuffix(" px wide")
        # napari's buttons lie on both sides of the text, which Qt's own hint does not count.
        text = self.width_box.fontMetrics().horizontalAdvance(f"{self.width_box.maximum()}{self.width_box.suffix()}")
        self.width_box.setMinimumWidth(text + _BUTTONS)
        self.width_box.setToolTip("Values are means across the line: a wider line has less noise.")
        self.words = Words()
        self.plot = Plot(bench.viewer)
        self.save = QPushButton("Save numbers…")
        self.save.setToolTip("Write distance, place and the value in every image as CSV.")
        options = QHBoxLayout()
        options.addWidget(QLabel("Values"))
        options.addWidget(self.channel, 1)
        options.addWidget(self.width_box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.button)
        layout.addLayout(options)
        layout.addWidget(self.words)
        layout.addWidget(self.plot)
        layout.addWidget(self.save)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY)
        self._timer.timeout.connect(self._draw)
        self.button.toggled.connect(self._on_button)
        self.channel.currentTextChanged.connect(self._draw)
        self.width_box.valueChanged.connect(self._draw)
        self.save.clicked.connect(self._save)
        self.refresh(bench.session, False)

    def refresh(self, session: Session, busy: bool) -> None:
        """Show the line of the current image, if there is one."""
        case = session.case
        layer = None if case is None else case.layers.get(conventions.PROFILE)
        self.button.setEnabled(case is not None)
        self.channel.setEnabled(case is not None and case.image.is_colour)
        gone = self._heard is not None and layer is None
        if layer is not self._heard:
            self._listen(layer)
        if gone:
            self.button.setChecked(False)
        self._draw()

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        self._listen(None)
        self.plot.disconnect_viewer()

    def _on_button(self, on: bool) -> None:
        case = self._bench.session.case
        layer = self._heard
        if on and case is not None:
            # Side by side the line would take a box of its own.
            self._bench.comparison.stop()
            selection = self._viewer.layers.selection
            self._active = selection.active
            with steady(self._viewer):
                layer = self._bench.session.show(
                    case, conventions.PROFILE, conventions.profile_line(case.stem, case.frame)
                )
                layer.visible = True
                self._listen(layer)
                selection.active = layer
                layer.mode = "add_line"
        elif layer is not None and layer in self._viewer.layers and layer.mode == "add_line":
            self._rest(layer)
        self._draw()

    def _rest(self, layer: Any) -> None:
        """Back to the layer that was worked on, so that the mouse moves the view and clicks tiles again."""
        layer.mode = "pan_zoom"
        if self._active is not None and self._active in self._viewer.layers:
            self._viewer.layers.selection.active = self._active

    def _listen(self, layer: Any) -> None:
        if self._heard is not None:
            self._heard.events.data.disconnect(self._on_data)
            self._heard.events.set_data.disconnect(self._on_change)
        self._heard = layer
        if layer is not None:
            layer.events.data.connect(self._on_data)
            layer.events.set_data.connect(self._on_change)

    def _on_data(self, event: Any) -> None:
        # napari tells that a shape was added once the mouse is released.
        if self.button.isChecked() and str(getattr(event, "action", "")) == "added":
            QTimer.singleShot(0, self._finish)
        self._on_change()

    def _on_change(self, event: Any = None) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _finish(self) -> None:
        layer = self._heard
        if layer is not None and layer in self._viewer.layers:
            if len(layer.data) > 1:
                layer.data = [layer.data[-1]]
            self.button.setChecked(False)

    def _draw(self) -> None:
        case = self._bench.session.case
        self.line = None
        ends = None if case is None or self._heard is None or not self._heard.data else np.asarray(self._heard.data[-1])
        if case is None:
            self.words.say(OPEN, "Hint")
        elif ends is None:
            self.words.say(DRAWING if self.button.isChecked() else DRAW, "Hint")
        else:
            self._measure(case, ends)
        self.save.setVisible(self.line is not None)
        self.plot.show_chart(None if self.line is None else profile_chart(self.line))

    def _measure(self, case: Case, ends: Any) -> None:
        images = {name: layer.data for name, layer in at_hand(case).items() if name != REFERENCE}
        (top, left), (bottom, right) = ends[0][-2:].tolist(), ends[-1][-2:].tolist()
        channel = self.channel.currentText() if case.image.is_colour else CHANNELS[0]
        try:
            self.line = profile(images, (top, left), (bottom, right), channel=channel, width=self.width_box.value())
        except MarsqeError as error:
            self.words.say(escape(str(error)), "Hint")
            return
        widths = self.line.edge_widths()
        known = [f"{name} <b>{width:.1f}</b>" for name, width in widths.items() if not math.isnan(width)]
        self.words.say(f"Edge width (10 to 90&nbsp;%) in pixels: {', '.join(known)}" if known else NO_EDGE)

    def _save(self) -> None:
        case, line = self._bench.session.case, self.line
        if case is not None and line is not None:
            header = ["distance in pixels", "row", "column", *(f"{name}, {line.channel} in DN" for name in line.values)]

            def write(path: Path) -> None:
                write_csv(path, header, line.rows())

            ask_and_write(self._bench, KEY, case, "profile", CSV, write)
