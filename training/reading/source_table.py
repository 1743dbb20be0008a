"""The tables of a source, with all their columns, before it is known which column holds what."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.errors import UnreadableSource
from training.reading.source_part import SourcePart

# From the names of a table's columns, and what the table is called, to the column of each field. Raises
# UnreadableSource.
Choose = Callable[[Sequence[str], str], Mapping[str, str]]


@dataclass(frozen=True)
class SourceTable:
    """One table of a source: a text file, a sheet, a Parquet file, a query's rows.

    `names` are those of the header, stripped, '' for a column without one. `table` is an Ibis table whose columns
    are `c0`, `c1` and so on in the same order, in the source's own types (text, where the source has only text).
    `where` is what messages call the table; `semicolons`, `left_out` and `rows` are as in `SourcePart`.
    """

    where: str
    names: tuple[str, ...]
    table: Any
    semicolons: bool = False
    left_out: int = 0
    rows: int | None = None

    def select(self, columns: Mapping[str, str]) -> SourcePart:
        """The part whose fields are those of `columns` (field to name in the header)."""
        fields = {field: self.table[f"c{self.names.index(name)}"] for field, name in columns.items()}
        table = self.table.select(**fields)
        return SourcePart(self.where, table, columns, self.semicolons, self.left_out, rows=self.rows)


@dataclass(frozen=True)
class Opened:
    """One file, or query, with its tables and what identifies it."""

    name: str
    sha256: str
    bytes: int
    tables: tuple[SourceTable, ...]
    notes: tuple[str, ...] = ()

    def parts(self, choose: Choose) -> tuple[tuple[SourcePart, ...], tuple[str, ...]]:
        """Each table whose columns are understood, and a note on each of the others.

        Raises UnreadableSource if there is none, with the first table's reason.
        """
        parts, refused = [], []
        for table in self.tables:
            try:
                parts.append(table.select(choose([name for name in table.names if name], table.where)))
            except UnreadableSource as error:
                refused.append(error)
        if not parts:
            raise refused[0]
        return tuple(parts), tuple(f"Not read: {reason}" for reason in refused)
