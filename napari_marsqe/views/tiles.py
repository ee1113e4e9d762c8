"""The table of tiles: sorted by any column; a click flies to the tile, and a clicked tile selects its row."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSortFilterProxyModel, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QPushButton, QTableView, QVBoxLayout, QWidget

from marsqe.export.tables import Cell, write_csv
from marsqe.judgement.tiles import TileFacts, tile_facts
from marsqe.results import TILE
from marsqe.terrain import COLOURS
from napari_marsqe.labels import Words
from napari_marsqe.layers import tile_region
from napari_marsqe.session import Case, Session
from napari_marsqe.views.flight import Flight
from napari_marsqe.views.saving import CSV, ask_and_write
from napari_marsqe.wording import signed

if TYPE_CHECKING:
    from napari_marsqe.workbench import Workbench

KEY = "tiles"
EMPTY = "Find the terrain or judge a result: then every tile stands here with what is known of it."
READY = "Click a heading to sort, a row to fly to its tile."
HEIGHT = 230
_ROOM: Final = 3.0
"""Tiles that the shorter side of the view shows after a flight."""
COLUMNS: Final = (
    ("Row", "Row of the tile, from the top."),
    ("Col", "Column of the tile, from the left."),
    ("Terrain", "Terrain of most of the tile."),
    ("ΔPSNR", "Decibels closer to the truth; negative is further away."),
    ("Before", "Mean residual to the truth of the compressed tile, in DN."),
    ("After", "Mean residual to the truth of the enhanced tile, in DN."),
    ("Diverg.", "KL divergence of the tile's texture from that of its reference; 0 is equal."),
    ("Ref.", "Number of the matched reference within its terrain."),
    ("Change", "Mean difference of the enhanced tile from the compressed one, in DN."),
)
HEADER: Final = (
    "row", "column", "terrain", "ΔPSNR in dB", "mean residual compressed in DN", "mean residual enhanced in DN",
    "divergence (KL)", "reference", "mean change in DN",
)  # fmt: skip
_DIGITS: Final = {3: 2, 4: 1, 5: 1, 6: 3, 8: 1}


class TileModel(QAbstractTableModel):
    """Tiles as Qt asks for them."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.tiles: list[TileFacts] = []

    def fill(self, tiles: list[TileFacts]) -> None:
        """Show other tiles."""
        self.beginResetModel()
        self.tiles = tiles
        self.endResetModel()

    def rowCount(self, parent: Any = None) -> int:  # noqa: N802
        """How many tiles there are."""
        return len(self.tiles)

    def columnCount(self, parent: Any = None) -> int:  # noqa: N802
        """How much is said of each."""
        return len(COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:  # noqa: N802
        """Names of the columns, and what they mean."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        name, tooltip = COLUMNS[section]
        return {Qt.ItemDataRole.DisplayRole: name, Qt.ItemDataRole.ToolTipRole: tooltip}.get(Qt.ItemDataRole(role))

    def data(self, index: Any, role: int = 0) -> Any:
        """What stands in a cell, how it is sorted, and the colour of its terrain."""
        tile, column = self.tiles[index.row()], index.column()
        value = cells(tile)[column]
        if role == Qt.ItemDataRole.UserRole:
            # What is not known is sorted as the least.
            return -math.inf if value is None or (isinstance(value, float) and math.isnan(value)) else value
        if role == Qt.ItemDataRole.DisplayRole:
            return shown(value, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if column == 2 else Qt.AlignmentFlag.AlignRight
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DecorationRole and column == 2 and tile.terrain:
            return QColor(*COLOURS[tile.terrain])
        return None


class Tiles(QWidget):
    """The table, and what ties it to the picture."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench = bench
        self._known: tuple[Any, Any] = (None, None)
        self._flight = Flight(bench.viewer, self)
        self.words = Words()
        self.model = TileModel(self)
        self.proxy = QSortFilterProxyModel(self)
        self.proxy.setSourceModel(self.model)
        self.proxy.setSortRole(Qt.ItemDataRole.UserRole)
        self.table = QTableView()
        self.table.setModel(self.proxy)
        self.table.setSortingEnabled(True)
        self.table.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setFixedHeight(HEIGHT)
        for header, size in ((self.table.verticalHeader(), 20), (self.table.horizontalHeader(), 0)):
            assert header is not None
            header.setVisible(size == 0)
            header.setDefaultSectionSize(size or 60)
            header.setMinimumSectionSize(16)
        self.save = QPushButton("Save table…")
        self.save.setToolTip("Write all tiles as CSV, in the order that is shown.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.words, self.table, self.save):
            layout.addWidget(widget)
        selection = self.table.selectionModel()
        assert selection is not None
        selection.currentRowChanged.connect(self._on_row)
        self.table.clicked.connect(self._go)
        self.save.clicked.connect(self._save)
        bench.picker.picked.connect(self.select)
        self._choosing = False
        self.refresh(bench.session, False)

    def refresh(self, session: Session, busy: bool) -> None:
        """Show the tiles of the current image anew where more, or something else, is known of them."""
        case = session.case
        known = (None, None) if case is None else (case.judgement, case.understanding)
        if known != self._known or not self.words.text():
            self._known = known
            matches = known[1].matches if known[1] is not None else None
            self.model.fill(tile_facts(known[0], matches))
            header = self.table.horizontalHeader()
            assert header is not None
            header.resizeSections(QHeaderView.ResizeMode.ResizeToContents)
            if case is not None and case.selected is not None:
                self.select(*case.selected[0])
        there = bool(self.model.tiles)
        self.words.say(READY if there else EMPTY, "Hint")
        self.table.setVisible(there)
        self.save.setVisible(there)

    def select(self, row: int, column: int, extend: bool = False) -> None:
        """Select the row of a tile without flying to it."""
        for index, tile in enumerate(self.model.tiles):
            if (tile.row, tile.column) == (row, column):
                place = self.proxy.mapFromSource(self.model.index(index, 0))
                self._choosing = True
                self.table.setCurrentIndex(place)
                self.table.scrollTo(place)
                self._choosing = False

    def disconnect_viewer(self) -> None:
        """Nothing here listens to the viewer."""

    def _on_row(self, current: QModelIndex, previous: QModelIndex) -> None:
        # By key; a click on a row, be it the current one already, is told by the table.
        if not self._choosing and current.isValid() and QApplication.mouseButtons() == Qt.MouseButton.NoButton:
            self._go(current)

    def _go(self, place: QModelIndex) -> None:
        case = self._bench.session.case
        if case is not None:
            tile = self.model.tiles[self.proxy.mapToSource(place).row()]
            self._bench.inspect(tile.row, tile.column, reveal=False)
            # The inspector above has grown; the table stays in sight.
            self._bench.column.reveal(self)
            self._flight.to(*self._goal(case, tile))

    def _goal(self, case: Case, tile: TileFacts) -> tuple[float, float, float]:
        region = tile_region(case.image.shape, tile.row, tile.column)
        middle = (region.y + (region.height - 1) / 2, region.x + (region.width - 1) / 2)
        row, column = (float(x) for x in case.source.data_to_world(middle)[-2:])
        viewer = self._bench.viewer
        box = min(viewer.canvas.viewbox_size(viewer.layers))
        zoom = float(box) / (_ROOM * TILE * case.frame.scale[0])
        # Nobody who looks closely is taken further away.
        return row, column, max(zoom, float(viewer.scene.camera.zoom))

    def _save(self) -> None:
        case = self._bench.session.case
        if case is None:
            return
        order = [self.proxy.mapToSource(self.proxy.index(row, 0)).row() for row in range(self.proxy.rowCount())]
        rows = [cells(self.model.tiles[index]) for index in order]

        def write(path: Path) -> None:
            write_csv(path, HEADER, rows)

        ask_and_write(self._bench, KEY, case, "tiles", CSV, write)


def cells(tile: TileFacts) -> tuple[Cell, ...]:
    """What is said of a tile, rows, columns and references counted from 1 as everywhere on the screen."""
    reference = None if tile.reference is None else tile.reference + 1
    return (
        *(tile.row + 1, tile.column + 1, tile.terrain, tile.delta_psnr),
        *(tile.residual_compressed, tile.residual_enhanced, tile.divergence, reference, tile.change),
    )


def shown(value: Cell, column: int) -> str:
    """A cell's value for people; empty where it is not known."""
    if value is None:
        return ""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        if math.isinf(value):
            return "∞"
        return signed(value) if column == 3 else f"{value:.{_DIGITS[column]}f}"
    return str(value)
