"""Reads purchase data, wherever it is, into one table of lines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis

from models.evidence import SourceFile
from training.errors import UnreadableSource
from training.reading import dates
from training.reading.columns import resolve
from training.reading.engine_errors import worded
from training.reading.lines import SCHEMA, Lines
from training.reading.piece import Piece
from training.reading.repeats import find_repeats
from training.reading.source import open_sources
from training.reading.source_part import Part
from training.reading.source_table import Opened, SourceTable
from training.reading.survey import survey
from training.workspace import Workspace

HEAD = 100_000  # rows that mostly tell how dates and numbers are written

ABSENT: Mapping[str, str] = {
    "product": "No column for product: products bought, and what is recommended from them, are absent.",
    "description": "No column for description: products are known by their codes only.",
    "quantity": "No column for quantity: every line counts as one unit.",
    "country": "No column for country: the country mix is absent.",
}
BY_MOMENT = "No column for invoice: an order is what one customer bought at one moment."
BY_DAY = "No column for invoice, and dates without a time: an order is what one customer bought on one day."
LINE_TOTAL = "'{}' is a line total: it is divided by the quantity to give the unit price."
LINE_TOTAL_ALONE = "'{}' is a line total: it is taken for the price of the one unit."
LINE_TOTAL_UNUSED = "'{}' is not used: the unit price is there."
UNREADABLE = "the rows cannot be brought into one table. Save the data anew as CSV in UTF-8, and try with a part of it."


def read(
    sources: Sequence[str],
    workspace: Workspace,
    *,
    query: str | None = None,
    columns: Mapping[str, str] = {},
    date_format: str | None = None,
    sheets: Sequence[str] = (),
) -> Lines:
    """The purchase lines of all `sources`, in order: files, folders of files, or one database URL.

    `query` goes with a URL; `columns` (field to source column) overrides the table of aliases;
    `date_format` is `month-first`, `day-first` or a strptime pattern; `sheets` are those to read of a
    workbook (none: all that are visible). The lines live as long as the workspace. Raises UnreadableSource
    with a sentence that says what to do.
    """
    opened = open_sources(sources, workspace, query, sheets)

    def choose(names: Sequence[str], where: str) -> Mapping[str, str]:
        return resolve(names, columns, where=where)

    chosen = [_Chosen(one, *one.parts(choose)) for one in opened]
    with worded(", ".join(one.name for one in opened), UNREADABLE):
        repeats = find_repeats([table for one in chosen for table in one.tables()], workspace)
        if any({"invoice", "product"} - part.columns.keys() for one in chosen for part in one.parts):
            repeats.refuse()
        lines = _lines(chosen, workspace, date_format)
        return replace(lines, notes=(*lines.notes, *repeats.notes()))


@dataclass(frozen=True)
class _Chosen:
    """What was opened, those of its tables whose columns are understood, and notes on the others."""

    opened: Opened
    parts: Sequence[Part]
    notes: Sequence[str]

    def tables(self) -> list[SourceTable]:
        """The tables of the parts, with all their columns."""
        understood = {part.where for part in self.parts}
        return [table for table in self.opened.tables if table.where in understood]


def _lines(chosen: Sequence[_Chosen], workspace: Workspace, date_format: str | None) -> Lines:
    parts = [part for one in chosen for part in one.parts]
    _check_same_fields(parts)
    stored = _stored(chosen, _pieces(parts, workspace, date_format, HEAD), workspace)
    if stored.unreadable:
        # What the first rows told may not hold for all: now all are asked, which also finds what contradicts itself.
        pieces = _pieces(parts, workspace, date_format, None)
        if [piece.readings for piece in pieces] != [piece.readings for piece in stored.pieces]:
            stored = _stored(chosen, pieces, workspace)
    return Lines(
        table=stored.numbered,
        present=frozenset(parts[0].columns),
        has_time=_has_time(stored.numbered),
        rows=_rows(stored.files),
        fingerprint=tuple(stored.files),
        notes=(
            *(note for one in chosen for note in (*one.opened.notes, *one.notes)),
            *(note for piece in stored.pieces for note in piece.notes()),
            *_absences(parts[0].columns, stored.by_moment),
            *stored.unreadable,
        ),
    )


@dataclass(frozen=True)
class _Stored:
    """All rows in one table of the workspace, and what was found on the way."""

    pieces: Sequence[Piece]
    by_moment: bool
    numbered: Any
    files: Sequence[SourceFile]
    unreadable: Sequence[str]


def _stored(chosen: Sequence[_Chosen], pieces: Sequence[Piece], workspace: Workspace) -> _Stored:
    fields = pieces[0].part.columns.keys()
    by_moment = "invoice" in fields or any(_has_time(piece.moments()) for piece in pieces)
    name = workspace.name("purchase_lines")
    table = workspace.backend.create_table(name, schema=ibis.schema(SCHEMA))
    files = []
    for one in chosen:
        file = _store(one.opened, [piece for piece in pieces if piece.part in one.parts], by_moment, name, workspace)
        files.append(file)
    numbered = table.select(line=table.rowid(), **{field: table[field] for field in SCHEMA})
    view = workspace.backend.create_view(f"{name}_numbered", numbered)
    return _Stored(pieces, by_moment, view, files, _unreadable(view))


def _check_same_fields(parts: Sequence[Part]) -> None:
    first = parts[0]
    for part in parts[1:]:
        if odd := sorted(first.columns.keys() ^ part.columns.keys()):
            here, there = (part, first) if odd[0] in part.columns else (first, part)
            raise UnreadableSource(
                f"{here.where} has a column for {odd[0]} ('{here.columns[odd[0]]}') and {there.where} has none. "
                f"What is read together has the same fields; rename columns, or name them with --column."
            )


def _pieces(parts: Sequence[Part], workspace: Workspace, date_format: str | None, rows: int | None) -> list[Piece]:
    """How each part is read, by its first rows where they tell, else by all: to ask all of millions takes seconds."""
    surveys = [survey(part, workspace, rows) for part in parts]
    try:
        readings = iter(dates.decide([one.dates for one in surveys if one.dates], date_format))
    except UnreadableSource:
        if rows is None:
            raise
        return _pieces(parts, workspace, date_format, None)
    return [
        Piece(part, next(readings) if one.dates else None, one.figures)
        for part, one in zip(parts, surveys, strict=True)
    ]


def _has_time(table: Any) -> bool:
    return bool((table["at"] != table["at"].truncate("D")).any().to_pyarrow().as_py())


def _store(opened: Opened, pieces: Sequence[Piece], by_moment: bool, name: str, workspace: Workspace) -> SourceFile:
    """Appends a file's rows to the table of that name."""
    table = workspace.backend.table(name)
    before = _count(table)
    for piece in pieces:
        workspace.backend.insert(name, piece.lines(by_moment))
    return SourceFile(
        name=opened.name,
        sha256=opened.sha256,
        bytes=opened.bytes,
        rows=_count(table) - before,
        left_out=sum(piece.part.left_out for piece in pieces),
    )


def _count(table: Any) -> int:
    return int(table.count().to_pyarrow().as_py())


def _rows(files: Sequence[SourceFile]) -> int:
    if rows := sum(file.rows for file in files):
        return rows
    raise UnreadableSource(f"{', '.join(file.name for file in files)}: there are columns but no rows.")


def _absences(columns: Mapping[str, str], by_moment: bool) -> list[str]:
    notes = [note for field, note in ABSENT.items() if field not in columns]
    if "invoice" not in columns:
        notes.append(BY_MOMENT if by_moment else BY_DAY)
    if "amount" in columns:
        use = LINE_TOTAL_ALONE if "quantity" not in columns else LINE_TOTAL_UNUSED
        notes.append(
            (LINE_TOTAL if {"price", "quantity"} - columns.keys() == {"price"} else use).format(columns["amount"])
        )
    return notes


def _unreadable(numbered: Any) -> list[str]:
    bad = numbered.filter(numbered.unreadable.notnull())
    first = bad.order_by("line").select("line", "unreadable").limit(1).to_pyarrow().to_pylist()
    if not first:
        return []
    count, row = _count(bad), first[0]["line"] + 1
    return [f"Rows holding a value that cannot be read: {count}; the first is row {row}: {first[0]['unreadable']}."]
