# ruff: noqa: DTZ001 - `at` is in UTC and without a zone: that is the contract tested here.
from collections.abc import Iterator
from datetime import date, datetime

import ibis
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.errors import UnreadableSource
from training.reading import dates
from training.reading.dates import DateColumn
from training.workspace import Workspace


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as opened:
        yield opened


def read(workspace: Workspace, values: list[str], date_format: str | None = None) -> list[datetime | None]:
    schema = ibis.schema({"position": "int64", "at": "string"})
    rows = [{"position": position, "at": value} for position, value in enumerate(values)]
    table = workspace.backend.create_table(workspace.name("dates"), ibis.memtable(rows, schema=schema))
    days = table.group_by(day=dates.day(table["at"])).aggregate(example=table["at"].min())
    (reading,) = dates.decide([DateColumn("shop.csv", "When", days)], date_format)
    found = table.select(table.position, at=reading.value(table["at"])).order_by("position").to_pyarrow()
    return [cell.as_py() for cell in found["at"]]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2010-12-01 08:26:00", datetime(2010, 12, 1, 8, 26)),
        ("2010-12-01 08:26", datetime(2010, 12, 1, 8, 26)),
        ("2010-12-01T08:26:05", datetime(2010, 12, 1, 8, 26, 5)),
        ("2010-12-01T08:26:05.25", datetime(2010, 12, 1, 8, 26, 5, 250_000)),
        ("2010-12-01T08:26:05Z", datetime(2010, 12, 1, 8, 26, 5)),
        ("2010-12-01T08:26:05+02:00", datetime(2010, 12, 1, 6, 26, 5)),
        ("2010-12-01 00:26:05 +0530", datetime(2010, 11, 30, 18, 56, 5)),
        ("2010-12-01 20:26:05-05", datetime(2010, 12, 2, 1, 26, 5)),
        ("2010/12/1 8:26", datetime(2010, 12, 1, 8, 26)),
        ("2010.12.01 08:26", datetime(2010, 12, 1, 8, 26)),
        ("2010-12-01 08:26:05 UTC", datetime(2010, 12, 1, 8, 26, 5)),
        ("2010-12-01 08:26:05,250", datetime(2010, 12, 1, 8, 26, 5, 250_000)),
        ("2010-12-01 08:26 PM", datetime(2010, 12, 1, 20, 26)),
        ("20101201T082605Z", datetime(2010, 12, 1, 8, 26, 5)),
        ("20101201T082605+0100", datetime(2010, 12, 1, 7, 26, 5)),
        ("20101201082605", datetime(2010, 12, 1, 8, 26, 5)),
        ("2010-12-01", datetime(2010, 12, 1)),
        ("20101201", datetime(2010, 12, 1)),
        ("20101201 08:26", datetime(2010, 12, 1, 8, 26)),
        ("40513.351388888886", datetime(2010, 12, 1, 8, 26)),
        ("40513", datetime(2010, 12, 1)),
        ("12/31/2010 8:26", datetime(2010, 12, 31, 8, 26)),
        ("12/31/10 8:26", datetime(2010, 12, 31, 8, 26)),
        ("12/31/2010 8:26:05", datetime(2010, 12, 31, 8, 26, 5)),
        ("12/31/2010 8:26 PM", datetime(2010, 12, 31, 20, 26)),
        ("12/31/2010", datetime(2010, 12, 31)),
        ("31/12/2010 8:26", datetime(2010, 12, 31, 8, 26)),
        ("31-12-2010", datetime(2010, 12, 31)),
        ("31.12.10 08:26", datetime(2010, 12, 31, 8, 26)),
        ("01.12.2010", datetime(2010, 12, 1)),
        ("12/31/2010, 8:26:05 PM", datetime(2010, 12, 31, 20, 26, 5)),
        ("31/12/2010 08:26 +0100", datetime(2010, 12, 31, 7, 26)),
        ("05-Jan-2024", datetime(2024, 1, 5)),
        ("05-JAN-24 08:26", datetime(2024, 1, 5, 8, 26)),
        ("Jan 5, 2024", datetime(2024, 1, 5)),
        ("January 5 2024 8:26 PM", datetime(2024, 1, 5, 20, 26)),
        ("5 January 2024 10:00", datetime(2024, 1, 5, 10)),
        ("2024-Jan-05", datetime(2024, 1, 5)),
        ("Fri, 05 Jan 2024 10:00:00 +0100", datetime(2024, 1, 5, 9)),
        ("Fri, 05 Jan 2024 10:00:00 GMT", datetime(2024, 1, 5, 10)),
        ("5. März 2024", datetime(2024, 3, 5)),
        ("1er août 2024", datetime(2024, 8, 1)),
        ("12 de octubre de 2023", datetime(2023, 10, 12)),
        ("3 maggio 2024", datetime(2024, 5, 3)),
        ("9 out 2024", datetime(2024, 10, 9)),
        ("7 mrt 2024", datetime(2024, 3, 7)),
        ("7 października 2024", datetime(2024, 10, 7)),
        ("1704448800", datetime(2024, 1, 5, 10)),
        ("1704448800.25", datetime(2024, 1, 5, 10, 0, 0, 250_000)),
        ("1704448800123", datetime(2024, 1, 5, 10, 0, 0, 123_000)),
        ("1704448800123456", datetime(2024, 1, 5, 10, 0, 0, 123_456)),
        ("1704448800123456789", datetime(2024, 1, 5, 10, 0, 0, 123_456)),
        ("946684800", datetime(2000, 1, 1)),
        ("4/4/2010", datetime(2010, 4, 4)),
    ],
)
def test_a_form_is_recognised_by_itself(workspace: Workspace, written: str, moment: datetime) -> None:
    assert read(workspace, [written]) == [moment]


