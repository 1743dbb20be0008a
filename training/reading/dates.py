"""Moments written as text: the form is decided from the whole column, never row by row.

`3/4/2011` is in March or in April; only other rows can tell. So the distinct days of a column are sorted
into `FORMS`, and where the order of day and month is open, a first number above 12 makes it day-first, a
second one month-first. Neither is an error that names `--date-format`, and so are both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import ibis
import ibis.expr.datatypes as dt

from training.errors import UnreadableSource

MONTH_FIRST, DAY_FIRST = "month-first", "day-first"
ORDERS = {MONTH_FIRST: "%m{0}%d{0}", DAY_FIRST: "%d{0}%m{0}"}

# Name, pattern of a day, and what separates its numbers where their order is open.
FORMS: Mapping[str, tuple[str, str | None]] = {
    "year first": (r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}$", None),
    "eight digits": (r"^\d{8}$", None),
    "Excel's day numbers": (r"^[2-7]\d{4}(\.\d+)?$", None),
    "slashes": (r"^\d{1,2}/\d{1,2}/(\d{4}|\d{2})$", "/"),
    "dashes": (r"^\d{1,2}-\d{1,2}-(\d{4}|\d{2})$", "-"),
    "dots": (r"^\d{1,2}\.\d{1,2}\.(\d{4}|\d{2})$", "."),
}
NUMBERS = r"^(\d{1,2})[-/.](\d{1,2})[-/.]\d+$"
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p")
EXCEL_DAY_OF_1970 = 25569
SECONDS_A_DAY = 86_400

IN_UTC = dt.Timestamp(timezone="UTC")
MOMENT = dt.Timestamp(scale=6)


@ibis.udf.scalar.builtin(signature=((dt.string, dt.string, dt.int64), dt.string))  # type: ignore[untyped-decorator]
def split_part(text: Any, separator: Any, index: Any) -> Any: ...


# DuckDB answers with a zone where the pattern reads one (%z) and without where not: cast either to UTC.
@ibis.udf.scalar.builtin(signature=((dt.string, dt.Array(dt.string)), IN_UTC))  # type: ignore[untyped-decorator]
def try_strptime(text: Any, patterns: Any) -> Any: ...


@ibis.udf.scalar.builtin(signature=((dt.int64,), MOMENT))  # type: ignore[untyped-decorator]
def make_timestamp(microseconds: Any) -> Any: ...


@dataclass(frozen=True)
class DateColumn:
    """A text column to decide on: where it is, its name there, and a table of its distinct days.

    `days` has each `day` once, with an `example` of a whole value on that day.
    """

    where: str
    name: str
    days: Any


@dataclass(frozen=True)
class DateReading:
    """How one text column is read. One of: strptime patterns, a form with a rule of its own."""

    form: str
    patterns: tuple[str, ...] = ()
    says: str = ""

    def value(self, written: Any) -> Any:
        """Text to a moment in UTC without a zone; null where it cannot be read."""
        if self.patterns:
            return try_strptime(written, list(self.patterns)).cast(MOMENT)
        return {"year first": _year_first, "Excel's day numbers": _excel}[self.form](written)


@dataclass(frozen=True)
class _Found:
    """What one form looks like in one column: example days, and those that tell the order."""

    form: str
    example: str
    short_years: bool
    long_years: bool
    day_first: str | None
    month_first: str | None
    open: str | None


def is_written(column: Any) -> bool:
    """Whether the column's moments have to be read, being no dates or timestamps already."""
    return not (column.type().is_timestamp() or column.type().is_date())


def typed(column: Any) -> Any:
    """A date or timestamp column as moments in UTC without a zone."""
    return column.cast(MOMENT)


def day(written: Any) -> Any:
    """The part of a written moment that is its date."""
    return split_part(written.replace("T", " "), " ", 1)


def decide(columns: Sequence[DateColumn], date_format: str | None) -> tuple[DateReading, ...]:
    """How to read each column. Those of one source share one order of day and month.

    `date_format` is `month-first`, `day-first` or a strptime pattern. Raises UnreadableSource where a
    column has no known form, or several, or where the order is open or contradictory.
    """
    if date_format is not None and date_format not in ORDERS:
        _check_pattern(date_format)
        return tuple(DateReading("pattern", (date_format,)) for _ in columns)
    found = [_form(column) for column in columns]
    ordered = [(one, column) for one, column in zip(found, columns, strict=True) if FORMS[one.form][1]]
    order = _order(ordered, date_format) if ordered else MONTH_FIRST
    return tuple(_reading(one, column, order) for one, column in zip(found, columns, strict=True))


def _check_pattern(pattern: str) -> None:
    try:
        ibis.duckdb.connect().to_pyarrow(try_strptime(ibis.literal("x"), [pattern]))
    except duckdb.Error as error:
        raise UnreadableSource(
            f"--date-format '{pattern}' is not a pattern: {str(error).splitlines()[0]}. "
            f"Give month-first, day-first, or a strptime pattern such as '%d.%m.%Y %H:%M'."
        ) from None
    if "%" not in pattern:
        raise UnreadableSource(
            f"--date-format '{pattern}' is neither month-first nor day-first, nor a strptime pattern "
            f"such as '%d.%m.%Y %H:%M'."
        )


def _form(column: DateColumn) -> _Found:
    found = [_Found(**row) for row in _forms(column.days).to_pyarrow().to_pylist()]
    if len(found) == 1:
        return found[0]
    if found:
        raise UnreadableSource(
            f"{column.where}: column '{column.name}' mixes forms of dates: "
            f"{' and '.join(repr(one.example) for one in found)}. Write all of its dates one way, or give the "
            f"pattern of those to read with --date-format."
        )
    example = column.days.day.min().to_pyarrow().as_py()
    trouble = "is empty" if example is None else f"holds no date in a known form (for example '{example}')"
    raise UnreadableSource(
        f"{column.where}: column '{column.name}' {trouble}. Name the column with --column at=NAME, "
        f"or its pattern with --date-format, such as '%d %b %Y %H:%M'."
    )


