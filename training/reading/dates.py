"""Moments written as text: the form is decided from the whole column, never row by row.

`3/4/2011` is in March or in April; only other rows can tell. So the distinct days of a column are sorted
into `FORMS`, and where the order of day and month is open, a first number above 12 makes it day-first, a
second one month-first. Where there is neither, the order of the rows or of the order numbers tells, or that one
order would put purchases into the future. What is still open is an error that names `--date-format`, and so is
a contradiction.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from typing import Any, Self

import duckdb
import ibis
import ibis.expr.datatypes as dt

from training.errors import UnreadableSource

MONTH_FIRST, DAY_FIRST = "month-first", "day-first"
ORDERS = {MONTH_FIRST: "%m{0}%d{0}", DAY_FIRST: "%d{0}%m{0}"}

# Unix time between 1990 and 2100, by the units in a second.
UNIX = {"Unix seconds": 1, "Unix milliseconds": 10**3, "Unix microseconds": 10**6, "Unix nanoseconds": 10**9}

# Names and abbreviations of months in eight languages, in capitals, to the month's number.
MONTHS: dict[str, str] = {
    name: month
    for month, names in json.loads(
        files("training.reading").joinpath("months.json").read_text(encoding="utf-8")
    ).items()
    for name in names
}
# Name, pattern of a day, and what separates its numbers where their order is open.
FORMS: Mapping[str, tuple[str, str | None]] = {
    "year first": (r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}$", None),
    "eight digits": (r"^(19|20)\d{6}(\d{4}(\d{2})?)?$", None),
    "Excel's day numbers": (r"^[2-7]\d{4}(\.\d+)?$", None),
    **{
        name: (rf"^([6-9]\d{{8}}|[1-4]\d{{9}})\d{{{len(str(units)) - 1}}}(\.\d+)?$", None)
        for name, units in UNIX.items()
    },
    "month names": (rf"^\d+\|({'|'.join(MONTHS)})\|\d+$", None),
    "slashes": (r"^\d{1,2}/\d{1,2}/(\d{4}|\d{2})$", "/"),
    "dashes": (r"^\d{1,2}-\d{1,2}-(\d{4}|\d{2})$", "-"),
    "dots": (r"^\d{1,2}\.\d{1,2}\.(\d{4}|\d{2})$", "."),
}
NUMBERS = r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d+)$"
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p")
COMPACT_TIMES = tuple(sign + time for sign in ("", "T", " ") for time in ("%H%M%S", "%H%M"))
ZONES = ("", "Z", " %z", "%z", " %Z")
WITH_ZONE = r"\d ?(?:Z|[A-Z]{3,4}|[-+]\d\d(?::?\d\d)?)$"
EXCEL_DAY_OF_1970 = 25569
SECONDS_A_DAY = 86_400

_WEEKDAY, _GAP, _YEAR, _REST = (
    r"(?:\p{L}{2,}\.?,? )?",
    r"[-./, ]+(?:DE |DEL |OF )?",
    r"(\d{4}|\d\d)",
    r"(?:[,T ]+(?:AT |UM )?(\d.*))?$",
)
_DAY, _MONTH = r"(\d{1,2})(?:ST|ND|RD|TH|ER|º)?", r"(\p{L}{3,})"
# Patterns of days with a month's name, and in which groups year, month, day and the time of day are.
WITH_NAMES = {
    f"^{_WEEKDAY}{_DAY}{_GAP}{_MONTH}{_GAP}{_YEAR}{_REST}": r"\3|\2|\1#\4",
    f"^{_WEEKDAY}{_MONTH}{_GAP}{_DAY}{_GAP}{_YEAR}{_REST}": r"\3|\1|\2#\4",
    rf"^(\d{{4}}){_GAP}{_MONTH}{_GAP}{_DAY}{_REST}": r"\1|\2|\3#\4",
}

# By how many of its steps from one day to another a sequence is taken for sorted, and for unsorted.
SORTED, UNSORTED, FEWEST_STEPS = 0.98, 0.9, 5

IN_UTC = dt.Timestamp(timezone="UTC")
MOMENT = dt.Timestamp(scale=6)
# Python has no moments before or after.
FIRST, LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59)  # noqa: DTZ001 - compared with moments without a zone


@ibis.udf.scalar.builtin(signature=((dt.string, dt.string, dt.int64), dt.string))  # type: ignore[untyped-decorator]
def split_part(text: Any, separator: Any, index: Any) -> Any: ...


@ibis.udf.scalar.builtin(signature=((dt.string, dt.string), dt.string))  # type: ignore[untyped-decorator]
def rtrim(text: Any, signs: Any) -> Any: ...


# DuckDB answers with a zone where the pattern reads one (%z) and without where not: cast either to UTC.
@ibis.udf.scalar.builtin(signature=((dt.string, dt.Array(dt.string)), IN_UTC))  # type: ignore[untyped-decorator]
def try_strptime(text: Any, patterns: Any) -> Any: ...


@ibis.udf.scalar.builtin(signature=((dt.int64,), MOMENT))  # type: ignore[untyped-decorator]
def make_timestamp(microseconds: Any) -> Any: ...


@ibis.udf.scalar.builtin(signature=((MOMENT,), dt.int64))  # type: ignore[untyped-decorator]
def epoch_us(moment: Any) -> Any: ...


@dataclass(frozen=True)
class DateColumn:
    """A text column to decide on: where it is, its name there, and a table of its distinct days.

    `days` has each `day` once, with an `example` of a whole value on that day. `rows`, where it is there, has
    the `day` of every `row`, and the `number` of its order or null: their order may tell day from month.
    """

    where: str
    name: str
    days: Any
    rows: Any = None

    @classmethod
    def of(cls, where: str, name: str, table: Any) -> Self:
        """The column `at` of a stored table of texts, with the order numbers in its column `invoice`, if it has one."""
        moments = table.select(written=table["at"]).distinct()
        days = moments.group_by(day=day(moments.written)).aggregate(example=moments.written.min())
        invoice = table["invoice"] if "invoice" in table.columns else ibis.null("string")
        number = invoice.re_extract(r"(\d+)\D*$", 1).try_cast("int64")
        return cls(where, name, days, table.select(row=table.rowid(), day=day(table["at"]), number=number))


@dataclass(frozen=True)
class DateReading:
    """How one text column is read. One of: strptime patterns, a form with a rule of its own."""

    form: str
    patterns: tuple[str, ...] = ()
    says: str = field(default="", compare=False)

    def value(self, written: Any) -> Any:
        """Text to a moment in UTC without a zone; null where it cannot be read."""
        if self.form == "month names":
            return _within(try_strptime(_numbered(written), list(self.patterns)).cast(MOMENT))
        if self.patterns:
            return _within(try_strptime(written, list(self.patterns)).cast(MOMENT))
        if self.form in UNIX:
            return _unix(written, UNIX[self.form])
        return _within({"year first": _year_first, "Excel's day numbers": _excel}[self.form](written))


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
    years_first: bool

    @property
    def years(self) -> tuple[str, ...]:
        # The two-digit year is tried first: it fails on four digits, while %Y would take `10` for the year 10.
        return tuple(year for year, there in (("%y", self.short_years), ("%Y", self.long_years)) if there)

    def days(self, order: str) -> list[str]:
        """Patterns of a day in this form, in an order of day and month."""
        return [ORDERS[order].format(FORMS[self.form][1]) + year for year in self.years]


def is_written(column: Any) -> bool:
    """Whether the column's moments have to be read, being no dates or timestamps already."""
    return not (column.type().is_timestamp() or column.type().is_date())


