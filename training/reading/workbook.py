"""Excel and OpenDocument workbooks: every visible sheet is a table."""

from collections.abc import Sequence
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from training.errors import UnreadableSource
from training.reading import rows_table
from training.reading.source_table import Opened, SourceTable
from training.reading.text_file import fingerprint
from training.workspace import Workspace

HIDDEN = "{}: hidden sheets are not read: {}. To read one, name it with --sheet."


def open_workbook(file: Path, workspace: Workspace, sheets: Sequence[str] = ()) -> Opened:
    """The visible sheets, or those that `sheets` names. Raises UnreadableSource."""
    try:
        with CalamineWorkbook.from_path(file) as book:
            names, notes = _chosen(file.name, book, sheets)
            tables, said = _tables(file.name, book, names, workspace)
    except CalamineError:
        raise UnreadableSource(
            f"{file.name}: the workbook is damaged, or protected with a password. Save it anew, without a password."
        ) from None
    return Opened(file.name, fingerprint(file), file.stat().st_size, tuple(tables), (*notes, *said))


def _chosen(name: str, book: CalamineWorkbook, sheets: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of the sheets to read, and a note on the hidden ones."""
    known = [sheet for sheet in book.sheets_metadata if sheet.typ is SheetTypeEnum.WorkSheet]
    if not known:
        raise UnreadableSource(f"{name}: the workbook has no sheets.")
    if sheets:
        if chosen := [sheet.name for sheet in known if sheet.name in sheets]:
            return chosen, []
        named, there = (", ".join(f"'{one}'" for one in some) for some in (sheets, [sheet.name for sheet in known]))
        raise UnreadableSource(f"{name} has no sheet {named}, which --sheet names; its sheets are {there}.")
    visible = [sheet.name for sheet in known if sheet.visible is SheetVisibleEnum.Visible]
    hidden = [sheet.name for sheet in known if sheet.name not in visible]
    return visible, [HIDDEN.format(name, ", ".join(f"'{one}'" for one in hidden))] if hidden else []


def _tables(
    name: str, book: CalamineWorkbook, sheets: Sequence[str], workspace: Workspace
) -> tuple[list[SourceTable], list[str]]:
    tables, notes, refused = [], [], []
    for sheet in sheets:
        try:
            rows = book.get_sheet_by_name(sheet).iter_rows()
            table, said = rows_table.store(f"{name}, sheet '{sheet}'", rows, workspace)
        except UnreadableSource as error:
            refused.append(error)
        else:
            tables.append(table)
            notes += said
    if not tables:
        raise refused[0] if refused else UnreadableSource(f"{name}: all sheets are hidden; name one with --sheet.")
    return tables, [*notes, *(f"Not read: {reason}" for reason in refused)]
