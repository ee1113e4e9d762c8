"""Tables of a batch: CSV for everybody, Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from marsqe.export.atomic import atomic, write_whole
from marsqe.extras import from_extra
from marsqe.scale.ledger import Ledger, Record
from marsqe.scale.stages import DONE, FAILED

COLUMNS: Final = {
    "status": str,
    "source": str,
    "output": str,
    "problem": str,
    "warnings": str,
    "psnr_compressed": float,
    "psnr_enhanced": float,
    "delta_psnr": float,
    "ssim_compressed": float,
    "ssim_enhanced": float,
    "mean_change": float,
    "largest_change": float,
    "seconds": float,
    "quality": int,
    "quality_exact": bool,
    "tables_estimated": bool,
    "codec": str,
    "subsampling": str,
    "bits_per_pixel": float,
    "width": int,
    "height": int,
    "channels": int,
    "mission": str,
    "camera": str,
    "eye": str,
    "filter": str,
    "sol": int,
    "clock": str,
    "product_type": str,
    "onboard_compression": str,
    "share_sky": float,
    "share_sand": float,
    "share_soil": float,
    "share_rock": float,
    "model": str,
    "device": str,
    "faithful": bool,
    "source_sha256": str,
    "truth_sha256": str,
}
"""What the tables hold, and of which type; empty where it is not known."""

STEM: Final = "summary"


def rows_of(ledger: Ledger, records: Sequence[Record]) -> list[Record]:
    """All finished results of the folder that are still there, and this run's failures, by the output's name."""
    finished = {
        name: record | {"status": DONE}
        for name, record in ledger.latest.items()
        if _is_there(ledger.folder.parent / name)
    }
    failed = {record["output"]: record for record in records if record["status"] == FAILED}
    together = finished | failed
    return [{column: together[name].get(column) for column in COLUMNS} for name in sorted(together)]


def _is_there(path: Path) -> bool:
    with suppress(OSError):  # of a name that is too long, as a damaged ledger may hold
        return path.is_file()
    return False


def write_summaries(out: Path, ledger: Ledger, records: Sequence[Record]) -> list[Path]:
    """Write ``summary.csv`` and, where the library is there, ``summary.parquet``; the files written.

    Raises
    ------
    ExportError
        If they cannot be written.
    """
    rows = rows_of(ledger, records)
    stream = io.StringIO(newline="")
    table = csv.DictWriter(stream, list(COLUMNS))
    table.writeheader()
    table.writerows(rows)
    written = [out / f"{STEM}.csv"]
    write_whole(written[0], stream.getvalue().encode("utf-8", "surrogateescape"))
    if find_spec("pyarrow") is not None:
        written.append(out / f"{STEM}.parquet")
        _write_parquet(rows, written[-1])
    return written


def _write_parquet(rows: list[Record], path: Path) -> None:
    arrow = from_extra("pyarrow", "scale", "A summary as Parquet")
    parquet = from_extra("pyarrow.parquet", "scale", "A summary as Parquet")
    types = {str: arrow.string(), float: arrow.float64(), int: arrow.int64(), bool: arrow.bool_()}
    schema = arrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    clean = [{name: _typed(row[name], kind) for name, kind in COLUMNS.items()} for row in rows]
    with atomic(path) as part:
        parquet.write_table(arrow.Table.from_pylist(clean, schema=schema), part)


def _typed(value: object, kind: type) -> object:
    """A value as its column's type; names of files that are no valid text lose what is not."""
    if value is None:
        return None
    if kind is str:
        return str(value).encode("utf-8", "replace").decode()
    with suppress(ValueError, TypeError, OverflowError):
        typed = kind(value)
        return typed if kind is not int or abs(typed) < 2**63 else None
    return None
