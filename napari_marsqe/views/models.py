"""The model manager: bundled models and the user's own, what they gain, and whether their weights are intact."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHeaderView,
    QPlainTextEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from marsqe.progress import Progress, Steps
from napari_marsqe.jobs import Task
from napari_marsqe.labels import Words
from napari_marsqe.session import Session
from napari_marsqe.wording import escape, signed

if TYPE_CHECKING:
    from napari_marsqe.workbench import Workbench

KEY = "models"
COLUMNS = ("Model", "Where", "Size", "Cost", "Hash")
_TIPS = (
    "Its name in “Enhance” and on the command line.",
    "Whether its weights came with napari-marsqe, were imported by you, or are not there yet.",
    "Parameters: learned numbers, in millions.",
    "Multiplications for an image of 1600 × 1152 pixels, in millions of millions (TMAC).",
    "Whether the weights are those that the model's card names: ✓ verified, ✕ altered or damaged, – none.",
)
_SIGNS = {"verified": "✓", "altered": "✕", "missing": "–"}
_STATES = {
    "verified": "Its weights are those that its card names",
    "altered": "Its weights are not those that its card names: do not use it",
}


class Models(QWidget):
    """A table of all models; what the selected one gains; import, verify, remove, show card."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self._bench = bench
        self._folder = ""
        self._asked = False
        self.rows: list[dict[str, Any]] = []
        self.table = QTableWidget(0, len(COLUMNS))
        self.gains = Words()
        self.importing = _button(
            "Import…", "Add weights of your own: a .safetensors file with its card (.json) beside it."
        )
        self.verify = _button("Verify", "Read all weights again and compare them with the hashes on their cards.")
        self.remove = _button("Remove", "Delete the selected model; only your own can be removed.")
        self.card = _button(
            "Show card", "What the selected model was trained on, how, and what it is known to fail at."
        )
        self.shown: QDialog | None = None
        """The card that was shown last."""
        self._build()
        self.importing.clicked.connect(self._ask)
        self.verify.clicked.connect(self.run_verify)
        self.remove.clicked.connect(self._on_remove)
        self.card.clicked.connect(self._on_card)
        self.table.itemSelectionChanged.connect(self._on_selected)

    def refresh(self, session: Session, busy: bool) -> None:
        """Let buttons be pressed unless something is at work."""
        if not self._asked and not busy:
            self._asked = True  # once: what fails is told, and not tried again unasked
            self.run_verify()
            return
        row = self.selected
        self.importing.setEnabled(not busy)
        self.verify.setEnabled(not busy)
        self.remove.setEnabled(row is not None and row["local"] and not busy)
        self.card.setEnabled(row is not None and (row["available"] or row["local"]))

    def disconnect_viewer(self) -> None:
        """Nothing is listened to."""

    @property
    def selected(self) -> dict[str, Any] | None:
        """The model in the selected row."""
        chosen = self.table.selectedItems()
        return self.rows[chosen[0].row()] if chosen else None

    def run_verify(self) -> None:
        """Read all models and check their weights."""
        self._submit(partial(_listed, None), "Verifying the weights")

    def import_file(self, path: Path, card: Path | None = None) -> None:
        """Check weights and add them to the models."""
        told = f"Imported {path.name}; choose it in “Enhance”. “Automatic” never takes a model of your own."
        self._submit(partial(_imported, path, card), f"Importing {path.name}", told)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        for column, tip in enumerate(_TIPS):
            item = self.table.horizontalHeaderItem(column)
            if item is not None:
                item.setToolTip(tip)
        for header, fits in ((self.table.verticalHeader(), False), (self.table.horizontalHeader(), True)):
            assert header is not None
            header.setVisible(fits)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setMinimumWidth(100)
        self.table.setFixedHeight(180)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addWidget(self.gains)
        buttons = QGridLayout()
        for place, button in enumerate((self.importing, self.verify, self.remove, self.card)):
            buttons.addWidget(button, place // 2, place % 2)
        layout.addLayout(buttons)
        self.gains.say("Select a model to see what it gains.", "Hint")

    def _submit(self, steps: Any, title: str, told: str = "") -> None:
        def apply(rows: list[dict[str, Any]]) -> None:
            self._fill(rows)
            self._bench.enhance.offer_models()
            self._bench.tell(KEY, escape(told)) if told else self._bench.refresh()

        self._bench.submit(Task(KEY, title, steps, apply, owner=self))

    def _fill(self, rows: list[dict[str, Any]]) -> None:
        before = self.selected
        self.rows = rows
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(rows))
            for place, row in enumerate(rows):
                for column, text in enumerate(_cells(row)):
                    item = QTableWidgetItem(text)
                    item.setToolTip(escape(row["problem"] or row["description"] or ""))
                    self.table.setItem(place, column, item)
            names = [row["name"] for row in rows]
            self.table.clearSelection()
            if before is not None and before["name"] in names:
                self.table.selectRow(names.index(before["name"]))
        self._on_selected()

    def _on_selected(self) -> None:
        row = self.selected
        if row is None:
            self.gains.say("Select a model to see what it gains.", "Hint")
        elif row["problem"]:
            self.gains.say(escape(row["problem"]), "Error")
        else:
            self.gains.say(describe_gains(row))
        self.refresh(self._bench.session, self._bench.runner.is_busy)

    def _on_remove(self) -> None:
        row = self.selected
        if row is not None:
            self._submit(partial(_removed, row["name"]), f"Removing {row['name']}", f"Removed {row['name']}.")

    def _on_card(self) -> None:
        row = self.selected
        if row is None:
            return
        text = QPlainTextEdit(card_text(row["name"]))
        text.setReadOnly(True)
        self.shown = QDialog(self)
        self.shown.setWindowTitle(f"Card of {row['name']}")
        self.shown.resize(720, 560)
        QVBoxLayout(self.shown).addWidget(text)
        self.shown.show()

    def _ask(self) -> None:
        # Other endings, too, so that it can be said why they are not taken.
        pattern = "Weights (*.safetensors);;All files (*)"
        path, _ = QFileDialog.getOpenFileName(self, "Import weights", self._folder, pattern)
        if path:
            self._folder = str(Path(path).parent)
            self.import_file(Path(path))


