"""A piece of a source whose columns are known but whose values are not yet read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# From the names a table has, and what it is called, to the column of each field. Raises UnreadableSource.
Choose = Callable[[Sequence[str], str], Mapping[str, str]]


@dataclass(frozen=True)
class Part:
    """One table of a source: a text file, a sheet, a Parquet file, a query's rows.

    `table` is an Ibis table whose columns are named for the fields and have the source's own types (text,
    where the source has only text). `columns` gives each field's name in the source, for messages.
    `semicolons` tells that fields are separated by `;`, as where the decimal sign is a comma. `rejects`
    names the table in which DuckDB notes the lines it could not take.
    """

    where: str
    table: Any
    columns: Mapping[str, str]
    semicolons: bool = False
    rejects: str | None = None


@dataclass(frozen=True)
class Opened:
    """One file, or query, with its parts and what identifies it."""

    name: str
    sha256: str
    bytes: int
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
