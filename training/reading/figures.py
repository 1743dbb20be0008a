"""Numbers written as text: with a decimal point or a decimal comma, grouped thousands, a currency sign."""

from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from training.errors import UnreadableSource
from training.reading.source_part import Part
from training.reading.texts import text

FIGURES = ("quantity", "price", "amount")

# A value that matches tells what a comma means throughout its column.
DECIMAL_COMMA = r"\d,(\d{1,2}|\d{4,})\D*$|^\D*,\d+\D*$|\.\d{3},\d|^\D*0,\d"
GROUPING_COMMA = r",\d{3}\.\d|,\d{3},\d{3}"

WITH_DECIMAL_COMMA = r"^[-+]?(\d{1,3}(\.\d{3})+|\d+)?(,\d*)?$"
WITH_GROUPING_COMMA = r"^[-+]?\d{1,3}(,\d{3})*(\.\d*)?$"
ORNAMENT = r"[\s£$€\x{a0}']"


@ibis.udf.scalar.builtin(signature=((dt.float64,), dt.boolean))  # type: ignore[untyped-decorator]
def isfinite(value: Any) -> Any: ...


@dataclass(frozen=True)
class FigureReading:
    """How the commas in one column of numbers are read; `says` is empty where it has none."""

    pattern: str | None = None
    grouping: str = ""
    decimal: str = ""
    says: str = ""

    def value(self, column: Any, written: Any) -> Any:
        """The column as float64: null where it is missing, not finite, or not a number.

        `written` is the same column as text, which is what is read unless the column is of numbers.
        """
        if column.type().is_numeric():
            return _finite(column.cast("float64"))
        if self.pattern is None:
            # Only what fails is looked at again: patterns are slow, and values with a sign are few.
            bare = written.re_replace(ORNAMENT, "")
            return _finite(ibis.coalesce(written.try_cast("float64"), bare.try_cast("float64")))
        bare = written.re_replace(ORNAMENT, "")
        point = bare.replace(self.grouping, "").replace(self.decimal, ".")
        return _finite(ibis.ifelse(bare.re_search(self.pattern), point, ibis.null("string")).try_cast("float64"))


PLAIN = FigureReading()


def decide(part: Part, field: str) -> FigureReading:
    """How to read a text column known to hold commas; raises UnreadableSource if they contradict."""
    column = text(part.table[field])
    found = part.table.aggregate(
        decimal=column.min(where=column.re_search(DECIMAL_COMMA)),
        grouping=column.min(where=column.re_search(GROUPING_COMMA)),
    )
    ((decimal, grouping),) = zip(*found.to_pyarrow().to_pydict().values(), strict=True)
    name = part.columns[field]
    if decimal is not None and grouping is not None:
        raise UnreadableSource(
            f"{part.where}: in column '{name}' the comma is a decimal sign in '{decimal}' and groups thousands "
            f"in '{grouping}'. Write all of its numbers one way."
        )
    # `1,234` alone could be either: what separates the fields tells where the file comes from.
    if decimal is not None or (grouping is None and part.semicolons):
        says = f"{part.where}: '{name}' is read with a decimal comma."
        return FigureReading(WITH_DECIMAL_COMMA, ".", ",", says)
    says = f"{part.where}: '{name}' is read with commas between thousands."
    return FigureReading(WITH_GROUPING_COMMA, ",", ".", says)


def _finite(value: Any) -> Any:
    return ibis.ifelse(isfinite(value), value, ibis.null("float64"))
