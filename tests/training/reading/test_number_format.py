"""Numbers are read as they are meant, or asked about."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import ibis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.errors import UnreadableSource
from training.reading import number_format
from training.reading.number_format import CURRENCIES, NumberFormat
from training.workspace import Workspace


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as opened:
        yield opened


def stored(workspace: Workspace, values: Sequence[str]) -> Any:
    schema = ibis.schema({"position": "int64", "written": "string"})
    rows = [{"position": position, "written": value} for position, value in enumerate(values)]
    return workspace.backend.create_table(workspace.name("numbers"), ibis.memtable(rows, schema=schema))


def decide(
    workspace: Workspace, values: Sequence[str], *, semicolons: bool = False, stated: str | None = None
) -> tuple[NumberFormat, list[float | None]]:
    table = stored(workspace, values)
    format_ = number_format.decide("shop.csv", "Price", table.written, semicolons=semicolons, stated=stated)
    read = table.select("position", value=format_.value(table.written, table.written)).order_by("position")
    return format_, read.to_pyarrow()["value"].to_pylist()


def read(workspace: Workspace, *values: str) -> list[float | None]:
    return decide(workspace, values)[1]


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["1.200", "1.250.000"], [1200, 1_250_000]),
        (["1.200", "2,5"], [1200, 2.5]),
        (["1.234,567", "800"], [1234.567, 800]),
        (["1.200", "0,125"], [1200, 0.125]),
        (["1,5", "1234,567"], [1.5, 1234.567]),
    ],
)
def test_dots_between_thousands_are_proved_by_another_value(
    workspace: Workspace, values: list[str], numbers: list[float]
) -> None:
    assert read(workspace, *values) == numbers


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["1.200", "2.5"], [1.2, 2.5]),
        (["1.200", "12.34"], [1.2, 12.34]),
        (["1.200", "0.125"], [1.2, 0.125]),
        (["1.200", ".5"], [1.2, 0.5]),
        (["1.200", "3.1415"], [1.2, 3.1415]),
        (["1.000", "2.000", "1000.000"], [1, 2, 1000]),
        (["1.200", "1,234.500"], [1.2, 1234.5]),
        (["1.200", "1.5E+03"], [1.2, 1500]),
    ],
)
def test_a_decimal_point_is_proved_by_another_value(
    workspace: Workspace, values: list[str], numbers: list[float]
) -> None:
    assert read(workspace, *values) == numbers


@pytest.mark.parametrize(
    "values",
    [
        ["1.200", "15.000", "800"],
        ["1.000", "2.000", "3.000"],
        ["€ 1.200", "€ 800"],
        ["1.200-", "(15.000)"],
        ["1.200", "1,200"],
        ["1,000", "2,000", "12,500"],
        ["1,234", "800"],
    ],
)
def test_three_digits_after_every_sign_are_asked_about(workspace: Workspace, values: list[str]) -> None:
    with pytest.raises(UnreadableSource, match=r"--numbers 'Price=1.234,56'"):
        decide(workspace, values)


def test_the_question_has_both_readings_and_the_options(workspace: Workspace) -> None:
    with pytest.raises(UnreadableSource) as caught:
        decide(workspace, ["1.200", "15.000", "800"], semicolons=True)
    assert str(caught.value) == (
        "shop.csv: in column 'Price' numbers can be read in two ways, and no value tells which: '1.200' is 1200 if the "
        "dot groups thousands, and 1.2 if it is the decimal sign. Say which with --numbers 'Price=1.234,56' or "
        "--numbers 'Price=1,234.56'. The semicolons between the fields speak for 1.234,56."
    )


def test_the_option_decides(workspace: Workspace) -> None:
    assert decide(workspace, ["1.200", "800"], stated="1.234,56")[1] == [1200, 800]
    assert decide(workspace, ["1.200", "800"], stated="1,234.56")[1] == [1.2, 800]
    assert decide(workspace, ["1.5", "2,5", "1.200"], stated="1.234,56")[1] == [None, 2.5, 1200]


def test_a_round_number_beside_one_without_a_comma_has_its_thousands_grouped(workspace: Workspace) -> None:
    format_, numbers = decide(workspace, ["1,200", "800"])
    assert numbers == [1200, 800]
    assert format_.says == "shop.csv: 'Price' is read with commas between thousands."
    with pytest.raises(UnreadableSource, match="--numbers"):
        decide(workspace, ["1,200", "800"], semicolons=True)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["2.5", "1.250.000"], r"the dot is a decimal sign in '2.5' and groups thousands in '1.250.000'"),
        (["1,5", "1,234.50"], r"the comma is a decimal sign in '1,5' and groups thousands in '1,234.50'"),
        (["15.00", "15,00"], r"a decimal comma in '15,00' and a decimal point in '15.00'"),
        (["15.00", "16.00", "17.00", "15,00", "1.200"], r"a decimal comma in '15,00'"),
        (["0.5", "1.234,5", "2.500"], r"--numbers 'Price=1.234,56'"),
    ],
)
def test_a_contradiction_is_an_error_with_an_example_of_each(
    workspace: Workspace, values: list[str], said: str
) -> None:
    with pytest.raises(UnreadableSource, match=said):
        decide(workspace, values)


def test_one_slip_does_not_decide_for_many_values(workspace: Workspace) -> None:
    with pytest.raises(UnreadableSource, match="no value tells which"):
        decide(workspace, ["15.00", *(f"1.{hundreds}" for hundreds in range(100, 400))])


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("(12.50)", -12.5),
        ("12.50-", -12.5),
        ("+12.50", 12.5),
        ("\u221212.50", -12.5),
        ("- 12.50", -12.5),
        ("$(1,200.50)", -1200.5),
        ("($12.50)", -12.5),
        ("-$12.50", -12.5),
        ("$-12.50", -12.5),
        ("12.50- EUR", -12.5),
        ("12.50 EUR-", -12.5),
        ("₹1,23,456.00", 123_456),
        ("₹ 99.50", 99.5),
        ("US$ 12.50", 12.5),
        ("$12.50 USD", 12.5),
        ("15.00 EUR", 15),
        ("15.00eur", 15),
        ("CHF 1'200.50", 1200.5),
        ("CHF 1\u2019200.50", 1200.5),
        ("£12.50", 12.5),
        ("¥ 1,200.50", 1200.5),
        ("1.5E+03", 1500),
    ],
)
def test_signs_stand_where_they_do_in_exports(workspace: Workspace, written: str, number: float) -> None:
    assert read(workspace, written, "2.5") == [number, 2.5]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("R$ 1.234,56", 1234.56),
        ("EUR 15,00", 15),
        ("1\u00a0234,56 €", 1234.56),
        ("1\u202f234,56", 1234.56),
        ("1 234,50 zł", 1234.5),
        ("12,50 Kč", 12.5),
        ("kr. 15,50", 15.5),
        ("15,-", 15),
        ("15,\u2013 €", 15),
        ("15:-", 15),
        ("1'234,50", 1234.5),
        ("(1.234,50)", -1234.5),
        ("1.234,50-", -1234.5),
        ("١٢٫٥", 12.5),
    ],
)
def test_signs_stand_where_they_do_with_a_decimal_comma(workspace: Workspace, written: str, number: float) -> None:
    assert read(workspace, written, "2,5") == [number, 2.5]


@pytest.mark.parametrize(
    "written",
    ["15%", "1.2.3", "12/3", "(12.50", "12.50)", "--5", "1 20", "1,2,3", "PCS 5", "2 x", "inf", "€"],
)
def test_what_is_no_number_is_null(workspace: Workspace, written: str) -> None:
    assert read(workspace, written, "2.5") == [None, 2.5]


def test_whole_numbers_leave_the_format_open_and_never_hide_a_later_dot(workspace: Workspace) -> None:
    format_, _ = decide(workspace, ["5", "1000"])
    assert (format_.decimal, format_.example, format_.says) == ("", "1234", "")
    table = stored(workspace, ["1.200"])
    assert table.select(value=format_.value(table.written, table.written)).to_pyarrow()["value"].to_pylist() == [None]
    assert decide(workspace, ["2.5"], stated="1234")[1] == [2.5]


@pytest.mark.parametrize(
    "example", ["1,234.56", "1.234,56", "1 234,56", "1 234.56", "1'234.56", "1'234,56", "1234.56", "1234,56", "1234"]
)
def test_a_format_is_written_as_an_example_and_read_from_it(example: str) -> None:
    assert NumberFormat.parse(example).example == example


def test_other_numbers_show_a_format_as_well() -> None:
    assert NumberFormat.parse("2,5").decimal == ","
    assert NumberFormat.parse("1.250.000") == NumberFormat(",", ".")
    assert NumberFormat.parse("12\u00a0345,6") == NumberFormat(",", " ")


@pytest.mark.parametrize("example", ["1.234", "german", "", "1.2.3", "1,23.45,6", "12 34,5"])
def test_an_example_that_shows_no_format_is_an_error_with_ones_that_do(example: str) -> None:
    with pytest.raises(UnreadableSource, match=r"such as 1.234,56 or 1,234.56"):
        NumberFormat.parse(example)


def test_currencies_are_counted_by_their_codes(workspace: Workspace) -> None:
    cells = ["15.00 EUR", "€3", "-2,50 €", "$4", "$15.00 USD", "US$ 3", "kr 5", "4", "n/a", "5 Kč", "(R$ 7,00)"]
    assert number_format.currencies(stored(workspace, cells).written) == {
        "EUR": 3,
        "USD": 2,
        "$": 1,
        "BRL": 1,
        "CZK": 1,
        "kr": 1,
    }


def test_a_sign_of_several_currencies_stays_as_it_is() -> None:
    assert {sign for sign, code in CURRENCIES.items() if sign == code and len(code) != 3} == {"$", "kr", "¥", "Rs", "₨"}
    assert CURRENCIES["₹"] == "INR"


LOCALES = [
    NumberFormat(".", ","),
    NumberFormat(",", "."),
    NumberFormat(",", " "),
    NumberFormat(".", "'"),
    NumberFormat(".", ""),
    NumberFormat(",", ""),
]
SHAPES = ["{0}{1}", "{0}{1} EUR", "{0}€{1}", "CHF {0}{1}", "{1}{0}", "({1})", "R$ {0}{1}"]


@st.composite
def columns(draw: st.DrawFn) -> tuple[NumberFormat, list[str], list[float]]:
    """Amounts with as many decimals as one program writes, in one locale and with one way to write a minus."""
    locale, shape = draw(st.sampled_from(LOCALES)), draw(st.sampled_from(SHAPES))
    decimals = draw(st.sampled_from([0, 2, 3]))
    amounts = draw(st.lists(st.integers(-10_000_000, 10_000_000), min_size=1, max_size=8))
    written, numbers = [], []
    for amount in amounts:
        number = Decimal(amount).scaleb(-decimals)
        plain = f"{abs(number):,.{decimals}f}"
        signed = plain.translate({ord(","): locale.grouping, ord("."): locale.decimal})
        minus = number < 0 or (shape == "({1})" and number == 0)
        positive = shape == "({1})" and not minus
        written.append(signed if positive else shape.format("-" if minus else "", signed))
        numbers.append(float(number))
    return locale, written, numbers


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(column=columns(), separated=st.booleans())
def test_numbers_written_in_any_locale_read_back_exactly_or_are_asked_about(
    workspace: Workspace, column: tuple[NumberFormat, list[str], list[float]], separated: bool
) -> None:
    locale, written, numbers = column
    assert decide(workspace, written, stated=locale.example)[1] == numbers
    # Where nothing proves the format it is asked for: right or a question, and nothing else.
    with suppress(UnreadableSource):
        assert decide(workspace, written, semicolons=separated)[1] == numbers