def typed(column: Any) -> Any:
    """A date or timestamp column as moments in UTC without a zone; null where the year is not one of 1 to 9999."""
    return _within(column.try_cast(MOMENT))


def day(written: Any) -> Any:
    """The part of a written moment that is its date; with a month's name, `year|month|day`."""
    first = rtrim(split_part(written.replace("T", " "), " ", 1), ",")
    return ibis.ifelse(written.re_search(r"\p{L}{3}.*\d{2}"), split_part(_named(written), "#", 1), first)


def with_time(moment: Any, time: Any) -> Any:
    """The day of a moment at a time of day written in a column of its own; null where that cannot be read.

    Without a time, the moment is as it is.
    """
    clock = time.re_replace(r"^\d{4}-\d\d-\d\d[T ]", "")
    patterns = [pattern.strip() for pattern in TIMES if pattern]
    since_1900 = epoch_us(try_strptime(clock, patterns).cast(MOMENT)) - epoch_us(
        ibis.literal("1900-01-01").cast(MOMENT)
    )
    # Excel writes a time as a share of the day.
    share = clock.try_cast("float64")
    of_day = ibis.ifelse(share.between(0, 1), (share * SECONDS_A_DAY).round().cast("int64") * 1_000_000, since_1900)
    timed = make_timestamp(epoch_us(moment.truncate("D")) + ibis.coalesce(since_1900, of_day))
    return ibis.ifelse(time.isnull(), moment, timed)


