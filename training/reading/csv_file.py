"""CSV and its relatives: any of four delimiters, quoted or not."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import Any

from training.errors import UnreadableSource
from training.reading import header, summary_rows
from training.reading.engine_errors import worded
from training.reading.source_table import SourceTable
from training.reading.summary_rows import Removed
from training.reading.text_file import TextFile
from training.workspace import Workspace

DELIMITERS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}
# What DuckDB calls lines that only have too few or too many fields; after any other fault, any number of lines may
# have been taken for one value.
RAGGED = ("MISSING COLUMNS", "TOO MANY COLUMNS")
BROKEN = {
    "UNQUOTED VALUE": "a quoted value does not end, or goes on behind its closing mark; "
    "a quotation mark inside a quoted value is written twice",
    "LINE SIZE OVER MAXIMUM": "it is longer than two million characters; a quotation mark before it is not closed",
}
# Above one line in a hundred it is not a few bad lines: the delimiter or the quoting is not understood.
LEFT_OUT_AT_MOST = 0.01
# Lines of one field, such as a title or `End of report`, with every header; more are broken lines.
REMARKS_AT_MOST = 5
UNREADABLE = (
    "the lines cannot be taken apart into fields. Open the file in a spreadsheet program and save it as CSV in UTF-8, "
    "or as XLSX."
)
LINES = 200  # that are looked at for the header and the delimiter
LONGEST_LINE = 1 << 16


@dataclass(frozen=True)
class _Layout:
    """How a file is to be taken apart: its rows begin behind `skip` others, which may be blank, or of several lines."""

    names: tuple[str, ...]
    delimiter: str
    skip: int
    header_line: int
    above: int


@dataclass(frozen=True)
class _Odd:
    """The lines that have too few or too many fields, by what they are.

    `uneven` are those that have a field for every column with a name, and else only empty ones; `first` is the number
    of the first ragged one.
    """

    ragged: int = 0
    first: int = 0
    uneven: int = 0
    totals: tuple[str, ...] = ()
    headers: int = 0
    remarks: int = 0


def read_csv(text: TextFile, workspace: Workspace) -> tuple[SourceTable, tuple[str, ...]]:
    """The text as a table whose columns are all text, and what is to be said of it. Raises UnreadableSource."""
    layout = _layout(text)
    table, rows, odd, removed = _load(text, layout, workspace)
    removed = replace(
        removed,
        totals=removed.totals + len(odd.totals),
        labels=tuple(dict.fromkeys((*removed.labels, *odd.totals))),
        headers=removed.headers + odd.headers,
    )
    notes = [
        f"{text.name}: {text.found}, fields separated by {DELIMITERS[layout.delimiter]}.",
        *text.notes(),
        *_notes_on_lines(text.name, layout, odd),
        *removed.notes(text.name),
    ]
    return SourceTable(text.name, layout.names, table, layout.delimiter == ";", odd.ragged, rows), tuple(notes)


def _notes_on_lines(name: str, layout: _Layout, odd: _Odd) -> Iterator[str]:
    if layout.above:
        yield f"{name}: the header is line {layout.header_line}; what is above it is not read."
    if odd.remarks:
        yield f"{name}: {odd.remarks} line{'s' * (odd.remarks > 1)} of a single field left out."
    if odd.ragged:
        yield (
            f"{name}: {odd.ragged} line{'s' * (odd.ragged > 1)} left out, not having as many fields as the header; "
            f"the first is line {odd.first}."
        )


def _layout(text: TextFile) -> _Layout:
    lines = _first_lines(text)
    if not any(line.strip() for line in lines):
        raise UnreadableSource(f"{text.name}: the file is empty.")
    told = _told_delimiter(lines[0])
    found = [(sign, *_rows(lines[told is not None :], sign)) for sign in ([told] if told else DELIMITERS)]
    headers = [(sign, places, header.find_header(rows)) for sign, rows, places in found]
    sign, places, best = max(headers, key=lambda one: one[2].fit if one[2] else 0.0)
    if best is None or (len(best.names) == 1 and any(map(_is_table, (rows for _, rows, _ in found)))):
        raise UnreadableSource(
            f"{text.name}: no row names the columns; the first rows hold values. Put a line above them with a name for "
            f"each column, such as customer_id, date, price."
        )
    row, line = (place + (told is not None) for place in places[best.row])
    return _Layout(best.names, sign, row, line, best.row)


def _first_lines(text: TextFile) -> list[str]:
    with text.path.open(encoding="utf-8-sig" if text.encoding == "utf-8" else text.encoding, newline="") as file:
        lines = list(islice(iter(lambda: file.readline(LONGEST_LINE), ""), LINES))
    return list(takewhile(lambda line: len(line) < LONGEST_LINE, lines)) or lines[:1]


def _told_delimiter(line: str) -> str | None:
    """The delimiter that a first line such as `sep=;` tells, as Excel writes and reads it."""
    told = line.rstrip("\r\n").strip('"').lower()
    return told[4:] if told.startswith("sep=") and told[4:] in DELIMITERS else None


def _is_table(rows: Sequence[Sequence[str]]) -> bool:
    """Whether all rows have as many fields, and more than two."""
    widths = {len(row) for row in rows}
    return len(widths) == 1 and min(widths) > 2


def _rows(lines: Sequence[str], delimiter: str) -> tuple[list[list[str]], list[tuple[int, int]]]:
    """The first rows that are not blank, and of each its place among all rows and among the lines, from 1."""
    rows, places, before = [], [], 0
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for at, row in enumerate(islice(reader, header.ROWS), start=1):
            if any(cell.strip() for cell in row):
                rows.append(row)
                places.append((at, before + 1))
            before = reader.line_num
    except csv.Error:  # a value longer than any that is expected
        pass
    return rows, places


def _load(text: TextFile, layout: _Layout, workspace: Workspace) -> tuple[Any, int | None, _Odd, Removed]:
    """All rows that have as many fields as the header and are no summaries, and what the other lines are.

    Between the two is the number of rows of a view.

    Most files have neither: they stay where they are, and the table is a view of the file, because to store millions
    of rows twice takes longer than to take them apart twice.
    """
    with worded(text.name, UNREADABLE):
        rejects = workspace.name("rejects")
        looked_at = _rows_of(text, layout, workspace, rejects)
        figures = looked_at.aggregate(
            rows=looked_at.count(), odd=summary_rows.may_be_one(looked_at, layout.names).any().fill_null(False)
        )
        (seen,) = figures.to_pyarrow().to_pylist()
        odd = _judged(text.name, _rejected(rejects, workspace), layout, seen["rows"])
        if odd.uneven:
            # They have values, so they belong where they stand, between the other rows.
            evened = _evened(text, layout, workspace)
            view = _rows_of(evened, replace(layout, delimiter=",", skip=0), workspace)
        else:
            view = _rows_of(text, layout, workspace)
        if not odd.uneven and not seen["odd"]:
            return view, seen["rows"], odd, Removed()
        table, removed = summary_rows.remove(workspace.store("rows", view), layout.names, text.name, workspace)
        return table, None, odd, removed


def _rows_of(text: TextFile, layout: _Layout, workspace: Workspace, rejects: str | None = None) -> Any:
    """A view of the rows. What DuckDB cannot take apart is left out, and noted in the table `rejects` if there is to be
    one."""
    noted: dict[str, Any] = {"ignore_errors": True}
    if rejects:
        noted = {"store_rejects": True, "rejects_table": rejects, "rejects_scan": f"{rejects}_scan"}
    return workspace.backend.read_csv(
        str(text.path),
        # Everything is said, nothing guessed: guesses are made from the first rows only.
        columns={f"c{index}": "string" for index in range(len(layout.names))},
        auto_detect=False,
        header=False,
        skip=layout.skip,
        delim=layout.delimiter,
        quote='"',
        escape='"',
        encoding=text.encoding,
        strict_mode=True,
        **noted,
    )


def _rejected(rejects: str, workspace: Workspace) -> list[dict[str, Any]]:
    """The lines that DuckDB could not take apart, and why."""
    lines = workspace.backend.table(rejects)
    # Of a line each field that is not there is noted, and of these any other fault tells most.
    worst = lines.group_by("line").aggregate(
        kind=lines.error_type.min(where=~lines.error_type.isin(RAGGED)), text=lines.csv_line.min()
    )
    found: list[dict[str, Any]] = worst.order_by("line").to_pyarrow().to_pylist()
    return found


def _judged(name: str, rejected: Sequence[dict[str, Any]], layout: _Layout, rows: int) -> _Odd:
    """What the lines are that DuckDB could not take. Raises UnreadableSource for broken quoting and too many lines."""
    odd = _Odd()
    for one in rejected:
        if one["kind"] is not None:
            what = BROKEN.get(one["kind"], "it is not written like the other lines")
            raise UnreadableSource(f"{name}: line {one['line']} cannot be taken apart: {what}.")
        odd = _added(odd, name, one, layout)
    if odd.remarks > REMARKS_AT_MOST * (1 + odd.headers):
        odd = replace(odd, remarks=0, ragged=odd.ragged + odd.remarks)
    rows += odd.uneven
    if odd.ragged > LEFT_OUT_AT_MOST * (rows + odd.ragged):
        raise UnreadableSource(
            f"{name}: {odd.ragged} of {rows + odd.ragged} lines do not have as many fields as the header, which has "
            f"{len(layout.names)}; the first is line {odd.first}. Quote values that hold "
            f"{DELIMITERS[layout.delimiter]} or a line end, or delete the lines that are no rows."
        )
    return odd


def _added(odd: _Odd, name: str, rejected: dict[str, Any], layout: _Layout) -> _Odd:
    width = len(layout.names)
    lines = rejected["text"].strip("\r\n").splitlines(keepends=True)
    cells = next(csv.reader(lines, delimiter=layout.delimiter), [])
    filled = [cell for cell in cells if cell.strip(" \t\x1a")]
    if not filled:
        return odd
    if not any(layout.names[len(cells) :]) and not any(cell.strip() for cell in cells[width:]):
        return replace(odd, uneven=odd.uneven + 1)
    if summary_rows.is_header(cells, layout.names, name):
        return replace(odd, headers=odd.headers + 1)
    if (word := summary_rows.label(cells)) and all(map(summary_rows.is_number, filled[1:])):
        return replace(odd, totals=(*odd.totals, word))
    if len(cells) == 1:
        return replace(odd, remarks=odd.remarks + 1)
    return replace(odd, ragged=odd.ragged + 1, first=odd.first or rejected["line"])


def _evened(text: TextFile, layout: _Layout, workspace: Workspace) -> TextFile:
    """A copy of the rows, separated by commas, of as many fields each where only empty ones are more or fewer."""
    width, copy = len(layout.names), workspace.file(".txt")
    with text.path.open(encoding=text.encoding, newline="") as source, copy.open("w", encoding="utf-8") as target:
        writer = csv.writer(target, lineterminator="\n")
        for row in islice(csv.reader(source, delimiter=layout.delimiter), layout.skip, None):
            if not any(layout.names[len(row) :]) and not any(cell.strip() for cell in row[width:]):
                writer.writerow([*row[:width], *[""] * (width - len(row))])
            else:
                writer.writerow(row)
    return replace(text, path=copy, encoding="utf-8")
