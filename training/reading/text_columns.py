"""Text out of a column of any type: trimmed, and null where a value only says that it is missing."""

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
    # To trim and to compare with words costs more than to look, and hardly a value needs it. Of ASCII the white space
    # sorts before "!"; what begins or ends with another character than ASCII is trimmed to be sure.
    untrimmed = (string < "!") | (string > "~") | ~string.right(1).between("!", "~")
    # What begins with a digit comes between "0" and ":", the character behind "9".
    clearly_there = (strlen(string) > LONGEST_MISSING) | ((string >= "0") & (string < ":"))
    # Not `isin`: DuckDB makes a join of a long list, and a join loses the order of the rows.
    nothing = ibis.null("string")
    trimmed = ibis.ifelse(untrimmed, trim(string, SPACES), string)
    known = trimmed.cases(*((word, nothing) for word in MISSING), else_=trimmed)
    return ibis.ifelse(~untrimmed & clearly_there, string, known)


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
        written = ibis.ifelse(exact, whole.cast("string"), column.cast("string"))
        # Not left to the words for missing values: from the range that a Parquet file states for its numbers, DuckDB
        # concludes how their texts compare, and forgets that one may be "nan".
        return ibis.ifelse(column.isnan(), ibis.null("string"), written)
    if column.type().is_decimal():
        return column.cast("string").re_replace(r"\.0+$", "")
    return column.cast("string")
