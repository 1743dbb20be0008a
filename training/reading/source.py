"""Reads purchase data, wherever it is, into one table of lines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis

from models.evidence import SourceFile
from training.errors import UnreadableSource
from training.reading import csvfile, database, dates
from training.reading.columns import resolve
from training.reading.csvfile import open_csv
from training.reading.lines import SCHEMA, Lines
from training.reading.parquet import open_parquet
from training.reading.part import Choose, Opened, Part
from training.reading.piece import Piece
from training.reading.survey import survey
from training.reading.workbook import open_workbook
from training.workspace import Workspace

# A file is what its first bytes say, whatever it is called; all else is text.
OPENERS: Mapping[bytes, Callable[[Path, Workspace, Choose], Opened]] = {
    b"PK\x03\x04": open_workbook,
    b"\xd0\xcf\x11\xe0": open_workbook,
    b"PAR1": open_parquet,
}
# What is taken from a folder, which may hold other things too.
SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".xls", ".parquet", ".pq"})
COMPRESSED = frozenset({".gz", ".zst"})

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


def read(
    sources: Sequence[str],
    workspace: Workspace,
    *,
    query: str | None = None,
    columns: Mapping[str, str] = {},
    date_format: str | None = None,
) -> Lines:
    """The purchase lines of all `sources`, in order: files, folders of files, or one database URL.

    `query` goes with a URL; `columns` (field to source column) overrides the table of aliases;
    `date_format` is `month-first`, `day-first` or a strptime pattern. The lines live as long as the
    workspace. Raises UnreadableSource with a sentence that says what to do.
    """
    opened = _open(sources, workspace, query, columns)
    try:
        return _lines(opened, workspace, date_format)
    except duckdb.Error as error:
        names = ", ".join(one.name for one in opened)
        raise UnreadableSource(f"{names}: reading failed: {str(error).splitlines()[0]}") from error


def _open(sources: Sequence[str], workspace: Workspace, query: str | None, columns: Mapping[str, str]) -> list[Opened]:
    if any(database.is_url(source) for source in sources):
        if len(sources) != 1 or query is None:
            raise UnreadableSource("A database is read alone and with --query: give one URL and the query.")
        return [database.open_query(sources[0], query, workspace, columns)]
    if query is not None:
        raise UnreadableSource("--query goes with a database URL, such as sqlite:///shop.db, not with files.")

    def choose(names: Sequence[str], where: str) -> Mapping[str, str]:
        return resolve(names, columns, where=where)

    return [open_file(file, workspace, choose) for file in _files(sources)]


def _files(sources: Sequence[str]) -> list[Path]:
    files = [file for source in sources for file in _listed(Path(source))]
    if not files:
        raise UnreadableSource("Nothing to read: give a file, a folder of files, or a database URL with --query.")
    seen: set[Path] = set()
    for file in files:
        if file.resolve() in seen:
            raise UnreadableSource(f"{file.name} is given twice; its purchases would count twice.")
        seen.add(file.resolve())
    return files


def _listed(path: Path) -> list[Path]:
    if not path.exists():
        raise UnreadableSource(f"There is no file or folder {path}.")
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.is_file() and _is_data(file))
    if not files:
        raise UnreadableSource(f"The folder {path} has no CSV, XLSX or Parquet files.")
    return files


def _is_data(file: Path) -> bool:
    last = Path(file.stem).suffix if file.suffix.lower() in COMPRESSED else file.suffix
    return last.lower() in SUFFIXES and not file.name.startswith((".", "~"))


def open_file(file: Path, workspace: Workspace, choose: Choose) -> Opened:
    """One file, with those of its columns that are chosen. Raises UnreadableSource."""
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
    except OSError as error:
        raise UnreadableSource(f"{file.name} cannot be opened: {error.strerror}.") from None
    return OPENERS.get(magic, open_csv)(file, workspace, choose)


def _lines(opened: Sequence[Opened], workspace: Workspace, date_format: str | None) -> Lines:
    parts = [part for one in opened for part in one.parts]
    _check_same_fields(parts)
    stored = _stored(opened, _pieces(parts, workspace, date_format, HEAD), workspace)
    if stored.unreadable:
        # What the first rows told may not hold for all: now all are asked, which also finds what contradicts itself.
        pieces = _pieces(parts, workspace, date_format, None)
        if [piece.readings for piece in pieces] != [piece.readings for piece in stored.pieces]:
            stored = _stored(opened, pieces, workspace)
    return Lines(
        table=stored.numbered,
        present=frozenset(parts[0].columns),
        has_time=_has_time(stored.numbered),
        rows=_rows(stored.files),
        fingerprint=tuple(stored.files),
        notes=(
            *(note for one in opened for note in one.notes),
            *(note for piece in stored.pieces for note in piece.notes()),
            *_absences(parts[0].columns, stored.by_moment),
            *stored.left_out,
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
    left_out: Sequence[str]
    unreadable: Sequence[str]


def _stored(opened: Sequence[Opened], pieces: Sequence[Piece], workspace: Workspace) -> _Stored:
    fields = pieces[0].part.columns.keys()
    by_moment = "invoice" in fields or any(_has_time(piece.moments()) for piece in pieces)
    name = workspace.name("purchase_lines")
    table = workspace.backend.create_table(name, schema=ibis.schema(SCHEMA))
    files, left_out = [], []
    for one in opened:
        file, said = _store(one, [piece for piece in pieces if piece.part in one.parts], by_moment, name, workspace)
        files.append(file)
        left_out += said
    numbered = table.select(line=table.rowid(), **{field: table[field] for field in SCHEMA})
    view = workspace.backend.create_view(f"{name}_numbered", numbered)
    return _Stored(pieces, by_moment, view, files, left_out, _unreadable(view))


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
    try:
        surveys = [survey(part, workspace, rows) for part in parts]
        readings = iter(dates.decide([one.dates for one in surveys if one.dates], date_format))
    except UnreadableSource:
        if rows is None:
            raise
        return _pieces(parts, workspace, date_format, None)
    return [
        Piece(part, next(readings) if one.dates else None, one.numbers)
        for part, one in zip(parts, surveys, strict=True)
    ]


def _has_time(table: Any) -> bool:
    return bool((table["at"] != table["at"].truncate("D")).any().to_pyarrow().as_py())


def _store(
    opened: Opened, pieces: Sequence[Piece], by_moment: bool, name: str, workspace: Workspace
) -> tuple[SourceFile, list[str]]:
    """Appends a file's rows to the table of that name; says which lines could not be taken."""
    table = workspace.backend.table(name)
    rows, left_out, notes = 0, 0, []
    for piece in pieces:
        before = _count(table)
        workspace.backend.insert(name, piece.lines(by_moment))
        added = _count(table) - before
        missed, note = csvfile.left_out(piece.part, workspace, added)
        rows, left_out = rows + added, left_out + missed
        notes += [note] if note else []
    return SourceFile(name=opened.name, sha256=opened.sha256, bytes=opened.bytes, rows=rows, left_out=left_out), notes


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
