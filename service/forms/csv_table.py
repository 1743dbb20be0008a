"""Customers as CSV (RFC 4180) in UTF-8: a header, then a row per customer or per transaction."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import NamedTuple

from models.customer.customer_id import MISSING
from service.errors import Fault, InvalidRequest
from service.forms.customer_rows import CustomerRows, Row
from service.forms.form import MOST_LINE_BYTES
from service.forms.layout import Layout
from service.forms.lines import LineSplitter, SentLine, too_long
from service.forms.reader import Chunk, Item, in_chunks
from service.forms.table_decoder import TableDecoder
from service.served_model import ServedModel
from service.strict_decoder import BOM

_QUOTED = re.compile(rb'(?:[^"]|"")*"(?!")')
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)


class Record(NamedTuple):
    """The lines that a record of the table takes, and the number of the first; None where they are too long."""

    number: int
    content: bytes | None


class CsvReader:
    """Reads tables. An empty cell, `nan` and `NULL` are a value that is not known; an empty line is passed over."""

    def __init__(self, served: ServedModel, size: int, most_blank: int) -> None:
        self._served = served
        self._size = size
        self._lines = LineSplitter(MOST_LINE_BYTES, most_blank)
        self._records = _Records()
        self._table: _Table | None = None

    def feed(self, data: bytes) -> Iterator[Chunk]:
        return self._chunks(self._whole(self._lines.feed(data)))

    def end(self) -> Iterator[Chunk]:
        yield from self._chunks(chain(self._whole(self._lines.end()), self._records.end()))
        if self._table is None:
            raise InvalidRequest([Fault("", "is empty; send a header line that names the columns")])
        yield from in_chunks(self._table.customers.end(), self._size)

    def _whole(self, lines: Iterable[SentLine]) -> Iterator[Record]:
        for line in lines:
            yield from self._records.add(line)
            self._lines.gives_empty = self._records.is_open

    def _chunks(self, records: Iterator[Record]) -> Iterator[Chunk]:
        if self._table is None:
            header = next(records, None)
            if header is None:
                return
            layout = _layout(header, self._served)
            self._table = _Table(layout, CustomerRows(layout, self._served), TableDecoder(layout, self._served))
        table = self._table
        if table.layout.of_transactions:
            yield from in_chunks(_customers(records, table), self._size)
            return
        for chunk in in_chunks(records, self._size):  # a row is a customer
            rows = _rows(chunk)
            sent = table.decoder.decode(rows) if len(rows) == len(chunk) else None
            yield list(_customers(chunk, table)) if sent is None else sent


class _Table(NamedTuple):
    """What is known once the header was read."""

    layout: Layout
    customers: CustomerRows
    decoder: TableDecoder


def _layout(header: Record, served: ServedModel) -> Layout:
    cells = _cells(header._replace(content=header.content and header.content.removeprefix(BOM)))
    if isinstance(cells, Exception):
        raise cells
    return Layout([cell.strip() for cell in cells], served)


def _customers(records: Iterable[Record], table: _Table) -> Iterator[Item]:
    """One by one."""
    for record in records:
        size = 0 if record.content is None else len(record.content)
        yield from table.customers.add(_row(record, table.layout), size)


class _Records:
    """Lines into records: a cell in quotes may go over several lines."""

    def __init__(self) -> None:
        self._open: list[bytes] = []
        self._held = 0
        self._number = 0

    @property
    def is_open(self) -> bool:
        """Whether the next line belongs to a cell that began before, and is not too long already."""
        return 0 < self._held <= MOST_LINE_BYTES

    def add(self, line: SentLine) -> Iterator[Record]:
        if line.content is None:
            yield from self.end()
            yield Record(line.number, None)
            return
        if not self._held:
            if not line.content.strip():
                return
            self._number = line.number
        stays_open = _ends_in_quotes(line.content, bool(self._held))
        self._held += len(line.content) + 1
        if self._held <= MOST_LINE_BYTES:
            self._open.append(line.content)
        else:
            self._open.clear()
        if not stays_open:
            yield from self.end()

    def end(self) -> Iterator[Record]:
        """What is left, closed or not: the cells are looked at later."""
        if self._held:
            yield Record(self._number, b"\n".join(self._open) if self._open else None)
        self._open, self._held = [], 0


def _ends_in_quotes(line: bytes, in_quotes: bool) -> bool:
    """Whether the line ends within a cell in quotes; `in_quotes` tells that it begins in one."""
    if b'"' not in line:
        return in_quotes
    at = 0
    while True:
        if in_quotes or line.startswith(b'"', at):
            closing = _QUOTED.match(line, at if in_quotes else at + 1)
            if closing is None:
                return True
            at, in_quotes = closing.end(), False
        at = line.find(b",", at) + 1
        if not at:
            return False


def _cells(record: Record) -> list[str] | Exception:
    if record.content is None:
        return too_long(record.number, MOST_LINE_BYTES)
    try:
        text = record.content.decode("utf-8")
        return next(csv.reader([text.removesuffix("\r")], strict=True))
    except UnicodeDecodeError:
        return _unreadable(record, "is not text in UTF-8; save the table in UTF-8")
    except csv.Error as error:
        return _unreadable(record, f"cannot be read as CSV ({error}); put such a cell in quotes and double those in it")


def _rows(records: Sequence[Record]) -> list[list[str]]:
    """The cells of each, but for those that cannot be read."""
    text = b"\n".join([record.content.removesuffix(b"\r") for record in records if record.content is not None])
    if b'"' not in text and b"\r" not in text and b"\0" not in text:  # what CSV does with them is left to who knows it
        with suppress(UnicodeDecodeError):
            return [line.split(",") for line in text.decode().split("\n")]
    found = [_cells(record) for record in records]
    return [cells for cells in found if not isinstance(cells, Exception)]


def _row(record: Record, layout: Layout) -> Row | Exception:
    cells = _cells(record)
    if isinstance(cells, Exception):
        return cells
    if len(cells) != len(layout.columns):
        wrong = f"has {len(cells)} cells and the header {len(layout.columns)}; put cells with a comma in quotes"
        return _unreadable(record, wrong)
    return {
        name: None if cell.strip() in MISSING else _number(cell) if name in layout.numbers else cell
        for name, cell in zip(layout.columns, cells, strict=True)
    }


def _number(cell: str) -> float | str:
    """The number that a cell has; what is none stays what it is, to be told."""
    cell = cell.strip()
    return float(cell) if _NUMBER.fullmatch(cell) else cell


def _unreadable(record: Record, wrong: str) -> InvalidRequest:
    return InvalidRequest([Fault("", f"line {record.number:,} {wrong}")])
