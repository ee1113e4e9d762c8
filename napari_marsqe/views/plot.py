"""A chart in the workbench. Matplotlib is loaded when the first one is drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from marsqe.export.atomic import atomic
from napari_marsqe.views.charts import SIZE, Draw, Palette, draw

HEIGHT = 210


class Plot(QWidget):
    """Shows one chart in the colours of the viewer's theme, and follows the theme."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._chart: Draw | None = None
        self.canvas: Any = None
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.hide()
        viewer.events.theme.connect(self._on_theme)

    def show_chart(self, chart: Draw | None) -> None:
        """Draw a chart, or nothing."""
        self._chart = chart
        self.setVisible(chart is not None)
        if chart is None:
            return
        if self.canvas is None:
            self._make()
        self._on_theme()

    def save(self, path: Path) -> None:
        """Write the chart that is shown, black on white for a paper, as the kind of file that the name ends in.

        Raises
        ------
        ExportError
            If it cannot be written.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        assert self._chart is not None
        figure = Figure(figsize=SIZE)
        FigureCanvasAgg(figure)
        draw(figure, self._chart, Palette.on("#000000", "#ffffff"))
        with atomic(path) as part:
            figure.savefig(part, format=path.suffix[1:].lower(), dpi=300)

    def disconnect_viewer(self) -> None:
        """Let go of the viewer."""
        self._viewer.events.theme.disconnect(self._on_theme)

    def _make(self) -> None:
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        self.canvas = FigureCanvasQTAgg(Figure(figsize=SIZE))
        # The column scrolls with the wheel, also above a chart.
        self.canvas.wheelEvent = lambda event: event.ignore()
        self._column.addWidget(self.canvas)

    def _on_theme(self, event: Any = None) -> None:
        if self._chart is not None:
            draw(self.canvas.figure, self._chart, Palette.of(self._viewer.theme))
            self.canvas.draw_idle()
