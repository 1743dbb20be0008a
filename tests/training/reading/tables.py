"""What the tests of the kinds of files ask of a file that was opened."""

from collections.abc import Sequence
from pathlib import Path

from training.reading.source import open_file
from training.reading.source_table import Opened, SourceTable
from training.workspace import Workspace

HEADER = "order,client,date,price"
ROWS = ("1,k1,2024-01-05,10", "2,k2,2024-01-06,20.50", "3,k3,2024-01-07,30")
CELLS = [row.split(",") for row in ROWS]


def saved(file: Path, content: bytes | str) -> Path:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def opened(file: Path, content: bytes | str, workspace: Workspace, sheets: Sequence[str] = ()) -> Opened:
    return open_file(saved(file, content), workspace, sheets)


def only(source: Opened) -> SourceTable:
    (table,) = source.tables
    return table


def cells(table: SourceTable) -> list[list[str]]:
    """The rows as texts, in their order, a missing value as ''."""
    return [[value or "" for value in row.values()] for row in table.table.to_pyarrow().to_pylist()]
