"""One purchase history, written as shops write it, comes to the same figures, or to a question."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.customer.conventions import Conventions
from training.errors import UnreadableSource
from training.inspection import Inspection, inspect
from training.reading.options import NO_OPTIONS, ReadOptions
from training.reading.plan import load_plan, save_plan

START = datetime(2024, 1, 3, 10, 30, tzinfo=UTC)
SHOWN = Mapping[str, str]
Cells: TypeAlias = Sequence[str]


@dataclass(frozen=True)
class Sale:
    """A line of an order: `cents` is the price of one; a negative quantity is a return."""

    order: int
    customer: str
    day: int
    product: str
    quantity: int
    cents: int


@dataclass(frozen=True)
class Locale:
    """How a shop writes numbers and days."""

    number: Callable[[float], str]
    day: Callable[[datetime], str]
    delimiter: str


def _german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


LOCALES: Mapping[str, Locale] = {
    "ISO": Locale(lambda value: f"{value:.2f}", lambda at: at.strftime("%Y-%m-%d %H:%M:%S"), ","),
    "German": Locale(_german, lambda at: at.strftime("%d.%m.%Y %H:%M"), ";"),
    "American": Locale(lambda value: f"${value:,.2f}", lambda at: at.strftime("%m/%d/%Y %I:%M %p"), ","),
    "Swiss": Locale(lambda value: f"CHF {value:,.2f}".replace(",", "'"), lambda at: at.strftime("%d.%m.%Y"), "\t"),
}


def shopify(sales: Sequence[Sale], place: Locale) -> tuple[Cells, list[Cells]]:
    header = (
        "Name", "Email", "Financial Status", "Created at", "Currency", "Subtotal", "Shipping", "Total",
        "Lineitem quantity", "Lineitem name", "Lineitem price", "Lineitem sku", "Cancelled at",
    )  # fmt: skip
    rows: list[Cells] = []
    last = None
    for sale in sales:
        first = sale.order != last
        last = sale.order
        status = "paid" if first else ""
        total = place.number(1.0) if first else ""
        rows.append((
            f"#{sale.order}", f"{sale.customer}@shop.example", status, place.day(_at(sale)), "EUR" if first else "",
            total, total, total, str(sale.quantity), sale.product, place.number(sale.cents / 100), sale.product, "",
        ))  # fmt: skip
    return header, rows


def line_totals(sales: Sequence[Sale], place: Locale) -> tuple[Cells, list[Cells]]:
    """A till system: an amount for each line, negative on returns, the quantity always positive."""
    header = ("Receipt No", "Customer Number", "Sale Date", "SKU", "Qty", "Line Total")
    return header, [
        (str(sale.order), sale.customer, place.day(_at(sale)), sale.product, str(abs(sale.quantity)),
         place.number(sale.quantity * sale.cents / 100))
        for sale in sales
    ]  # fmt: skip


def unit_prices(sales: Sequence[Sale], place: Locale) -> tuple[Cells, list[Cells]]:
    """A web shop: a price for one unit, a negative quantity on returns, a column of statuses."""
    header = ("order_id", "customer_id", "order_date", "sku", "quantity", "unit_price", "order_status")
    return header, [
        (str(sale.order), sale.customer, place.day(_at(sale)), sale.product, str(sale.quantity),
         place.number(sale.cents / 100), "completed")
        for sale in sales
    ]  # fmt: skip


def both(sales: Sequence[Sale], place: Locale) -> tuple[Cells, list[Cells]]:
    """A price for one unit beside the total of the line."""
    header = ("Rechnungsnummer", "Kundennummer", "Datum", "Artikelnummer", "Menge", "Einzelpreis", "Gesamtpreis")
    return header, [
        (str(sale.order), sale.customer, place.day(_at(sale)), sale.product, str(sale.quantity),
         place.number(sale.cents / 100), place.number(sale.quantity * sale.cents / 100))
        for sale in sales
    ]  # fmt: skip


LAYOUTS = {"Shopify": shopify, "line totals": line_totals, "unit prices": unit_prices, "both": both}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252")
LINE_ENDS = ("\n", "\r\n", "\r")


def _at(sale: Sale) -> datetime:
    return START + timedelta(days=sale.day)


@st.composite
def histories(draw: st.DrawFn) -> list[Sale]:
    """Orders of a few customers over two years; some lines come back later, in part."""
    sales: list[Sale] = []
    count = draw(st.integers(4, 12))
    for order in range(1, count + 1):
        customer = draw(st.sampled_from(["ada", "bob", "Cem", "A17", "C42"]))
        day = order * 29 + draw(st.integers(0, 20))
        products = st.lists(st.sampled_from(["MUG", "PLT", "TEA-2", "S", "M"]), min_size=1, max_size=3, unique=True)
        for product in draw(products):
            quantity, cents = draw(st.integers(2, 40)), draw(st.integers(101, 250_000))
            sales.append(Sale(1000 + order, customer, day, product, quantity, cents))
    returned = draw(st.lists(st.sampled_from(sales), max_size=2, unique=True))
    comes_back = [
        Sale(2000 + index, sale.customer, sale.day + 3, sale.product, -1, sale.cents)
        for index, sale in enumerate(returned)
    ]
    return sales + comes_back


def written(file: Path, table: tuple[Cells, list[Cells]], delimiter: str, encoding: str, end: str) -> Path:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerow(table[0])
    writer.writerows(table[1])
    file.write_bytes(text.getvalue().encode(encoding))
    return file


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    histories(), st.sampled_from(sorted(LAYOUTS)), st.sampled_from(sorted(LOCALES)), st.sampled_from(ENCODINGS),
    st.sampled_from(LINE_ENDS),
)  # fmt: skip
def test_a_history_comes_to_the_same_figures_however_it_is_written(
    tmp_path: Path, sales: list[Sale], layout: str, locale: str, encoding: str, end: str
) -> None:
    place = LOCALES[locale]
    file = written(tmp_path / "shop.csv", LAYOUTS[layout](sales, place), place.delimiter, encoding, end)
    question = None
    try:
        found = inspect([str(file)]).cleaning
    except UnreadableSource as error:
        question = str(error)
    if question is not None:
        assert "--" in question  # it names the option that decides
        return
    bought = [sale for sale in sales if sale.quantity > 0]
    assert found.customers == len({sale.customer for sale in bought})
    assert found.orders == len({sale.order for sale in bought})
    assert math.isclose(found.purchase_revenue, sum(sale.quantity * sale.cents for sale in bought) / 100, abs_tol=0.005)
    returned = sum(-sale.quantity * sale.cents for sale in sales if sale.quantity < 0) / 100
    assert math.isclose(found.returned_value, returned, abs_tol=0.005)


# Options that decide -------------------------------------------------------------------------------


def inspected(tmp_path: Path, text: str, options: ReadOptions = NO_OPTIONS) -> Inspection:
    file = tmp_path / "shop.csv"
    file.write_text(text, encoding="utf-8")
    return inspect([str(file)], options)


def asks(tmp_path: Path, text: str, *words: str, options: ReadOptions = NO_OPTIONS) -> None:
    with pytest.raises(UnreadableSource) as question:
        inspected(tmp_path, text, options)
    for word in words:
        assert word in str(question.value)


STATUSES = "customer,date,amount,status\n" + "".join(
    f"c{n % 4},2024-0{n % 9 + 1}-11,10.00,{status}\n" for n, status in enumerate(["paid", "boxed", "paid", "lost?"] * 5)
)


def test_statuses_that_are_not_known_are_asked_about(tmp_path: Path) -> None:
    asks(tmp_path, STATUSES, "'boxed' (5 rows)", "'lost?' (5 rows)", "--status-keep")


def test_the_statuses_of_purchases_can_be_stated(tmp_path: Path) -> None:
    found = inspected(tmp_path, STATUSES, ReadOptions(status_keep=("paid", "Boxed")))
    assert found.cleaning.purchases == 15
    asks(tmp_path, STATUSES, "'sent'", options=ReadOptions(status_keep=("paid", "sent")))


def test_no_column_of_statuses_can_be_stated(tmp_path: Path) -> None:
    assert inspected(tmp_path, STATUSES, ReadOptions(columns={"status": ""})).cleaning.purchases == 20


CURRENCIES = "customer,date,amount,currency\n" + "".join(
    f"c{n % 4},2024-0{n % 9 + 1}-11,10.00,{code}\n" for n, code in enumerate(["EUR", "usd", "EUR", "EUR"] * 5)
)


def test_several_currencies_are_asked_about_with_counts_and_sums(tmp_path: Path) -> None:
    asks(tmp_path, CURRENCIES, "EUR: 15 rows, 150.00", "USD: 5 rows, 50.00", "--currency EUR", "--rates")


def test_one_currency_can_be_taken(tmp_path: Path) -> None:
    found = inspected(tmp_path, CURRENCIES, ReadOptions(currency="eur"))
    assert (found.cleaning.purchase_revenue, found.plan.currency) == (150.0, "EUR")
    asks(tmp_path, CURRENCIES, "'EUR', 'USD'", options=ReadOptions(currency="GBP"))


def test_currencies_are_converted_by_rates(tmp_path: Path) -> None:
    rates = tmp_path / "rates.csv"
    rates.write_text("currency,rate\nEUR,1\nUSD,0.5\n")
    found = inspected(tmp_path, CURRENCIES, ReadOptions(rates=rates))
    assert (found.cleaning.purchase_revenue, found.plan.currency) == (175.0, "EUR")
    rates.write_text("currency,rate\nEUR,1\n")
    asks(tmp_path, CURRENCIES, "no rate for 'USD'", options=ReadOptions(rates=rates))
    rates.write_text("code;worth\n")
    asks(tmp_path, CURRENCIES, "columns currency and rate", options=ReadOptions(rates=rates))


def test_one_currency_needs_no_option_and_is_stored(tmp_path: Path) -> None:
    assert inspected(tmp_path, CURRENCIES.replace("usd", "EUR")).plan.currency == "EUR"


# Amounts of whole orders ---------------------------------------------------------------------------


def order_lines(*extra: str) -> str:
    """Five orders of two lines worth 20 and 10 each; `extra` are further columns on each order's first row."""
    names = ",".join(one.split("=")[0] for one in extra)
    first = ",".join(one.split("=")[1] for one in extra)
    rows = ["order_id,customer_id,order_date,sku,quantity,price," + names]
    for order in range(1, 6):
        rows.append(f"{order},c{order % 2},2024-0{order}-11,MUG,2,10.00,{first}")
        rows.append(f"{order},c{order % 2},2024-0{order}-11,PLT,1,10.00,{',' * (len(extra) - 1)}")
    return "\n".join(rows) + "\n"