def decide(
    columns: Sequence[DateColumn], date_format: str | None, *, today: date | None = None
) -> tuple[DateReading, ...]:
    """How to read each column. Those of one source share one order of day and month.

    `date_format` is `month-first`, `day-first` or a strptime pattern. Raises UnreadableSource where a
    column has no known form, or several, or where the order is open or contradictory. No purchase is after `today`.
    """
    if date_format is not None and date_format not in ORDERS:
        _check_pattern(date_format)
        return tuple(DateReading("pattern", (date_format,)) for _ in columns)
    found = [_form(column) for column in columns]
    ordered = [(one, column) for one, column in zip(found, columns, strict=True) if FORMS[one.form][1]]
    tomorrow = (today or datetime.now(UTC).date()) + timedelta(days=1)  # it may be tomorrow where the shop is
    order, reason = _order(ordered, date_format, tomorrow) if ordered else (MONTH_FIRST, "")
    return tuple(_reading(one, column, order, reason) for one, column in zip(found, columns, strict=True))


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
    example = column.days.example.min().to_pyarrow().as_py()
    trouble = "is empty" if example is None else f"holds no date in a known form (for example '{example}')"
    raise UnreadableSource(
        f"{column.where}: column '{column.name}' {trouble}. Name the column with --column at=NAME, "
        f"or its pattern with --date-format, such as '%d %b %Y %H:%M'."
    )


def _forms(days: Any) -> Any:
    """A row of `_Found` for every form that the days show."""
    form = ibis.cases(*((days.day.re_search(pattern), name) for name, (pattern, _) in FORMS.items()))
    first, second, last = (days.day.re_extract(NUMBERS, group).try_cast("int64") for group in (1, 2, 3))
    known = days.mutate(form=form, first=first, second=second, last=last)
    known = known.filter(known.form.notnull())
    either = known.first.between(1, 12) & known.second.between(1, 12)
    short = known.day.re_search(r"^\d{2}\||[-/.]\d{2}$")
    # More of the last numbers than of the first, and all could be days: the year may stand first.
    different = known["last"].nunique()
    days_last = (known["last"].max() <= 31) & (different >= 3) & (different > known["first"].nunique())
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
            years_first=days_last.fill_null(False),
        )
        .order_by("form")
    )


