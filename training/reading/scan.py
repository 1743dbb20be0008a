"""A look at every column of a table before it is known which column holds what: names, values, relations."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.customer.customer_id import MISSING, SPACES
from training.reading.source_table import SourceTable

SAMPLE_ROWS = 20_000
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2})(\D|$)|\d{8}(T\d|$)"
    r"|\d{1,2}[ -][^\W\d]{3,9}\.?,?[ -]\d{2,4}|[^\W\d]{3,9}\.?[ -]\d{1,2},?[ -]\d{2,4}",
    re.IGNORECASE,
)
_UNIX = re.compile(r"(\d{10}|\d{13}|\d{16})(\.\d+)?")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CURRENCY = r"(?:[A-Z]{3}|[A-Z]{0,2}[$£€¥₹₽₩₺₫฿₴₪]|kr\.?|zł|Kč|Ft|lei|Rs\.?|Fr\.?|R)"
_NUMBER = re.compile(
    rf"[-+(−]?\s?(?:{_CURRENCY}\s?)?[-+(−]?(?:\d[\d.,'’\s]*|[.,]\d+)(?:,?-)?(?:\s?{_CURRENCY})?\s?[-)]?"
)
_GROUPED = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?|\d{1,3}(,\d{2})*,\d{3}(\.\d+)?")

Numbers = NDArray[np.float64]


def number(written: str) -> float | None:
    """A number written in any usual form, as a first look reads it; None if it is none.

    Only relations between columns are read this way. How a column is read is decided by `number_format`.
    """
    try:
        return float(written)
    except ValueError:
        pass
    if not _NUMBER.fullmatch(written):
        return None
    written = written.replace(",-", "").replace(".-", "")
    digits = re.sub(r"[^\d.,]", "", written)
    if "," in digits and ("." not in digits or digits.rfind(",") > digits.rfind(".")):
        grouped = "." not in digits and _GROUPED.fullmatch(digits)
        digits = digits.replace(",", "") if grouped else digits.replace(".", "").replace(",", ".")
    digits = digits.replace(",", "")
    try:
        value = float(digits)
    except ValueError:
        return None
    negative = any(sign in written for sign in "-−(")
    return -value if negative else value


@dataclass(frozen=True)
class ColumnScan:
    """One column: its name, whether the source has numbers or dates there, and its first values as text."""

    name: str
    kind: str  # "text", "number" or "date"
    values: tuple[str | None, ...]

    @cached_property
    def present(self) -> tuple[str, ...]:
        """The values that are there."""
        return tuple(value for value in self.values if value is not None)

    @cached_property
    def distinct(self) -> Counter[str]:
        """How often each value occurs."""
        return Counter(self.present)

    @cached_property
    def numbers(self) -> Numbers:
        """Each row's number, shape (rows,); NaN where there is none."""
        read = {value: number(value) for value in self.distinct}
        found = (None if value is None else read[value] for value in self.values)
        return np.array([np.nan if value is None else value for value in found], dtype=np.float64)

    @cached_property
    def numeric_share(self) -> float:
        """The share of the values that are numbers."""
        return float(np.isfinite(self.numbers).sum()) / len(self.present) if self.present else 0.0

    @property
    def is_numeric(self) -> bool:
        return self.kind == "number" or (self.kind == "text" and self.numeric_share >= 0.9)

    @cached_property
    def is_whole(self) -> bool:
        """Whether all of its numbers are whole."""
        finite = self.numbers[np.isfinite(self.numbers)]
        return bool(finite.size) and bool(np.all(finite == np.round(finite)))

    @cached_property
    def is_date(self) -> bool:
        """Whether nearly all values look like days or moments."""
        if self.kind == "date":
            return True
        return self._share(_DATE) >= 0.9 or self._share(_UNIX, whole=True) >= 0.9

    @cached_property
    def is_email(self) -> bool:
        return self._share(_EMAIL, whole=True) >= 0.9

    def _share(self, pattern: re.Pattern[str], *, whole: bool = False) -> float:
        if not self.present:
            return 0.0
        match = pattern.fullmatch if whole else pattern.match
        return sum(count for value, count in self.distinct.items() if match(value)) / len(self.present)

    @property
    def example(self) -> str:
        """Some values, for a message; e-mail addresses are not shown."""
        if self.is_email:
            return "e-mail addresses"
        return ", ".join(f"'{value}'" for value in list(self.distinct)[:3]) or "no values"


@dataclass(frozen=True)
class TableScan:
    """The columns of one table, by name, and the relations between them. `repeated` are names of several columns."""

    where: str
    columns: Mapping[str, ColumnScan]
    repeated: tuple[str, ...] = ()

    def orders(self, invoice: str) -> "Orders":
        """The rows of each order with more than one row."""
        rows: dict[str, list[int]] = defaultdict(list)
        for index, value in enumerate(self.columns[invoice].values):
            if value is not None:
                rows[value].append(index)
        return Orders(len(rows), tuple(tuple(group) for group in rows.values() if len(group) > 1))


@dataclass(frozen=True)
class Orders:
    """How many orders there are, and the rows of those with several."""

    count: int
    groups: tuple[tuple[int, ...], ...]

    def on_first_row_only(self, column: ColumnScan) -> bool:
        """Whether the column has a value on the first row of an order and on no other."""
        if not self.groups:
            return False
        firsts = sum(column.values[group[0]] is not None for group in self.groups)
        others = sum(column.values[row] is not None for group in self.groups for row in group[1:])
        return firsts >= 0.5 * len(self.groups) and others == 0

    def repeats(self, column: ColumnScan) -> bool:
        """Whether the column has one value within each order (and several over all orders)."""
        if not self.groups or len(column.distinct) < 2:
            return False
        same = sum(len({column.values[row] for row in group}) == 1 for group in self.groups)
        return same >= 0.98 * len(self.groups)

    def numbers_lines(self, column: ColumnScan) -> bool:
        """Whether the column counts the lines of each order: 1, 2, 3 or 0, 1, 2."""
        if not self.groups or not column.is_numeric:
            return False
        for group in self.groups:
            values = column.numbers[list(group)]
            if not np.array_equal(np.diff(values), np.ones(len(group) - 1)) or values[0] not in (0.0, 1.0):
                return False
        return True


def scan(table: SourceTable) -> TableScan:
    """The first rows of a table, all columns. A column without a name, or with one that is there twice, is left out."""
    named = [(name, f"c{index}") for index, name in enumerate(table.names) if name and table.names.count(name) == 1]
    head = table.table.limit(SAMPLE_ROWS)
    found = head.select(**{column: head[column].cast("string") for _, column in named}).to_pyarrow()
    return TableScan(
        table.where,
        {
            name: ColumnScan(name, _kind(table.table[column].type()), _texts(found[column].to_pylist()))
            for name, column in named
        },
        tuple(name for name in dict.fromkeys(table.names) if name and table.names.count(name) > 1),
    )


def _texts(values: Sequence[str | None]) -> tuple[str | None, ...]:
    """Trimmed, and None where a value only says that it is missing, as `text_columns.text` has it."""
    read: dict[str | None, str | None] = {None: None}
    for value in values:
        if value is not None and value not in read:
            trimmed = value.strip(SPACES)
            read[value] = None if trimmed in MISSING else trimmed
    return tuple(read[value] for value in values)


def _kind(stored: object) -> str:
    kinds: Sequence[tuple[str, str]] = (("is_numeric", "number"), ("is_timestamp", "date"), ("is_date", "date"))
    return next((kind for test, kind in kinds if getattr(stored, test)()), "text")