def test_one_second_number_above_twelve_makes_the_whole_column_month_first(workspace: Workspace) -> None:
    assert read(workspace, ["1/2/2010", "1/13/2010"]) == [datetime(2010, 1, 2), datetime(2010, 1, 13)]


def test_one_first_number_above_twelve_makes_the_whole_column_day_first(workspace: Workspace) -> None:
    assert read(workspace, ["1/2/2010", "13/1/2010"]) == [datetime(2010, 2, 1), datetime(2010, 1, 13)]


def test_both_are_an_error_with_an_example_of_each(workspace: Workspace) -> None:
    with pytest.raises(UnreadableSource, match=r"'13/1/2010 9:00' is day-first and '1/14/2010 9:30' is month-first"):
        read(workspace, ["1/2/2010 8:26", "13/1/2010 9:00", "1/14/2010 9:30"])


def test_neither_is_an_error_with_both_readings_and_the_option(workspace: Workspace) -> None:
    with pytest.raises(UnreadableSource) as caught:
        read(workspace, ["4/4/10 8:26", "12/1/10 8:26"])
    assert str(caught.value) == (
        "shop.csv: column 'When' can be read in two ways, and no date in it tells which: '12/1/10 8:26' is "
        "1 December 2010 read month-first and 12 January 2010 read day-first. Say which with --date-format "
        "month-first or --date-format day-first, or give a strptime pattern."
    )


@pytest.mark.parametrize(
    ("date_format", "moment"),
    [
        ("month-first", datetime(2010, 12, 1, 8, 26)),
        ("day-first", datetime(2010, 1, 12, 8, 26)),
        ("%Y-%m-%d %H:%M", None),
        ("%d/%m/%y %H:%M", datetime(2010, 1, 12, 8, 26)),
    ],
)
def test_the_option_decides(workspace: Workspace, date_format: str, moment: datetime | None) -> None:
    assert read(workspace, ["12/1/10 8:26"], date_format) == [moment]


def test_a_pattern_reads_what_no_form_does_and_its_offset_leads_to_utc(workspace: Workspace) -> None:
    assert read(workspace, ["1 Dec 2010 08:26 +0100"], "%d %b %Y %H:%M %z") == [datetime(2010, 12, 1, 7, 26)]


def test_an_option_that_the_column_contradicts_is_an_error(workspace: Workspace) -> None:
    with pytest.raises(UnreadableSource, match=r"is day-first, as '13/1/2010' shows; --date-format says month-first"):
        read(workspace, ["13/1/2010"], "month-first")


@pytest.mark.parametrize("pattern", ["%Q", "american"])
def test_what_is_no_pattern_is_an_error(workspace: Workspace, pattern: str) -> None:
    with pytest.raises(UnreadableSource, match=f"--date-format '{pattern}' is n"):
        read(workspace, ["12/1/10"], pattern)