def _order(columns: Sequence[tuple[_Found, DateColumn]], stated: str | None, tomorrow: date) -> tuple[str, str]:
    """The order of day and month, and why where the days themselves do not tell."""
    where = f"{columns[0][1].where}: column '{columns[0][1].name}'"
    if stated is None and (odd := next((found for found, _ in columns if found.years_first), None)):
        raise _years_first(where, odd)
    examples = {
        DAY_FIRST: next((found.day_first for found, _ in columns if found.day_first), None),
        MONTH_FIRST: next((found.month_first for found, _ in columns if found.month_first), None),
    }
    told = [order for order, example in examples.items() if example]
    if len(told) == 2:
        raise UnreadableSource(
            f"{where} has both orders of day and month: '{examples[DAY_FIRST]}' is day-first and "
            f"'{examples[MONTH_FIRST]}' is month-first. Write all dates one way, or give the pattern of those to read "
            f"with --date-format."
        )
    if told and stated not in (None, told[0]):
        raise UnreadableSource(f"{where} is {told[0]}, as '{examples[told[0]]}' shows; --date-format says {stated}.")
    if stated or told:
        return stated or told[0], ""
    if all(found.form == "dots" for found, _ in columns):
        # Written with dots the day comes first wherever dots are in use.
        return DAY_FIRST, ""
    undecided = next((found.open for found, _ in columns if found.open), None)
    if undecided is None:
        # Only dates like 4/4/2011: both orders read them alike.
        return MONTH_FIRST, ""
    reasons = [reason for found, column in columns for reason in _reasons(found, column, tomorrow)]
    if len({order for order, _ in reasons}) == 1:
        return reasons[0]
    raise _ambiguous(where, undecided)


def _reasons(found: _Found, column: DateColumn, tomorrow: date) -> list[tuple[str, str]]:
    """What speaks for an order of day and month beside the days themselves: that order, and how, in words."""
    reasons = []
    days = column.days.select(**{order: _midnight(column.days.day, found, order) for order in ORDERS})
    latest = days.aggregate(**{order: days[order].max() for order in ORDERS}).to_pyarrow().to_pylist()[0]
    late = [order for order, moment in latest.items() if moment is not None and moment.date() > tomorrow]
    if len(late) == 1:
        (order,) = (one for one in ORDERS if one not in late)
        reasons.append((order, f"read {late[0]}, some are in the future"))
    if column.rows is None:
        return reasons
    for by, said in (("row", "the rows are in the order of time"), ("number", "order numbers rise with time")):
        breaks = {order: _breaks(found, column, order, by) for order in ORDERS}
        for order, other in (ORDERS, tuple(ORDERS)[::-1]):
            if breaks[order] <= 1 - SORTED and breaks[other] >= 1 - UNSORTED:
                reasons.append((order, f"so {said}"))
    return reasons


def _breaks(found: _Found, column: DateColumn, order: str, by: str) -> float:
    """The share of steps from one day to another that go against the direction of most.

    By row the days may fall, by order number they rise. Too few steps tell nothing: they count as half broken.
    """
    rows = column.rows.filter(column.rows[by].notnull())
    dated = rows.select(by=rows[by], row=rows.row, at=_midnight(rows.day, found, order))
    dated = dated.filter(dated["at"].notnull())
    previous = dated["at"].lag().over(ibis.window(order_by=["by", "row"]))
    steps = dated.select(rises=dated["at"] > previous, falls=dated["at"] < previous)
    counted = steps.aggregate(rises=steps.rises.sum(), falls=steps.falls.sum()).to_pyarrow().to_pylist()[0]
    rises, falls = counted["rises"] or 0, counted["falls"] or 0
    if rises + falls < FEWEST_STEPS:
        return 0.05
    return (min(rises, falls) if by == "row" else falls) / (rises + falls)


def _midnight(day: Any, found: _Found, order: str) -> Any:
    return try_strptime(day, found.days(order)).cast(MOMENT)


def _years_first(where: str, found: _Found) -> UnreadableSource:
    day_only, _, _ = found.example.partition(" ")
    separator = FORMS[found.form][1]
    pattern = f"%y{separator}%m{separator}%d{_times(found.example)[0]}"
    return UnreadableSource(
        f"{where} may have the year first or last: '{day_only}'. If it is first, say so with "
        f"--date-format '{pattern}'; else say month-first or day-first with --date-format."
    )


def _ambiguous(where: str, example: str) -> UnreadableSource:
    day_only = example.split(" ")[0].rstrip(",")
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


