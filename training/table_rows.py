"""The rows of a customer table in the workspace, and the values of its columns: the same where a model is made of the
table and where a later table is scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis

from models.evidence import SourceFile
from models.features import LARGEST
from models.table_reading import NOT_KNOWN, missing_numbers
from training.errors import UnreadableSource
from training.reading.engine_errors import worded
from training.reading.source import open_file
from training.reading.source_part import check_unchanged
from training.reading.source_table import Choose, Opened
from training.reading.text_columns import text
from training.table_columns import ID, NUMBERED, match
from training.table_numbers import decide_numbers
from training.workspace import Workspace


@dataclass(frozen=True)
class TableRows:
    """The chosen columns in the file's order: `row` (from 0), numbers where the file has them, else trimmed text.

    `columns` gives each field's name in the file; customers are `numbered` where it has no ids. `missing` are the
    values that stand for a missing one in every column but the id's. `stated` are examples of
    how numbers are written, by column.
    """

    where: str
    table: Any
    columns: Mapping[str, str]
    numbered: bool
    semicolons: bool
    count: int
    fingerprint: SourceFile
    notes: tuple[str, ...]
    missing: tuple[str, ...]
    stated: Mapping[str, str]

    def text(self, field: str) -> Any:
        """The values of a column as text, null where missing."""
        column = self.table[field]
        return text(column) if column.type().is_numeric() else column

    def numbers(self, field: str, recorded: str | None = None) -> "Numbers":
        """The values of a column as numbers; `recorded` is the form that a model has for the column.

        Raises UnreadableSource where it cannot be told how the numbers are written.
        """
        name, column = self.columns[field], self.table[field]
        reading, form = decide_numbers(
            self.where, name, column, semicolons=self.semicolons, stated=self.stated.get(name), recorded=recorded
        )
        written, value = self.text(field), reading.value(column, column)
        if said_missing := missing_numbers(self.missing):
            gap = value.isin(list(said_missing)).fill_null(False)
            written = ibis.ifelse(gap, ibis.null("string"), written)
            value = ibis.ifelse(gap, ibis.null("float64"), value)
        return Numbers(written, (value.abs() <= LARGEST).ifelse(value, ibis.null("float64")), form, reading.says)


@dataclass(frozen=True)
class Numbers:
    """Expressions of a `TableRows.table`: `written` is null where missing, `value` also where it is no number up to
    LARGEST.

    `form` is how the numbers of a text column are written, None where plainly.
    """

    written: Any
    value: Any
    form: str | None
    says: str


def read_rows(
    path: Path, choose: Choose, workspace: Workspace, *, missing: Sequence[str] = (),
    numbers: Mapping[str, str] = {}, sheets: Sequence[str] = (),
) -> TableRows:  # fmt: skip
    """The rows of one file. Where `choose` names no column for ID, customers are numbered: 1, 2 and so on.

    `numbers` are examples of how the numbers of columns are written. Raises UnreadableSource.
    """
    if not path.is_file():
        raise UnreadableSource(f"There is no file {path}; a table of customers is one CSV, XLSX or Parquet file.")
    with worded(path.name, "the table cannot be read as it is. Save it anew as CSV in UTF-8, or as XLSX."):
        return _stored(open_file(path, workspace, sheets), choose, workspace, missing, numbers)


def _stored(
    opened: Opened, choose: Choose, workspace: Workspace, missing: Sequence[str], numbers: Mapping[str, str]
) -> TableRows:
    parts, notes = opened.parts(choose)
    if len(parts) > 1:
        sheets = " and ".join(part.where for part in parts)
        raise UnreadableSource(f"{sheets} both have the columns that are asked for; leave one of them in the file.")
    (part,) = parts
    # All that is not a number is made text once: to write that out anew in every query takes longer than to run it.
    told = {field: _told(part.table[field], () if field == ID else tuple(missing)) for field in part.columns}
    table = workspace.backend.create_table(workspace.name("customers"), part.table.select(**told))
    fields = {field: table[field] for field in part.columns}
    numbered = ID not in part.columns
    if numbered:
        fields[ID] = (table.rowid() + 1).cast("string")
    count = int(table.count().to_pyarrow().as_py())
    check_unchanged(opened.name, parts, count)
    file = SourceFile(name=opened.name, sha256=opened.sha256, bytes=opened.bytes, rows=count, left_out=part.left_out)
    names = [name for name in part.columns.values() if name]
    return TableRows(
        where=part.where,
        table=table.select(row=table.rowid(), **fields),
        columns={ID: NUMBERED, **part.columns},
        numbered=numbered,
        semicolons=part.semicolons,
        count=count,
        fingerprint=file,
        notes=(*opened.notes, *notes),
        missing=tuple(missing),
        stated={match(name, names, part.where): example for name, example in numbers.items()},
    )


def _told(column: Any, missing: tuple[str, ...]) -> Any:
    if column.type().is_numeric():
        return column
    words = text(column)
    # Not `isin`: DuckDB makes a join of a long list, and a join loses the order of the rows.
    return words.cases(*((word, ibis.null("string")) for word in (*NOT_KNOWN, *missing)), else_=words)
