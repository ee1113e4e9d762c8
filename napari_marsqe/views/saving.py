"""Asking for a file name and writing numbers or a picture there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog

from marsqe.errors import MarsqeError
from napari_marsqe.jobs import Failure
from napari_marsqe.session import Case
from napari_marsqe.wording import escape

if TYPE_CHECKING:
    from napari_marsqe.workbench import Workbench

CSV = "CSV (*.csv)"
PICTURES = "PNG (*.png);;PDF (*.pdf);;SVG (*.svg)"


def ask_and_write(
    bench: Workbench, key: str, case: Case, what: str, kinds: str, write: Callable[[Path], Any]
) -> Path | None:
    """Ask where a small file goes, write it, and tell in the tool of that key what happened.

    The name that is offered is the image's with ``what``; the first of ``kinds`` is what a name without a suffix gets.
    """
    source = case.image.path
    suffix = kinds[kinds.index("*") + 1 : kinds.index(")")]
    offered = (source.parent if source is not None else Path.home()) / f"{case.stem}_{what}{suffix}"
    chosen, _ = QFileDialog.getSaveFileName(bench, f"Save the {what}", str(offered), kinds)
    if not chosen:
        return None
    path = Path(chosen)
    if f"*{path.suffix.lower()})" not in kinds:
        path = path.with_name(path.name + suffix)
    try:
        write(path)
    except MarsqeError as error:
        bench.fail(key, Failure(error))
        return None
    bench.tell(key, f"Saved as <b>{escape(path.name)}</b> in {escape(str(path.parent))}", "Result")
    return path