def test_two_forms_in_one_column_are_an_error(workspace: Workspace) -> None:
    with pytest.raises(UnreadableSource, match=r"mixes forms of dates: '13/1/2010' and '2010-01-12'"):
        read(workspace, ["13/1/2010", "2010-01-12"])


def test_short_and_long_years_may_stand_together(workspace: Workspace) -> None:
    assert read(workspace, ["1/13/10", "1/14/2010"]) == [datetime(2010, 1, 13), datetime(2010, 1, 14)]


def test_with_and_without_seconds_and_offset_may_stand_together(workspace: Workspace) -> None:
    moment = datetime(2010, 12, 1, 8, 26)
    written = ["2010-12-01 08:26", "2010-12-01T08:26:00.000", "2010-12-01T09:26:00+01:00"]
    assert read(workspace, written) == [moment] * 3


def test_what_is_no_date_is_null(workspace: Workspace) -> None:
    written = ["2010-12-01", "infinity", "2010-02-30", "soon"]
    assert read(workspace, written) == [datetime(2010, 12, 1), None, None, None]
    assert read(workspace, ["1/13/2010 9:00", "13/13/2010 9:00"]) == [datetime(2010, 1, 13, 9), None]


def test_a_column_without_any_date_is_an_error_with_an_example(workspace: Workspace) -> None:
    with pytest.raises(UnreadableSource, match=r"no date in a known form \(for example 'week 48'\)"):
        read(workspace, ["week 48", "week 49"])


def test_files_of_one_source_share_the_order_that_one_of_them_tells(workspace: Workspace) -> None:
    def column(name: str, day: str) -> DateColumn:
        days = ibis.memtable([{"day": day, "example": day}], schema={"day": "string", "example": "string"})
        return DateColumn(name, "When", workspace.backend.create_table(workspace.name("days"), days))

    january, february = dates.decide([column("1.csv", "1/2/2010"), column("2.csv", "1/13/2010")], None)
    assert january.patterns == february.patterns
    assert "month-first" in january.says


# What tells day from month beside the days


def column_of(workspace: Workspace, days: list[str], invoices: list[str] | None = None) -> DateColumn:
    schema = ibis.schema({"at": "string", "invoice": "string"})
    numbers = invoices or ["none"] * len(days)
    rows = [{"at": day, "invoice": number} for day, number in zip(days, numbers, strict=True)]
    table = workspace.backend.create_table(workspace.name("rows"), ibis.memtable(rows, schema=schema))
    return DateColumn.of("shop.csv", "When", table)


IN_ORDER = ["01/02/2024", "05/02/2024", "03/03/2024", "02/04/2024", "07/05/2024", "09/06/2024"]
MIXED = [IN_ORDER[place] for place in (1, 0, 3, 2, 5, 4)]
LATER = date(2026, 6, 1)


@pytest.mark.parametrize("days", [IN_ORDER, IN_ORDER[::-1], [day for day in IN_ORDER for _ in range(3)]])
def test_rows_in_the_order_of_time_tell_day_from_month(workspace: Workspace, days: list[str]) -> None:
    (reading,) = dates.decide([column_of(workspace, days)], None, today=LATER)
    assert reading.patterns[0] == "%d/%m/%Y"
    assert reading.says.endswith("are read day-first, such as '01/02/2024': so the rows are in the order of time.")


def test_order_numbers_that_rise_tell_day_from_month(workspace: Workspace) -> None:
    invoices = ["A-102", "A-101", "A-104", "A-103", "A-106", "A-105"]
    (reading,) = dates.decide([column_of(workspace, MIXED, invoices)], None, today=LATER)
    assert reading.says.endswith("so order numbers rise with time.")


@pytest.mark.parametrize("days", [IN_ORDER[:4], MIXED, [f"01/{month:02}/2024" for month in range(2, 10)]])
def test_an_order_that_is_not_clear_tells_nothing(workspace: Workspace, days: list[str]) -> None:
    with pytest.raises(UnreadableSource, match="--date-format month-first or --date-format day-first"):
        dates.decide([column_of(workspace, days)], None, today=LATER)


