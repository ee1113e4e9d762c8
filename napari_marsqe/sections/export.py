"""Step 5: the result as a file, or a set of files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QFileDialog, QGridLayout, QWidget

from marsqe.export.options import ExportOptions
from napari_marsqe import work
from napari_marsqe.jobs import Task
from napari_marsqe.sections.base import Section
from napari_marsqe.sections.choices import Choice
from napari_marsqe.session import Case, Session
from napari_marsqe.wording import escape

KEY = "export"
HINT = "Writes a TIFF with the image's depth and size, and a record of how it was made."
DEPTHS = (
    ("as the image", "source"),
    ("8 bits", "8"),
    ("16 bits", "16"),
    ("32-bit numbers", "float"),
)
COMPRESSIONS = (("deflate", "deflate"), ("LZW", "lzw"), ("Zstandard", "zstd"), ("none", "none"))
LAYERS = (
    ("terrain", "Terrain", "The terrain labels, 1 sky to 4 rock, as a further page."),
    ("confidence", "Confidence", "How sure the enhancement is of each pixel, as a further page."),
    ("change", "Change", "How much each pixel was changed, as a further page."),
    (
        "residual",
        "Residual",
        "How far each pixel is from the truth, as a further page; needs a judgement with a truth.",
    ),
)
SIDECARS = (
    ("json", "Record", "The record of how the image was made, as a JSON file of its own."),
    ("pds4", "PDS4 label", "An XML label; with compression “none” PDS tools read the image through it."),
    ("report", "Report", "One HTML page with numbers, pictures and the record, to keep or to send."),
    ("source", "Source", "A copy of the file that was enhanced, so that the image can be made again from it."),
)


class ExportSection(Section):
    """Save the newest enhancement as TIFF, with the layers and files that are ticked."""

    path_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        tooltip = "Save the enhanced image as a TIFF that also holds its source, model and settings."
        super().__init__("5  Export", "Export…", tooltip, parent)
        self._suggestion = Path("enhanced.tif")
        self.requested.connect(self._ask)
        self.depth = Choice(
            DEPTHS,
            "Numbers of the pixels: those of the image, scaled to 8 or 16 bits, or 32-bit ones, not clipped, that keep "
            "every frequency within the JPEG's interval.",
        )
        self.compression = Choice(
            COMPRESSIONS, "How the TIFF is packed, always without loss; ImageJ reads no Zstandard."
        )
        self.pixel_size = QDoubleSpinBox()
        self.pixel_size.setRange(0, 1e6)
        self.pixel_size.setDecimals(4)
        self.pixel_size.setSuffix(" mm")
        self.pixel_size.setSpecialValueText("as the file tells")
        self.pixel_size.setToolTip("What one pixel spans on the ground, where you know it: the TIFF's scale.")
        self.layers, layer_boxes = _boxes(LAYERS)
        self.sidecars, sidecar_boxes = _boxes(SIDECARS)
        self.options.addRow("Depth", self.depth)
        self.options.addRow("Packing", self.compression)
        self.options.addRow("Pixel size", self.pixel_size)
        self.options.addRow("Layers", layer_boxes)
        self.options.addRow("Beside it", sidecar_boxes)
        self.offer_options(shown=False)

    @property
    def chosen(self) -> ExportOptions:
        """What is ticked and can be had."""
        size = self.pixel_size.value()
        return ExportOptions(
            depth=self.depth.value,
            compression=self.compression.value,
            layers=_ticked(self.layers),
            sidecars=_ticked(self.sidecars),
            pixel_size=size / 1000 if size > 0 else None,
        )

    def task(self, session: Session, case: Case, path: Path) -> Task:
        """Write the case's enhancement."""
        enhancement = case.enhancement
        assert enhancement is not None

        def apply(written: Path) -> None:
            from napari.utils.notifications import show_info

            if case.enhancement is enhancement:
                case.exported = written
            show_info(f"Saved {written.name} in {written.parent}")
            session.changed.emit()

        steps = partial(work.export, enhancement, path, self.chosen, case.judgement)
        return Task(KEY, "Exporting", steps, apply, owner=case)

    def refresh(self, session: Session, busy: bool) -> None:
        """Say where the file went, and offer what this result has."""
        case = session.case
        ready = case is not None and case.enhancement is not None
        self.action.setEnabled(ready and not busy)
        if case is None or case.enhancement is None:
            self.say("Enhance an image first.", "Hint")
            return
        self._offer(case)
        source = case.image.path
        self._suggestion = (source.parent if source is not None else Path.home()) / f"{case.stem}_enhanced.tif"
        written = case.exported
        if written is None:
            self.say(HINT, "Hint")
        else:
            self.say(f"Saved as <b>{escape(written.name)}</b> in<br>{escape(str(written.parent))}")

    def _offer(self, case: Case) -> None:
        from marsqe.export.layers import available_layers
        from marsqe.export.scale import available_depths

        assert case.enhancement is not None
        depths = available_depths(case.enhancement)
        self.depth.set_items([(words, depth) for words, depth in DEPTHS if depth in depths])
        offered = available_layers(case.enhancement, case.judgement)
        for name, box in self.layers.items():
            box.setEnabled(name in offered)
        has_file = case.image.path is not None or "encoded" in case.image.metadata
        self.sidecars["source"].setEnabled(has_file)

    def _ask(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Export the enhanced image", str(self._suggestion), "TIFF (*.tif *.tiff);;PNG (*.png)"
        )
        if path:
            chosen = Path(path)
            self.path_chosen.emit(chosen if chosen.suffix else chosen.with_suffix(".tif"))


def _boxes(offered: tuple[tuple[str, str, str], ...]) -> tuple[dict[str, QCheckBox], QWidget]:
    """Tick boxes by name, two in a row."""
    body = QWidget()
    grid = QGridLayout(body)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setVerticalSpacing(2)
    boxes = {}
    for number, (name, title, tooltip) in enumerate(offered):
        boxes[name] = box = QCheckBox(title)
        box.setToolTip(tooltip)
        grid.addWidget(box, number // 2, number % 2)
    return boxes, body


def _ticked(boxes: dict[str, QCheckBox]) -> tuple[str, ...]:
    return tuple(name for name, box in boxes.items() if box.isEnabled() and box.isChecked())