def describe_gains(row: dict[str, Any]) -> str:
    """What a model gains by set and quality, as its card says."""
    table = row["validation"]
    lines = [escape(row["description"])] if row["description"] else []
    if not row["available"]:
        return "<br>".join([*lines, "There are no weights of it yet."])
    if row["state"] is not None:
        lines.append(f"{_STATES[row['state']]} (SHA-256 {escape(str(row['weights_sha256'])[:12])}).")
    if not table:
        return "<br>".join([*lines, "Its card reports no measured gain: judge it on images whose truth you have."])
    qualities = sorted({q for row_of in table.values() for q in row_of}, key=_number)
    whose = "as its card says; not measured here" if row["local"] else "measured on images that training did not see"
    lines.append(f"Mean gain in dB by JPEG quality, {whose}:")
    for split, gains in table.items():
        values = "; ".join(f"{escape(q)}&nbsp;{signed(gains[q]['mean'])}" for q in qualities if q in gains)
        lines.append(f"<b>{escape(split.removeprefix('val/'))}</b>: {values}")
    return "<br>".join(lines)


def card_text(name: str) -> str:
    """A model's card for people: its page where there is one, else the card itself."""
    from marsqe.errors import WeightsError
    from marsqe.weights import card_page

    try:
        return card_page(name)
    except WeightsError as error:
        return json.dumps({"problem": str(error)}, indent=1)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    if row["problem"]:
        return row["name"], "yours", "?", "?", "✕"
    return (
        row["name"],
        "yours" if row["local"] else "bundled" if row["bundled"] else "no weights yet",
        f"{row['parameters'] / 1e6:.2f} M",
        f"{row['macs_1152x1600'] / 1e12:.2f}",
        _SIGNS[row["state"]],
    )


def _number(quality: str) -> tuple[float, str]:
    return (float(quality), "") if re.fullmatch(r"\d+(\.\d+)?", quality) else (1e9, quality)


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button


def _listed(_nothing: None) -> Steps[list[dict[str, Any]]]:
    yield Progress("Verifying the weights", 0, 1)
    import marsqe

    rows = marsqe.list_models(verify=True)
    return rows


def _imported(path: Path, card: Path | None) -> Steps[list[dict[str, Any]]]:
    yield Progress("Checking the weights", 0, 1)
    from marsqe.local_models import import_model, proposed_name

    named = proposed_name(path, card) if path.suffix.lower() == ".safetensors" else None
    import_model(path, card, named)
    return (yield from _anew())


def _removed(name: str) -> Steps[list[dict[str, Any]]]:
    yield Progress("Removing", 0, 1)
    from marsqe.local_models import remove_model

    remove_model(name)
    return (yield from _anew())


def _anew() -> Steps[list[dict[str, Any]]]:
    """All models, after networks of a name that may mean other weights now were let go."""
    from marsqe.enhancement import networks

    networks.loaded.cache_clear()
    return (yield from _listed(None))
