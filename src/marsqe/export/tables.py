"""Numbers as CSV files, for those who want to draw or check them elsewhere."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from marsqe.export.atomic import atomic

Cell = str | float | int | None


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Path:
    """Write a table, UTF-8, whole or not at all; None and NaN become empty cells.

    Raises
    ------
    ExportError
        As :func:`marsqe.export.atomic.atomic`.
    """
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream)
        lines.writerow(header)
        lines.writerows([_shown(cell) for cell in row] for row in rows)
    return path


def _shown(cell: Cell) -> Cell:
    if isinstance(cell, float):
        return None if math.isnan(cell) else f"{cell:.6g}"
    return cell
