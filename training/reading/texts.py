"""Text out of a column of any type: trimmed, and null where a value only says that it is missing."""

from typing import Any

import ibis
import ibis.expr.datatypes as dt

from models.missing import MISSING

LONGEST_MISSING = max(map(len, MISSING))


# Ibis's own `strip` trims a set of characters, which DuckDB does seven times slower than spaces.
@ibis.udf.scalar.builtin(signature=((dt.string,), dt.string))  # type: ignore[untyped-decorator]
def trim(text: Any) -> Any: ...


def text(column: Any) -> Any:
    """The column's values as trimmed text; null where they are missing."""
    string = _as_string(column)
    # To trim costs more than to look, and hardly a value has spaces around it.
    trimmed = ibis.ifelse(string.startswith(" ") | string.endswith(" "), trim(string), string)
    # Not `isin`: DuckDB makes a join of a long list, and a join loses the order of the rows.
    nothing = ibis.null("string")
    told = trimmed.cases(*((word, nothing) for word in MISSING), else_=trimmed)
    # Hardly a value can be one of the words, and to ask millions of values for eleven words takes seconds. Whatever
    # begins with a digit comes between "0" and ":", the character behind "9".
    clearly_there = (trimmed.length() > LONGEST_MISSING) | ((trimmed >= "0") & (trimmed < ":"))
    return ibis.ifelse(clearly_there, trimmed, told)


def identifier(written: Any) -> Any:
    """A `text` in which `17850.0` is `17850`: a number that passed through a float column is the same."""
    # The pattern is slow over millions of rows, and needed for hardly any of them.
    return ibis.ifelse(written.endswith(".0"), written.re_replace(r"^(\d+)\.0$", r"\1"), written)


def _as_string(column: Any) -> Any:
    if column.type().is_floating():
        # Beyond 1e15 a float is written with an exponent, which would make two customers of one.
        whole = column.try_cast("int64")
        return ibis.ifelse(whole.cast("float64") == column, whole.cast("string"), column.cast("string"))
    if column.type().is_decimal():
        return column.cast("string").re_replace(r"\.0+$", "")
    return column.cast("string")
