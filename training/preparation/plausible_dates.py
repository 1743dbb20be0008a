"""Which dates of a source can be right: the moment of the features must not hang on one mistyped line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ibis import Table
from ibis import _ as row

from training.errors import UnreadableSource
from training.preparation.decision import Decision, counted
from training.reading.lines import Lines

DAY = 86_400
EPOCH = date(1970, 1, 1).toordinal()
# What systems write for "no date". Right only where other lines are dated about the same time.
STAND_INS = frozenset(
    date(*day).toordinal() - EPOCH
    for day in (
        (1, 1, 1), (1, 1, 2), (1753, 1, 1), (1899, 12, 30), (1899, 12, 31), (1900, 1, 1), (1900, 1, 2), (1904, 1, 1),
        (1969, 12, 31), (1970, 1, 1), (1970, 1, 2), (1980, 1, 1), (9999, 12, 31), (9999, 12, 30),
    )
)  # fmt: skip
LONG_GAP = 3 * 365 + 1  # days without a line between dates of which the fewer are doubtful
NEAR = 365  # days between a stand-in and the next date, if it is a date after all
FEW = 0.01
SHOWN = 3


@dataclass(frozen=True, slots=True)
class PlausibleDates:
    """Midnight UTC of the first plausible day, None where all earlier ones are too, and midnight after the last."""

    earliest: datetime | None
    end: datetime


def plausible_dates(lines: Lines, now: datetime, *, all_of_them: bool = False) -> Decision[PlausibleDates]:
    """Raises UnreadableSource where no date is left. `all_of_them` takes every date that is not in the future."""
    days = _days(lines)
    if not days:
        raise UnreadableSource("no line has both a customer and a date, so there is nothing to train on")
    today = now.date().toordinal() - EPOCH
    past = [(day, count) for day, count in days if day <= today + 1]  # a zone may be a day ahead
    if not past:
        raise UnreadableSource(
            f"all dates are in the future, from {_written(days[0][0])} to {_written(days[-1][0])}. Correct the dates, "
            "or say how they are written with --date-format."
        )
    kept = past if all_of_them else _kept(past)
    first, last = kept[0][0], kept[-1][0]
    left_out = [(day, count) for day, count in days if day < first or day > last]
    earliest = _midnight(first) if any(day < first for day, _ in left_out) else None
    dates = PlausibleDates(earliest, _midnight(last) + timedelta(days=1))
    if not left_out:
        return Decision(dates)
    shown = ", ".join(f"{_written(day)} ({count:,})" for day, count in left_out[:SHOWN])
    more = f" and {len(left_out) - SHOWN:,} more days" if len(left_out) > SHOWN else ""
    return Decision(
        dates,
        f"{counted(sum(count for _, count in left_out), 'line')} with implausible dates do not count: {shown}{more}; "
        f"the first is row {_first_row(lines, first, last):,}. The others are from {_written(first)} to "
        f"{_written(last)}.",
    )


def _days(lines: Lines) -> list[tuple[int, int]]:
    """Each day since 1970 that customers' lines are of, and how many."""
    counted_days = _with_days(lines).group_by("day").agg(lines=row.count()).order_by("day").to_pyarrow()
    return list(zip(counted_days["day"].to_pylist(), counted_days["lines"].to_pylist(), strict=True))


def _with_days(lines: Lines) -> Table:
    known = lines.table.filter(row.customer.notnull() & row["at"].notnull())
    return known.select("line", day=(row["at"].epoch_seconds() / DAY).floor().cast("int64"))


def _kept(days: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """The days without stand-ins far from all others, and without few lines that a long gap parts from the others."""
    known = [day for day, _ in days if day not in STAND_INS]
    if known:
        days = [one for one in days if one[0] not in STAND_INS or min(abs(one[0] - day) for day in known) <= NEAR]
    periods: list[list[tuple[int, int]]] = []
    for one in days:
        if periods and one[0] - periods[-1][-1][0] <= LONG_GAP:
            periods[-1].append(one)
        else:
            periods.append([one])
    sizes = [sum(count for _, count in period) for period in periods]
    enough = [period for period, size in zip(periods, sizes, strict=True) if size >= FEW * sum(sizes)]
    return [*enough[0], *enough[-1]]


def _first_row(lines: Lines, first: int, last: int) -> int:
    outside = _with_days(lines).filter((row.day < first) | (row.day > last))
    return int(outside.line.min().to_pyarrow().as_py()) + 1


def _midnight(day: int) -> datetime:
    return datetime.fromordinal(day + EPOCH).replace(tzinfo=UTC)


def _written(day: int) -> str:
    """A day of any year: databases know some that Python does not."""
    ordinal = day + EPOCH
    if date.min.toordinal() <= ordinal <= date.max.toordinal():
        return date.fromordinal(ordinal).isoformat()
    return "a day before the year 1" if ordinal < 1 else "a day after the year 9999"
