"""Tables of a page in HTML, which many programs save under the name of an Excel file."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser

from training.errors import UnreadableSource
from training.reading import rows_table
from training.reading.source_table import SourceTable
from training.reading.text_file import CHUNK, TextFile
from training.workspace import Workspace

SPREADSHEET_2003 = "urn:schemas-microsoft-com:office:spreadsheet"
COLUMNS_AT_MOST = 1000  # that one cell may cover
ROWS_AT_LEAST = 2


class _Tables(HTMLParser):
    """The rows of each table; of tables in tables the inner ones."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._open: list[list[list[str]]] = []
        self._cell: list[str] | None = None
        self._covers = 1
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._end_cell()
            self._open.append([])
        elif tag in ("style", "script"):
            self._unseen += 1
        elif self._open and tag == "tr":
            self._end_cell()
            self._open[-1].append([])
        elif self._open and tag in ("td", "th"):
            self._end_cell()
            if not self._open[-1]:
                self._open[-1].append([])
            covers = dict(attrs).get("colspan") or ""
            self._covers = min(int(covers), COLUMNS_AT_MOST) if covers.isdecimal() else 1
            self._cell = []
        elif tag == "br" and self._cell is not None:
            self._cell.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._end_cell()
        if tag == "table" and self._open:
            self.tables.append(self._open.pop())
        if tag in ("style", "script"):
            self._unseen = max(self._unseen - 1, 0)

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._unseen:
            self._cell.append(data)

    def close(self) -> None:
        super().close()
        self._end_cell()
        self.tables += self._open

    def _end_cell(self) -> None:
        if self._cell is None:
            return
        self._open[-1][-1] += [" ".join("".join(self._cell).split()), *[""] * (self._covers - 1)]
        self._cell, self._covers = None, 1


def read_html(text: TextFile, workspace: Workspace) -> tuple[Sequence[SourceTable], Sequence[str]]:
    """Every table of the page that has rows. Raises UnreadableSource for other XML and for a page without one."""
    if SPREADSHEET_2003 in text.head():
        raise UnreadableSource(
            f"{text.name} is an XML spreadsheet of Excel 2003. Open it in Excel and save it as a workbook (.xlsx)."
        )
    found = [rows for rows in _parsed(text) if sum(map(any, rows)) >= ROWS_AT_LEAST]
    if not found:
        kind = "a page in HTML without a table of data" if re.search("<html", text.head(), re.I) else "XML"
        raise UnreadableSource(f"{text.name} is {kind}. Export the purchases as CSV, XLSX or JSON.")
    tables, notes = [], []
    for number, rows in enumerate(found, start=1):
        where = f"{text.name}, table {number}" if len(found) > 1 else text.name
        table, said = rows_table.store(where, rows, workspace)
        tables.append(table)
        notes += said
    return tables, [f"{text.name} is a page in HTML; its tables are read.", *notes]


def _parsed(text: TextFile) -> list[list[list[str]]]:
    parser = _Tables()
    with text.path.open(encoding=text.encoding) as file:
        while chunk := file.read(CHUNK):
            parser.feed(chunk)
    parser.close()
    return parser.tables
