"""How a table of customers was read when a model was made of it, so that later tables are read alike."""

import math
from collections.abc import Sequence
from functools import cached_property

from pydantic import Field

from models.customer.customer_id import MISSING
from models.evidence import Record

# Missing values in the columns of a customer table, which hold no codes, beside those of every source.
NOT_KNOWN = ("N/A", "n/a", "-", "--")


class TableReading(Record):
    """`id` is the column of the customer's id, None where customers are numbered by row.

    `missing` are the values that stand for a missing one, beside MISSING and NOT_KNOWN, as they were given:
    `-999`. `numbers` has for each column of numbers that were text an example of how they are written: `1.234,56`.
    """

    id: str | None
    missing: tuple[str, ...] = ()
    numbers: dict[str, str] = Field(default_factory=dict)

    @property
    def missing_numbers(self) -> tuple[float, ...]:
        """Those of `missing` that are numbers."""
        return missing_numbers(self.missing)

    def is_missing(self, value: object) -> bool:
        """Whether a value of a column stands for a missing one."""
        if isinstance(value, str):
            return value.strip() in self._words
        return isinstance(value, int | float) and (math.isnan(value) or value in self.missing_numbers)

    @cached_property
    def _words(self) -> frozenset[str]:
        return frozenset((*MISSING, *NOT_KNOWN, *self.missing))


def missing_numbers(missing: Sequence[str]) -> tuple[float, ...]:
    """Those of some values that are numbers."""
    return tuple(number for number in map(_number, missing) if number is not None)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
