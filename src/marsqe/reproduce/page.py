"""What a reproduction shows: sections of tables and pictures, written as CSV files and one self-contained page."""

from __future__ import annotations

import base64
import csv
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Final

from PIL import Image

from marsqe.export.atomic import atomic
from marsqe.reproduce.statistics import Shown

_WIDEST: Final = 1000
_COLOURS: Final = 48
_QUALITY: Final = 80
_ENDS: Final = ("mean", "low 95 %", "high 95 %")
_STYLE: Final = """
 body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; color: #222;
  background: #fff; } h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-top: 1px solid #bbb; padding-top: 1rem; }
 .scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
 caption { text-align: left; font-weight: 600; padding: .3rem 0; }
 th, td { text-align: right; padding: .2rem .7rem; border-bottom: 1px solid #ddd; white-space: nowrap; }
 th:first-child, td:first-child { text-align: left; white-space: normal; } figure { margin: 1rem 0; }
 img { max-width: 100%; height: auto; } figcaption, .note { color: #444; font-size: .95rem; }
 code { overflow-wrap: anywhere; }
"""
_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title><style>$style</style></head><body>
<header><h1>$title</h1><p>$lead</p></header>
<nav aria-label="Contents"><ul>$contents</ul></nav>
<main>$sections</main>
</body></html>
""")


@dataclass(frozen=True)
class Table:
    """A table: file name without ending, caption, column names, rows of text or numbers."""

    name: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Figure:
    """A PNG file, and what it shows for those who cannot see it."""

    path: Path
    caption: str
    alt: str


@dataclass
class Section:
    """A table or figure of the paper.

    Attributes
    ----------
    title : str
        Begins with the paper's number, for example "Table III".
    notes : list of str
        How it was measured; n and split.
    missing : list of (str, str)
        What could not be computed, and why.
    """

    title: str
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)


def write_csv(table: Table, folder: Path) -> Path:
    """Write a table as ``NAME.csv``, UTF-8."""
    path = folder / f"{table.name}.csv"
    with atomic(path) as part, part.open("w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream)
        lines.writerow(_spread(table.header, table, [f"{name}, {end}" for name in table.header for end in _ENDS]))
        for row in table.rows:
            numbers = [n for v in row for n in (v.numbers() if isinstance(v, Shown) else [str(v), "", ""])]
            lines.writerow(_spread(row, table, numbers))
    return path


def _spread(cells: Sequence[Any], table: Table, triples: Sequence[str]) -> list[Any]:
    """Cells of a line, those of columns with estimates as three: mean and both ends of the interval."""
    line: list[Any] = []
    for n, cell in enumerate(cells):
        estimates = any(isinstance(row[n], Shown) for row in table.rows)
        line += triples[3 * n : 3 * n + 3] if estimates else [cell]
    return line


def write_page(path: Path, title: str, lead: str, sections: Sequence[Section]) -> Path:
    """Write the page, pictures inside."""
    contents = "".join(f'<li><a href="#s{n}">{html.escape(s.title)}</a></li>' for n, s in enumerate(sections))
    body = "".join(_section(n, s) for n, s in enumerate(sections))
    page = _PAGE.substitute(
        title=html.escape(title), style=_STYLE, lead=html.escape(lead), contents=contents, sections=body
    )
    with atomic(path) as part:
        part.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path


def _section(number: int, section: Section) -> str:
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in section.notes)
    tables = "".join(map(_table, section.tables))
    figures = "".join(map(_figure, section.figures))
    missing = _missing(section.missing)
    return (
        f'<section id="s{number}" aria-labelledby="h{number}"><h2 id="h{number}">{html.escape(section.title)}</h2>'
        f"{notes}{tables}{figures}{missing}</section>"
    )


def _missing(missing: Sequence[tuple[str, str]]) -> str:
    if not missing:
        return ""
    items = "".join(f"<li><strong>{html.escape(what)}</strong>: {html.escape(why)}</li>" for what, why in missing)
    return f"<p>Not computed:</p><ul>{items}</ul>"


def _small(path: Path) -> tuple[str, bytes]:
    """A picture for the page, which is to be sent and kept: charts in few colours, photographs as JPEG."""
    with Image.open(path) as found:
        picture = found.convert("RGB")
    picture.thumbnail((_WIDEST, _WIDEST), Image.Resampling.LANCZOS)
    made = {}
    for kind, image, options in (
        ("png", picture.quantize(_COLOURS, dither=Image.Dither.NONE), {"optimize": True}),
        ("jpeg", picture, {"quality": _QUALITY, "optimize": True}),
    ):
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        made[kind] = stream.getvalue()
    return min(made.items(), key=lambda item: len(item[1]))


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in table.header)
    rows = "".join(
        f'<tr><th scope="row">{_cell(row[0])}</th>' + "".join(f"<td>{_cell(value)}</td>" for value in row[1:]) + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(table.caption)}"><table>'
        f"<caption>{html.escape(table.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"</div>"
    )


def _cell(value: Any) -> str:
    return html.escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def _figure(figure: Figure) -> str:
    kind, content = _small(figure.path)
    data = base64.b64encode(content).decode()
    source = f'<img alt="{html.escape(figure.alt)}" src="data:image/{kind};base64,{data}">'
    return f"<figure>{source}<figcaption>{html.escape(figure.caption)}</figcaption></figure>"
