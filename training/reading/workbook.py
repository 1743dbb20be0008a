"""Excel workbooks: every sheet whose columns are understood is a part."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from training.errors import UnreadableSource
from training.reading import cells
from training.reading.part import Choose, Opened, Part
from training.reading.plainfile import fingerprint
from training.workspace import Workspace


def open_workbook(file: Path, workspace: Workspace, choose: Choose) -> Opened:
    """Raises UnreadableSource if no sheet has the columns needed, with the first sheet's reason."""
    parts, refused = [], []
    try:
        with CalamineWorkbook.from_path(file) as book:
            for name in book.sheet_names:
                try:
                    parts.append(_part(f"{file.name}, sheet '{name}'", book, name, workspace, choose))
                except UnreadableSource as error:
                    refused.append(str(error))
    except CalamineError as error:
        raise UnreadableSource(
            f"{file.name}: the workbook is damaged or protected ({error}). Save it anew, without a password."
        ) from None
    if not parts:
        raise UnreadableSource(refused[0] if refused else f"{file.name}: the workbook has no sheets.")
    notes = tuple(f"Not read: {reason}" for reason in refused)
    return Opened(file.name, fingerprint(file), file.stat().st_size, tuple(parts), notes)


def _part(where: str, book: CalamineWorkbook, sheet: str, workspace: Workspace, choose: Choose) -> Part:
    rows = _rows(book.get_sheet_by_name(sheet).iter_rows())
    names = [(cells.written(cell) or "").strip() for cell in next(rows, [])]
    columns = choose([name for name in names if name], where)
    places = [names.index(name) for name in columns.values()]
    parquet = workspace.file(".parquet")
    texts = ([cells.written(row[place]) for place in places] for row in rows)
    cells.write(texts, list(columns), parquet)
    return Part(where, workspace.backend.read_parquet(str(parquet)), columns)


def _rows(rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    """Without empty rows, which sheets have above their table and often, formatted, below it."""
    return (row for row in rows if any(cell not in ("", None) for cell in row))
