"""Rows of cells, of a sheet or of a table in a page, stored as a table of texts."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from training.errors import UnreadableSource
from training.reading import cells, header, summary_rows
from training.reading.source_table import SourceTable
from training.workspace import Workspace


def store(where: str, rows: Iterable[Sequence[object]], workspace: Workspace) -> tuple[SourceTable, list[str]]:
    """The rows below the header in a table of the workspace, and notes. Raises UnreadableSource."""
    stream = _filled(rows)
    first = list(islice(stream, header.ROWS))
    if not first:
        raise UnreadableSource(f"{where} is empty.")
    head = header.find_header([[text or "" for text in row] for row in first])
    if head is None:
        raise UnreadableSource(
            f"{where}: no row names the columns; the first rows hold values. Put a row above them with a name for each "
            f"column, such as customer_id, date, price."
        )
    width = max(len(head.names), *map(len, first))
    names = (*head.names, *[""] * (width - len(head.names)))
    parquet = workspace.file(".parquet")
    below = chain(first[head.row + 1 :], stream)
    cells.write((_as_wide(row, width) for row in below), [f"c{index}" for index in range(width)], parquet)
    table = workspace.backend.create_table(workspace.name("rows"), workspace.backend.read_parquet(str(parquet)))
    table, removed = summary_rows.remove(table, names, where, workspace)
    above = [f"{where}: the header is row {head.row + 1} of those filled; what is above it is not read."]
    return SourceTable(where, names, table), [*(above if head.row else []), *removed.notes(where)]


def _filled(rows: Iterable[Sequence[object]]) -> Iterator[list[str | None]]:
    """As text, without the empty rows that sheets have above their table and often, formatted, below it."""
    for row in rows:
        texts = [cells.written(cell) for cell in row]
        if any(text and not text.isspace() for text in texts):
            yield texts


def _as_wide(row: Sequence[str | None], width: int) -> Sequence[str | None]:
    return row if len(row) == width else [*row[:width], *[None] * (width - len(row))]