def test_a_discount_on_an_order_is_taken_off_its_lines(tmp_path: Path) -> None:
    found = inspected(tmp_path, order_lines("Discount Amount=3.00"))
    assert (found.cleaning.purchase_revenue, found.cleaning.purchases) == (135.0, 10)


def test_an_amount_paid_back_in_part_lowers_the_order(tmp_path: Path) -> None:
    found = inspected(tmp_path, order_lines("Refunded Amount=6.00"))
    assert (found.cleaning.purchase_revenue, found.cleaning.orders) == (120.0, 5)


def test_an_order_paid_back_whole_is_no_purchase(tmp_path: Path) -> None:
    first = "1,c1,2024-01-11,MUG,2,10.00,"
    text = order_lines("Refunded Amount=0.00").replace(f"{first}0.00", f"{first}34.90")
    found = inspected(tmp_path, text).cleaning
    assert (found.purchase_revenue, found.orders) == (120.0, 4)
    assert next(rule.removed for rule in found.rules if rule.rule == "status") == 2


def test_the_total_of_an_order_counts_once(tmp_path: Path) -> None:
    text = "order_id,customer_id,order_date,sku,order_total\n" + "".join(
        f"{order},c{order % 2},2024-0{order}-11,{sku},{30 if order % 2 else 50}.00\n"
        for order in range(1, 6)
        for sku in ("A", "B", "C")
    )
    found = inspected(tmp_path, text).cleaning
    assert (found.purchase_revenue, found.orders) == (190.0, 5)