def _reading(found: _Found, column: DateColumn, order: str, reason: str) -> DateReading:
    where = f"{column.where}: dates in '{column.name}'"
    if found.form == "eight digits":
        patterns = tuple("%Y%m%d" + time for time in _times(found.example[8:], (*TIMES, *COMPACT_TIMES)))
        return DateReading(found.form, patterns, f"{where} are year, month and day in eight digits.")
    if found.form == "month names":
        written = re.search(r" \d{1,2}:.*$", found.example)
        times = _times(written[0].upper() if written else "")
        patterns = tuple(f"{year}-%m-%d{time}" for time in times for year in found.years)
        return DateReading(found.form, patterns, f"{where} have the names of months, such as '{found.example}'.")
    if FORMS[found.form][1] is None:
        return DateReading(found.form, (), f"{where} are {_said(found.form)}.")
    day_only, space, clock = found.example.partition(" ")
    comma = "," * day_only.endswith(",")
    patterns = tuple(day + comma + time for time in _times(space + clock) for day in found.days(order))
    because = f": {reason}" if reason else ""
    return DateReading(found.form, patterns, f"{where} are read {order}, such as '{found.example}'{because}.")


def _times(written: str, times: Sequence[str] = TIMES) -> list[str]:
    """Patterns for what follows the day, beginning with that of `written`: to fail is slow, the first should fit."""
    zones = ZONES if re.search(WITH_ZONE, written) else ZONES[:1]
    return sorted((time + zone for time in times for zone in zones), key=lambda time: not _fits(written, time))


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
    # Some write a space before the offset (`08:26:00 +0200`), or a comma before the time or the fraction.
    closed = digits.replace(" +", "+").replace(" -", "-").replace(", ", " ").replace(",", ".")
    dashed = closed.re_replace(r"^(\d{4})[./](\d{1,2})[./](\d{1,2})", r"\1-\2-\3")
    half_days = ["%Y-%m-%d" + time for time in TIMES if "%p" in time]
    return ibis.coalesce(
        digits.try_cast(IN_UTC), closed.try_cast(IN_UTC), dashed.try_cast(IN_UTC), try_strptime(dashed, half_days)
    ).cast(MOMENT)


def _excel(written: Any) -> Any:
    seconds = ((written.try_cast("float64") - EXCEL_DAY_OF_1970) * SECONDS_A_DAY).round()
    plausible = ibis.ifelse(seconds.abs() < 1e11, seconds, ibis.null("float64"))
    return make_timestamp(plausible.cast("int64") * 1_000_000)


def _unix(written: Any, units: int) -> Any:
    # Not as a float, which has too few digits for microseconds.
    whole, fraction = (
        split_part(written, ".", 1).try_cast("int64"),
        ("0." + split_part(written, ".", 2)).try_cast("float64"),
    )
    microseconds = whole * (1_000_000 // units) if units <= 1_000_000 else whole // (units // 1_000_000)
    part = (ibis.coalesce(fraction, 0.0) * (1_000_000 / units)).round().cast("int64")
    return _within(make_timestamp(microseconds + part))


def _named(written: Any) -> Any:
    """A moment with a month's name, in capitals, as `year|name|day#time`; what has none as it is."""
    named = written.upper()
    for pattern, groups in WITH_NAMES.items():
        named = named.re_replace(pattern, groups)
    return named


def _numbered(written: Any) -> Any:
    """A moment with a month's name as `year-month-day time`; null where it has none."""
    named = _named(written)
    year, name, date_ = (split_part(split_part(named, "#", 1), "|", place) for place in (1, 2, 3))
    # A map, because of so many cases the engine would work out the name anew in each.
    return (year + "-" + ibis.map(MONTHS).get(name) + "-" + date_ + " " + split_part(named, "#", 2)).strip()


def _within(moment: Any) -> Any:
    return ibis.ifelse(moment.between(FIRST, LAST), moment, ibis.null(MOMENT))