def test_order_numbers_without_order_leave_it_to_the_rows(workspace: Workspace) -> None:
    (reading,) = dates.decide([column_of(workspace, IN_ORDER, ["1", "4", "2", "6", "3", "5"])], None, today=LATER)
    assert "so the rows are in the order of time" in reading.says


def test_no_purchase_is_in_the_future(workspace: Workspace) -> None:
    columns = [column_of(workspace, ["01/12/2026", "02/05/2026"])]
    (reading,) = dates.decide(columns, None, today=LATER)
    assert reading.says.endswith("are read month-first, such as '01/12/2026': read day-first, some are in the future.")
    with pytest.raises(UnreadableSource, match="two ways"):
        dates.decide(columns, None, today=date(2027, 1, 1))


def test_reasons_that_contradict_each_other_leave_the_order_open(workspace: Workspace) -> None:
    # Day-first the rows are in order, but most are in the future.
    days = ["02/07/2024", "01/08/2024", "03/08/2024", "02/09/2024", "04/10/2024", "01/11/2024"]
    with pytest.raises(UnreadableSource, match="two ways"):
        dates.decide([column_of(workspace, days)], None, today=date(2024, 6, 1))


def test_two_digits_that_may_be_the_year_in_front_are_asked_about(workspace: Workspace) -> None:
    days = ["24-01-05 9:00", "24-02-17 9:00", "25-03-30 9:00"]
    with pytest.raises(UnreadableSource, match="--date-format '%y-%m-%d %H:%M'"):
        read(workspace, days)
    assert read(workspace, days, "%y-%m-%d %H:%M")[1] == datetime(2024, 2, 17, 9)


# Moments that no calendar of a shop has


def test_years_beyond_the_calendar_are_null_and_the_others_moments(workspace: Workspace) -> None:
    written = ["0000-00-00 00:00:00", "0001-01-01", "1900-01-01", "9999-12-31", "10000-01-01", "2024-01-05 (BC)"]
    moments = [None, datetime(1, 1, 1), datetime(1900, 1, 1), datetime(9999, 12, 31), None, None]
    assert read(workspace, written) == moments
    assert read(workspace, ["31/12/9999", "01/01/0001"]) == [datetime(9999, 12, 31), datetime(1, 1, 1)]
    assert read(workspace, ["20240105", "99991231", "00000000"]) == [
        datetime(2024, 1, 5),
        datetime(9999, 12, 31),
        None,
    ]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([0, 400_000_000_000], pa.timestamp("s")),
        pa.array([0, 400_000_000_000_000], pa.timestamp("ms")),
        pa.array([0, -400_000_000_000_000_000], pa.timestamp("us", "UTC")),
        pa.array([0, 100_000_000], pa.date32()),
        pa.array([0, None], pa.timestamp("ns")),
    ],
)
def test_typed_moments_beyond_the_calendar_are_null(workspace: Workspace, values: pa.Array) -> None:
    file = workspace.file(".parquet")
    pq.write_table(pa.table({"at": values}), file)
    table = workspace.backend.read_parquet(str(file))
    assert table.select(at=dates.typed(table["at"])).to_pyarrow()["at"].to_pylist() == [datetime(1970, 1, 1), None]


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        ("10:31:22", datetime(2024, 1, 5, 10, 31, 22)),
        ("10:31", datetime(2024, 1, 5, 10, 31)),
        ("10:31:22 PM", datetime(2024, 1, 5, 22, 31, 22)),
        ("0.4375", datetime(2024, 1, 5, 10, 30)),
        ("1899-12-30T10:31:22", datetime(2024, 1, 5, 10, 31, 22)),
        (None, datetime(2024, 1, 5, 7)),
        ("noon", None),
    ],
)
def test_a_time_in_a_column_of_its_own_completes_the_day(
    workspace: Workspace, time: str | None, moment: datetime | None
) -> None:
    schema = ibis.schema({"at": "timestamp", "time": "string"})
    rows = ibis.memtable([{"at": datetime(2024, 1, 5, 7), "time": time}], schema=schema)
    table = workspace.backend.create_table(workspace.name("times"), rows)
    assert table.select(at=dates.with_time(table["at"], table.time)).to_pyarrow()["at"].to_pylist() == [moment]