# Saved plans ---------------------------------------------------------------------------------------


def test_a_saved_plan_reads_the_same_again(tmp_path: Path) -> None:
    cases = Path(__file__).parent / "cases"
    for case in ("shopify_first_line.csv", "item_price_is_line_total.txt", "units_as_lines.csv", "event_log.csv"):
        first = inspect([str(cases / case)])
        save_plan(first.plan, tmp_path / "plan.json")
        again = inspect([str(cases / case)], ReadOptions(plan=load_plan(tmp_path / "plan.json")))
        assert again.cleaning == first.cleaning
        assert again.plan.columns == first.plan.columns


def test_an_edited_plan_is_obeyed(tmp_path: Path) -> None:
    found = inspected(tmp_path, "customer,date,amount,net\nc1,2024-01-05,10,10\nc2,2024-01-06,20,20\n")
    file = tmp_path / "plan.json"
    save_plan(found.plan, file)
    edited = json.loads(file.read_text())
    edited["columns"]["amount"] = ["net"]
    file.write_text(json.dumps(edited))
    options = ReadOptions(plan=load_plan(file))
    assert (
        inspected(tmp_path, "customer,date,amount,net\nc1,2024-01-05,10,8\n", options).cleaning.purchase_revenue == 8.0
    )


def test_a_plan_that_is_none_says_where(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text('{"columns": {"amount": "net"}}')
    with pytest.raises(UnreadableSource, match=r"columns\.amount: .*--save-plan"):
        load_plan(file)
    with pytest.raises(UnreadableSource, match="cannot be read"):
        load_plan(tmp_path / "none.json")


def test_a_plan_holds_the_conventions_that_were_found(tmp_path: Path) -> None:
    rows = [f"{n},c{n % 3},2024-0{n % 9 + 1}-11,MUG,{n},5.00" for n in range(1, 20)]
    rows += [f"C{n + 90},c{n % 3},2024-0{n % 9 + 1}-12,MUG,-{n},5.00" for n in range(1, 4)]
    text = "\n".join(["order_id,customer_id,order_date,sku,quantity,price", *rows])
    assert inspected(tmp_path, text).plan.conventions == Conventions(
        cancellation_prefixes=("C",), duplicates=True,
        placeholders=inspected(tmp_path, text).plan.conventions.placeholders,  # type: ignore[union-attr]  # there is one
    )  # fmt: skip


# What cannot be told -------------------------------------------------------------------------------


@pytest.mark.parametrize("written_id", ["6.21E+12", "1.28570447365089E+18", "5E+15", "9.9e+20", "1,2E+7"])
def test_ids_that_a_spreadsheet_rounded_are_refused(tmp_path: Path, written_id: str) -> None:
    text = f'customer,date,amount\n"{written_id}",2024-01-05,10\nc2,2024-01-06,20\n'
    asks(tmp_path, text, "a spreadsheet rounded them", "row 1")


@pytest.mark.parametrize("column", ["order_id", "sku"])
def test_rounded_order_numbers_and_product_codes_are_refused(tmp_path: Path, column: str) -> None:
    text = f"customer,date,amount,{column}\nc1,2024-01-05,10,4.71E+12\nc2,2024-01-06,20,4.72E+12\n"
    asks(tmp_path, text, f"'{column}'", "a spreadsheet rounded them")


def test_a_question_in_one_sheet_is_not_passed_over_because_another_can_be_read(tmp_path: Path) -> None:
    good, open_ = tmp_path / "a.csv", tmp_path / "b.csv"
    good.write_text("customer,date,amount\nc1,2024-01-05,10\n")
    open_.write_text("customer,date,amount,total\nc1,2024-01-05,10,7\n")
    with pytest.raises(UnreadableSource, match="all look like what a line cost"):
        inspect([str(good), str(open_)])


def test_a_plan_whose_columns_are_not_there_is_refused_unless_it_need_not_fit(tmp_path: Path) -> None:
    plan = inspected(tmp_path, "customer,date,amount\nc1,2024-01-05,10\n").plan
    other = "client,day,total\nc1,2024-01-05,10\n"
    asks(tmp_path, other, "no column 'date'", "--column at=NAME", options=ReadOptions(plan=plan))
    found = inspected(tmp_path, other, ReadOptions(plan=plan, plan_must_fit=False))
    assert found.plan.columns["customer"] == ("client",)


@pytest.mark.parametrize(
    "mixed", [("€5.00", "$5.00"), ("5,00 EUR", "5,00 CHF"), ("£5", "€5"), ("R$ 5", "₹5"), ("5 kr", "5 €")]
)
def test_several_currencies_in_the_cells_are_an_error(tmp_path: Path, mixed: tuple[str, str]) -> None:
    rows = "".join(f'c{n},2024-01-{n + 10},"{mixed[n % 2]}"\n' for n in range(6))
    asks(tmp_path, f"customer,date,amount\n{rows}", "which cannot be added up", "--currency")


def test_one_currency_in_the_cells_is_that_of_the_plan(tmp_path: Path) -> None:
    rows = "".join(f"c{n},2024-01-{n + 10},€{n + 1}.50\n" for n in range(6))
    found = inspected(tmp_path, f"customer,date,amount\n{rows}")
    assert (found.plan.currency, found.cleaning.purchase_revenue) == ("EUR", 24.0)
