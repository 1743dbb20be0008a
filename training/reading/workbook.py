"""Excel workbooks: every sheet that holds anything is a table."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from training.errors import UnreadableSource
from training.reading import cells
from training.reading.source_table import Opened, SourceTable
from training.reading.text_file import fingerprint
from training.workspace import Workspace


def open_workbook(file: Path, workspace: Workspace) -> Opened:
    """Raises UnreadableSource."""
    try:
        with CalamineWorkbook.from_path(file) as book:
            tables = [_table(f"{file.name}, sheet '{name}'", book, name, workspace) for name in book.sheet_names]
    except CalamineError as error:
        raise UnreadableSource(
            f"{file.name}: the workbook is damaged or protected ({error}). Save it anew, without a password."
        ) from None
    if not tables:
        raise UnreadableSource(f"{file.name}: the workbook has no sheets.")
    return Opened(file.name, fingerprint(file), file.stat().st_size, tuple(tables))


def _table(where: str, book: CalamineWorkbook, sheet: str, workspace: Workspace) -> SourceTable:
    rows = _rows(book.get_sheet_by_name(sheet).iter_rows())
    names = tuple((cells.written(cell) or "").strip() for cell in next(rows, [""]))
    parquet = workspace.file(".parquet")
    texts = ([cells.written(cell) for cell in row] for row in rows)
    cells.write(texts, [f"c{index}" for index in range(len(names))], parquet)
    return SourceTable(where, names, workspace.backend.read_parquet(str(parquet)))


def _rows(rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Without empty rows, which sheets have above their table and often, formatted, below it."""
    return (row for row in rows if any(cell not in ("", None) for cell in row))
