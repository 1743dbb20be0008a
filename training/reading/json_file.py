"""JSON: a list of records, an object that holds one, or a record on each line, made a table."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from training.errors import UnreadableSource
from training.reading import cells
from training.reading.source_table import SourceTable
from training.reading.text_file import TextFile
from training.workspace import Workspace

AT_MOST = 1 << 30  # bytes of a file that is not one record a line: such a one is held in memory
# Of several lists in a record the first of these is what was bought.
LINES = (
    *("line_items", "lineitems", "items", "lines", "order_lines", "orderlines", "order_items", "orderitems"),
    *("invoice_lines", "products", "positions", "basket", "cart", "articles"),
)
EXPECTED = 'a list of records such as [{"customer": 7, "date": "2024-01-05", "price": 2.5}], or one record a line'
Record = Mapping[str, Any]


def read_json(text: TextFile, workspace: Workspace) -> tuple[Sequence[SourceTable], Sequence[str]]:
    """One table: a row for each record, or for each item of the list that records hold. Raises UnreadableSource."""
    source = _Records(text)
    names: dict[str, None] = {}
    lists: Counter[str] = Counter()
    for record in source:
        flat, nested = _flat(record)
        names.update(dict.fromkeys(flat))
        lists.update({name: len(items) for name, items in nested.items()})
    lines = _lines(lists)
    if lines is not None:
        for record in source:
            for item in _flat(record)[1].get(lines, ()):
                names.update(dict.fromkeys(_flat(item, f"{lines}.")[0]))
    if not names:
        raise UnreadableSource(f"{text.name}: there are no records; expected is {EXPECTED}.")
    columns, parquet = list(names), workspace.file(".parquet")
    rows = ([row.get(name) for name in columns] for record in source for row in _rows(record, lines))
    cells.write(rows, [f"c{index}" for index in range(len(columns))], parquet)
    table = workspace.backend.read_parquet(str(parquet))
    return [SourceTable(text.name, tuple(columns), table)], _notes(text.name, lines, lists)


def _lines(lists: Mapping[str, int]) -> str | None:
    known = [name for known in LINES for name in lists if name.rpartition(".")[2].lower() == known]
    return next(iter([*known, *sorted(lists, key=lambda name: -lists[name])]), None)


def _notes(name: str, lines: str | None, lists: Mapping[str, int]) -> list[str]:
    if lines is None:
        return []
    notes = [f"{name}: each item of '{lines}' is a row, with the values of its record."]
    if others := [f"'{other}'" for other in lists if other != lines]:
        notes.append(f"{name}: not read: the lists {', '.join(others)}.")
    return notes


def _rows(record: Record, lines: str | None) -> Iterator[dict[str, str | None]]:
    flat, nested = _flat(record)
    items = nested.get(lines, ()) if lines is not None else ()
    for item in items:
        yield {**flat, **_flat(item, f"{lines}.")[0]}
    if not items:
        yield flat


def _flat(record: Record, prefix: str = "") -> tuple[dict[str, str | None], dict[str, Sequence[Record]]]:
    """The record's values, those of objects in it under `outer.inner`, and the lists of objects in it."""
    flat: dict[str, str | None] = {}
    lists: dict[str, Sequence[Record]] = {}
    for key, value in record.items():
        name = prefix + key.strip()
        if isinstance(value, dict):
            inner, nested = _flat(value, f"{name}.")
            flat |= inner
            lists |= nested
        elif _is_records(value):
            lists[name] = value
        elif isinstance(value, bool | list):
            flat[name] = json.dumps(value, ensure_ascii=False)
        else:
            flat[name] = value
    return flat, lists


def _is_records(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


class _Records:
    """The records of a file, as often as they are asked for; numbers are unambiguous texts."""

    def __init__(self, text: TextFile) -> None:
        self._text = text
        self._decoder = json.JSONDecoder(parse_float=cells.unambiguous, parse_int=str, parse_constant=str)
        self._known = None if self._is_by_line() else self._whole()

    def __iter__(self) -> Iterator[Record]:
        return self._by_line() if self._known is None else iter(self._known)

    def _is_by_line(self) -> bool:
        first = list(islice(self._lines(), 2))
        try:
            return len(first) == 2 and isinstance(self._decoder.decode(first[0][1]), dict)
        except (ValueError, RecursionError):
            return False

    def _lines(self) -> Iterator[tuple[int, str]]:
        encoding = "utf-8-sig" if self._text.encoding == "utf-8" else self._text.encoding
        with self._text.path.open(encoding=encoding) as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())

    def _by_line(self) -> Iterator[Record]:
        for number, line in self._lines():
            record = self._decoded(line, number)
            if not isinstance(record, dict):
                raise UnreadableSource(f"{self._text.name}: line {number} is no record; expected is {EXPECTED}.")
            yield record

    def _decoded(self, text: str, line: int) -> Any:
        try:
            return self._decoder.decode(text)
        except json.JSONDecodeError as error:
            where = f"line {line + error.lineno - 1}"
        except RecursionError:
            where = f"line {line}"
        raise UnreadableSource(f"{self._text.name}: {where} is not JSON. Export the file anew.")

    def _whole(self) -> Sequence[Record]:
        if self._text.path.stat().st_size > AT_MOST:
            raise UnreadableSource(
                f"{self._text.name} is larger than {AT_MOST >> 20:,} MB of JSON; export it as CSV, or with one "
                f"record a line."
            )
        content = self._decoded("".join(line for _, line in self._lines()), 1)
        found = [content] if _is_records(content) else list(_lists(content))
        if len(found) > 1:
            raise UnreadableSource(
                f"{self._text.name} holds {len(found)} lists of records. Save the one that has the purchases to a file."
            )
        if isinstance(content, dict) and _is_one_record(content):
            return [content]
        if not found:
            raise UnreadableSource(f"{self._text.name}: there is no list of records; expected is {EXPECTED}.")
        return found[0]


def _lists(content: object) -> Iterator[Sequence[Record]]:
    """The lists of records in an object, and in the objects that it holds."""
    for value in content.values() if isinstance(content, dict) else ():
        if _is_records(value):
            yield value
        else:
            yield from _lists(value)


def _is_one_record(content: Record) -> bool:
    """Whether an object is an order with its lines, and no list of orders with something around it."""
    lines = any(_is_records(value) and key.lower() in LINES for key, value in content.items())
    return lines and sum(not isinstance(value, dict | list) for value in content.values()) > 1
