# ruff: noqa: DTZ001 - `at` is in UTC and without a zone: that is the contract tested here.
from collections.abc import Iterator
from datetime import datetime

import ibis
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
