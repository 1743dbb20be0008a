"""Text out of a column of any type: trimmed, and null where a value only says that it is missing."""

from functools import reduce
from operator import or_
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from models.customer.customer_id import EMAIL, EXACT_FLOAT, MISSING, SPACES

LONGEST_MISSING = max(map(len, MISSING))


# Ibis's own `strip` trims a set of characters, which DuckDB does seven times slower than spaces.
@ibis.udf.scalar.builtin(signature=((dt.string, dt.string), dt.string))  # type: ignore[untyped-decorator]
def trim(text: Any, characters: Any) -> Any: ...


@ibis.udf.scalar.builtin(signature=((dt.string,), dt.int64))  # type: ignore[untyped-decorator]
def strlen(text: Any) -> Any:
    """Its bytes: more than its characters if any of them is not ASCII."""


def text(column: Any) -> Any:
    """The column's values as trimmed text; null where they are missing."""
    string = _as_string(column)
    # To trim costs more than to look, and hardly a value has spaces around it. Those of ASCII sort before "!", and
    # whatever is not of ASCII is trimmed to be sure.
    ends = reduce(or_, (string.endswith(space) for space in SPACES if space.isascii()))
    at_hand = (string < "!") | ends | (strlen(string) != string.length())
    trimmed = ibis.ifelse(at_hand, trim(string, SPACES), string)
    # Not `isin`: DuckDB makes a join of a long list, and a join loses the order of the rows.
    nothing = ibis.null("string")
    told = trimmed.cases(*((word, nothing) for word in MISSING), else_=trimmed)
    # Hardly a value can be one of the words, and to ask millions of values for eleven words takes seconds. Whatever
    # begins with a digit comes between "0" and ":", the character behind "9".
    clearly_there = (trimmed.length() > LONGEST_MISSING) | ((trimmed >= "0") & (trimmed < ":"))
    return ibis.ifelse(clearly_there, trimmed, told)


def identifier(written: Any) -> Any:
    """A `text` in which `17850.0` is `17850`: a number that passed through a float column is the same."""
    return _whole(written, written.endswith(".0"))


def customer(written: Any) -> Any:
    """A `text` as `models.customer.customer_id` has it, that function's refusals aside."""
    told = _whole(written, written.endswith("0") & written.contains("."))
    return ibis.ifelse(told.contains("@"), ibis.ifelse(told.re_search(EMAIL), told.lower(), told), told)


def _whole(written: Any, suspect: Any) -> Any:
    """Whole numbers without their decimals of 0; a float that stands for several whole numbers stays as it is."""
    # The pattern is slow over millions of rows, and needed for hardly any of them.
    exact = ibis.ifelse(written.try_cast("float64") < EXACT_FLOAT, written.re_replace(r"^(\d+)\.0+$", r"\1"), written)
    return ibis.ifelse(suspect, exact, written)


def _as_string(column: Any) -> Any:
    if column.type().is_floating():
        # Beyond 1e15 a float is written with an exponent, which would make two customers of one. From 2^53 on it
        # stands for several whole numbers: it keeps its exponent, by which an id is refused.
        whole = column.try_cast("int64")
        exact = (whole.cast("float64") == column) & (column.abs() < EXACT_FLOAT)
        return ibis.ifelse(exact, whole.cast("string"), column.cast("string"))
    if column.type().is_decimal():
        return column.cast("string").re_replace(r"\.0+$", "")
    return column.cast("string")
