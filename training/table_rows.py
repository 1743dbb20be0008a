"""The rows of a customer table in the workspace, and the values of its columns: the same where a model is made of the
table and where a later table is scored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis

from models.evidence import SourceFile
from models.features import LARGEST
from models.missing import NOT_KNOWN
from models.table_reading import missing_numbers
from training.errors import UnreadableSource
from training.reading import csvfile
from training.reading.figures import PLAIN
from training.reading.part import Choose, Opened, Part
from training.reading.source import open_file
from training.reading.texts import text
from training.table_columns import ID, NUMBERED
from training.table_numbers import decide_numbers
from training.workspace import Workspace

# A float has no digits for whole numbers beyond: two ids become one.
EXACT_UP_TO = 2.0**53
_WHITE_SPACE = r"[\s\p{Z}\x{0b}\x{85}\x{feff}]"
_AROUND = f"^{_WHITE_SPACE}+|{_WHITE_SPACE}+$"


@dataclass(frozen=True)
class TableRows:
    """The chosen columns in the file's order: `row` (from 0), numbers where the file has them, else trimmed text.

    `columns` gives each field's name in the file; customers are `numbered` where it has no ids. `missing` are the
    values that stand for a missing one in every column but the id's. `left_out` says which lines could not be taken.
    """

    where: str
    table: Any
    columns: Mapping[str, str]
    numbered: bool
    semicolons: bool
    count: int
    fingerprint: SourceFile
    notes: tuple[str, ...]
    left_out: str
    missing: tuple[str, ...]

    def text(self, field: str) -> Any:
        """The values of a column as text, null where missing."""
        column = self.table[field]
        return text(column) if column.type().is_numeric() else column

    def numbers(self, field: str, recorded: str | None = None) -> "Numbers":
        """The values of a column as numbers; `recorded` is the form that a model has for the column.

        Raises UnreadableSource where it cannot be told how the numbers are written.
        """
        column = self.table[field]
        reading, form = PLAIN, None
        if not column.type().is_numeric():
            reading, form = decide_numbers(self._part(), field, recorded)
        written, value = self.text(field), reading.value(column, column)
        if said_missing := missing_numbers(self.missing):
            gap = value.isin(list(said_missing)).fill_null(False)
            written = ibis.ifelse(gap, ibis.null("string"), written)
            value = ibis.ifelse(gap, ibis.null("float64"), value)
        return Numbers(written, (value.abs() <= LARGEST).ifelse(value, ibis.null("float64")), form, reading.says)

    def check_ids(self) -> None:
        """Raises UnreadableSource for ids that are floats too large to be whole."""
        column = self.table[ID]
        if not column.type().is_floating():
            return
        rounded = self.table.filter(column.abs() >= EXACT_UP_TO).select("row", id=column)
        if first := rounded.order_by("row").limit(1).to_pyarrow().to_pylist():
            raise UnreadableSource(
                f"{self.where}: '{self.columns[ID]}' in row {first[0]['row'] + 1:,} is {first[0]['id']:g}, a number "
                "that has lost its last digits, so that different customers look alike. Export ids as text."
            )

    def _part(self) -> Part:
        return Part(self.where, self.table, self.columns, self.semicolons)


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


def read_rows(path: Path, choose: Choose, missing: Sequence[str], workspace: Workspace) -> TableRows:
    """The rows of one file. Where `choose` names no column for ID, customers are numbered: 1, 2 and so on.

    Raises UnreadableSource.
    """
    try:
        if not path.is_file():
            raise UnreadableSource(f"There is no file {path}; a table of customers is one CSV, XLSX or Parquet file.")
        return _stored(open_file(path, workspace, choose), missing, workspace)
    except duckdb.Error as error:
        raise UnreadableSource(f"{path.name}: reading failed: {str(error).splitlines()[0]}") from error


def _stored(opened: Opened, missing: Sequence[str], workspace: Workspace) -> TableRows:
    if len(opened.parts) > 1:
        sheets = " and ".join(part.where for part in opened.parts)
        raise UnreadableSource(f"{sheets} both have the columns that are asked for; leave one of them in the file.")
    (part,) = opened.parts
    # All that is not a number is made text once: to write that out anew in every query takes longer than to run it.
    told = {field: _told(part.table[field], () if field == ID else tuple(missing)) for field in part.columns}
    table = workspace.backend.create_table(workspace.name("customers"), part.table.select(**told))
    fields = {field: table[field] for field in part.columns}
    numbered = ID not in part.columns
    if numbered:
        fields[ID] = (table.rowid() + 1).cast("string")
    count = int(table.count().to_pyarrow().as_py())
    left_out, note = csvfile.left_out(part, workspace, count)
    file = SourceFile(name=opened.name, sha256=opened.sha256, bytes=opened.bytes, rows=count, left_out=left_out)
    return TableRows(
        where=part.where,
        table=table.select(row=table.rowid(), **fields),
        columns={ID: NUMBERED, **part.columns},
        numbered=numbered,
        semicolons=part.semicolons,
        count=count,
        fingerprint=file,
        notes=opened.notes,
        left_out=note,
        missing=tuple(missing),
    )


def _told(column: Any, missing: tuple[str, ...]) -> Any:
    if column.type().is_numeric():
        return column
    if column.type().is_string():
        column = column.re_replace(_AROUND, "")
    words = text(column)
    # Not `isin`: DuckDB makes a join of a long list, and a join loses the order of the rows.
    return words.cases(*((word, ibis.null("string")) for word in (*NOT_KNOWN, *missing)), else_=words)
