"""How a table of customers was read when a model was made of it, so that later tables are read alike."""

import math
from collections.abc import Sequence
from functools import cached_property

from pydantic import Field

from models.evidence import Record
from models.missing import MISSING, NOT_KNOWN


class TableReading(Record):
    """`id` is the column of the customer's id, None where customers are numbered by row.

    `missing` are the values that stand for a missing one, beside those of `models.missing`, as they were given:
    `-999`. `numbers` has the form of each column whose numbers are written with signs: `1.234,5` or `1,234.5`.
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
