"""The row of a table that names its columns: the first, or one below a title and whatever else a report begins with."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

ROWS = 100  # that are looked at; a title is a few rows
MOSTLY = 0.6  # share of the cells that the rows have, which a header has at least

# A year may be a name; a whole date and an e-mail address never are.
_NUMBER = re.compile(r"[^\w@]*\d[\d\s.,:;|/+%’'\-]*(T[\d:.]+)?\s*([A-Za-z]{1,3}|[^\w\s])?")
_NO_NAME = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b.*|[^@\s]+@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True)
class Header:
    """Where the header is among the rows (from 0), its names, and how well the rows below go with it."""

    row: int
    names: tuple[str, ...]
    fit: float


def is_value(cell: str) -> bool:
    """Whether a cell holds a number, a date or an address rather than a name."""
    return _NUMBER.fullmatch(cell.strip()) is not None or _names_nothing(cell)


def _names_nothing(cell: str) -> bool:
    return _NO_NAME.fullmatch(cell.strip()) is not None


def find_header(rows: Sequence[Sequence[str]]) -> Header | None:
    """The header among a table's first rows, none of them blank; None where every row holds values."""
    if not rows:
        return None
    cells = [_cells(row) for row in rows]
    counts = Counter(cells)
    # Many rows of a few cells are a long title, a few rows of many cells a table.
    usual = max(counts, key=lambda count: (counts[count] * count, count))
    best = None
    for at, row in enumerate(rows):
        values = sum(map(is_value, row))
        full = cells[at] >= MOSTLY * usual and len(row) >= usual
        names = full and 2 * values <= cells[at] and not any(map(_names_nothing, row))
        # A title may have several cells, too: of the rows above the first with values the fullest is the header.
        if names and (best is None or cells[at] > cells[best]):
            best = at
        if best is not None and values:
            break
    if best is None:
        return None
    below = rows[best + 1 :]
    columns = tuple(name.strip() for name in rows[best])
    if width := _common_width(below):
        columns = _as_wide(columns, below, width)
    like = sum(_cells(row) >= MOSTLY * cells[best] for row in below)
    return Header(best, columns, cells[best] * (like + 1) / (len(below) + 1))


def _cells(row: Sequence[str]) -> int:
    """How many cells are filled; the first may be without a name, over what numbers the rows."""
    filled = sum(bool(cell.strip()) for cell in row)
    return filled + (filled > 0 and not row[0].strip())


def _common_width(rows: Sequence[Sequence[str]]) -> int:
    counts = Counter(map(len, rows))
    return max(counts, key=lambda width: (counts[width], width), default=0)


def _as_wide(names: tuple[str, ...], rows: Sequence[Sequence[str]], width: int) -> tuple[str, ...]:
    """The names of as many columns as the rows have, where only empty cells are more or fewer."""
    if width > len(names) and not any(cell.strip() for row in rows if len(row) == width for cell in row[len(names) :]):
        return (*names, *[""] * (width - len(names)))
    return names if any(names[width:]) else names[: max(width, 1)]