def _forms(days: Any) -> Any:
    """A row of `_Found` for every form that the days show."""
    form = ibis.cases(*((days.day.re_search(pattern), name) for name, (pattern, _) in FORMS.items()))
    first, second = (days.day.re_extract(NUMBERS, group).try_cast("int64") for group in (1, 2))
    known = days.mutate(form=form, first=first, second=second)
    known = known.filter(known.form.notnull())
    either = known.first.between(1, 12) & known.second.between(1, 12)
    short = known.day.re_search(r"\D\d{2}$")
    return (
        known.group_by("form")
        .aggregate(
            example=known.example.argmin(known.day),
            short_years=short.any(),
            long_years=(~short).any(),
            day_first=known.example.argmin(known.day, where=known.first.between(13, 31) & known.second.between(1, 12)),
            month_first=known.example.argmin(
                known.day, where=known.first.between(1, 12) & known.second.between(13, 31)
            ),
            open=known.example.argmin(known.day, where=either & (known.first != known.second)),
        )
        .order_by("form")
    )


def _order(columns: Sequence[tuple[_Found, DateColumn]], stated: str | None) -> str:
    where = f"{columns[0][1].where}: column '{columns[0][1].name}'"
    examples = {
        DAY_FIRST: next((found.day_first for found, _ in columns if found.day_first), None),
        MONTH_FIRST: next((found.month_first for found, _ in columns if found.month_first), None),
    }
    told = [order for order, example in examples.items() if example]
    if len(told) == 2:
        raise UnreadableSource(
            f"{where} has both orders of day and month: '{examples[DAY_FIRST]}' is day-first and "
            f"'{examples[MONTH_FIRST]}' is month-first. Write all dates one way."
        )
    if told and stated not in (None, told[0]):
        raise UnreadableSource(f"{where} is {told[0]}, as '{examples[told[0]]}' shows; --date-format says {stated}.")
    if stated or told:
        return stated or told[0]
    if all(found.form == "dots" for found, _ in columns):
        # Written with dots the day comes first wherever dots are in use.
        return DAY_FIRST
    undecided = next((found.open for found, _ in columns if found.open), None)
    if undecided is None:
        # Only dates like 4/4/2011: both orders read them alike.
        return MONTH_FIRST
    raise _ambiguous(where, undecided)


def _ambiguous(where: str, example: str) -> UnreadableSource:
    day_only = example.split(" ")[0]
    separator = next(sign for sign in "/-." if sign in day_only)
    year = "%Y" if len(day_only.split(separator)[2]) == 4 else "%y"
    readings = {order: start.format(separator) + year for order, start in ORDERS.items()}
    said = {order: f"{_spoken(day_only, pattern)} read {order}" for order, pattern in readings.items()}
    return UnreadableSource(
        f"{where} can be read in two ways, and no date in it tells which: '{example}' is {said[MONTH_FIRST]} and "
        f"{said[DAY_FIRST]}. Say which with --date-format month-first or --date-format day-first, "
        f"or give a strptime pattern."
    )


def _spoken(example: str, pattern: str) -> str:
    moment = datetime.strptime(example, pattern).replace(tzinfo=UTC)
    return f"{moment.day} {moment:%B %Y}"


def _reading(found: _Found, column: DateColumn, order: str) -> DateReading:
    where = f"{column.where}: dates in '{column.name}'"
    separator = FORMS[found.form][1]
    if found.form == "eight digits":
        patterns = tuple("%Y%m%d" + time for time in _times(found.example))
        return DateReading(found.form, patterns, f"{where} are year, month and day in eight digits.")
    if separator is None:
        return DateReading(found.form, (), f"{where} are {_said(found.form)}.")
    # The two-digit year is tried first: it fails on four digits, while %Y would take `10` for the year 10.
    years = [year for year, there in (("%y", found.short_years), ("%Y", found.long_years)) if there]
    starts = [ORDERS[order].format(separator) + year for year in years]
    patterns = tuple(start + time for time in _times(found.example) for start in starts)
    return DateReading(found.form, patterns, f"{where} are read {order}, such as '{found.example}'.")


def _times(example: str) -> list[str]:
    """`TIMES`, beginning with the example's: a pattern that fails is slow, the first should fit."""
    written = "".join(example.partition(" ")[1:])
    return sorted(TIMES, key=lambda time: not _fits(written, time))


def _fits(written: str, time: str) -> bool:
    try:
        datetime.strptime(written, time)  # noqa: DTZ007 - only whether it can be read
    except ValueError:
        return False
    return True


def _said(form: str) -> str:
    return "year first (ISO 8601)" if form == "year first" else form


def _year_first(written: Any) -> Any:
    # A text like `infinity` or `epoch` is a timestamp to DuckDB; a date starts with a digit.
    digits = ibis.ifelse((written >= "0") & (written < ":"), written, ibis.null("string"))
    # Some write a space before the offset (`08:26:00 +0200`).
    closed = digits.replace(" +", "+").replace(" -", "-")
    return ibis.coalesce(digits.try_cast(IN_UTC), closed.try_cast(IN_UTC)).cast(MOMENT)


def _excel(written: Any) -> Any:
    seconds = ((written.try_cast("float64") - EXCEL_DAY_OF_1970) * SECONDS_A_DAY).round()
    plausible = ibis.ifelse(seconds.abs() < 1e11, seconds, ibis.null("float64"))
    return make_timestamp(plausible.cast("int64") * 1_000_000)
