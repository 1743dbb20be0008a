"""The conventions of a shop, decided from its lines: proved, told to mean nothing, or asked about."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from models.customer.conventions import FORMER_CONVENTIONS
from models.evidence import CleaningReport
from training.cleaning_report import cleaning_report
from training.errors import UnreadableSource
from training.preparation.conventions import FORCIBLE
from training.preparation.prepare import Prepared, prepare
from training.reading.options import NO_OPTIONS, ReadOptions
from training.summaries import summarise
from training.workspace import Workspace

NOW = datetime(2026, 6, 1, tzinfo=UTC)
COLUMNS = ("order_id", "customer_id", "order_date", "sku", "quantity", "price")
Row = tuple[object, ...]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as opened:
        yield opened


class Shop:
    """Writes a shop's rows to a file and prepares them."""

    def __init__(self, folder: Path, workspace: Workspace) -> None:
        self.file = folder / "shop.csv"
        self.workspace = workspace

    def prepared(
        self, rows: Sequence[Row], columns: Sequence[str] = COLUMNS, rules: Mapping[str, bool] | None = None
    ) -> Prepared:
        lines = [",".join(map(str, row)) for row in (columns, *rows)]
        self.file.write_text("\n".join(lines) + "\n", "utf-8")
        return prepare([str(self.file)], self.workspace, ReadOptions(rules=rules or {}), now=NOW)

    def report(self, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> CleaningReport:
        cleaned = self.prepared(rows, columns).cleaned
        return cleaning_report(cleaned, summarise(cleaned).summaries)


@pytest.fixture
def shop(tmp_path: Path, workspace: Workspace) -> Shop:
    return Shop(tmp_path, workspace)


def day(number: int) -> str:
    return (date(2025, 1, 1) + timedelta(days=number)).isoformat()


def orders(count: int, first: int = 1000, sku: str = "MUG") -> list[Row]:
    return [(first + n, f"c{n % 7}", day(n % 200), f"{sku}{n % 9}", 1 + n % 3, 10 + n % 9) for n in range(count)]


# Letters before invoice numbers -------------------------------------------------------------------


def cancelled(rows: Sequence[Row], letter: str = "C", sign: int = -1, numbered: int = 9000) -> list[Row]:
    """The same purchases on invoices with the letter, two days later."""
    found: list[Row] = []
    for n, (_, customer, at, sku, quantity, price) in enumerate(rows):
        later = (date.fromisoformat(str(at)) + timedelta(days=2)).isoformat()
        found.append((f"{letter}{numbered + n}", customer, later, sku, sign * int(str(quantity)), price))
    return found


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_letter_whose_lines_undo_purchases_marks_cancellations(shop: Shop, sign: int) -> None:
    rows = [(n, f"c{n}", day(n), f"P{n}", 1, 10 + n) for n in range(60)]
    prepared = shop.prepared([*rows, *cancelled(rows[:12], sign=sign)])
    assert prepared.conventions.cancellation_prefixes == ("C",)
    assert any("12 invoices of C and digits" in sentence for sentence in prepared.evidence)


@pytest.mark.parametrize(
    "numbers",
    [
        ["CA-1001", "CA-1002", "AU-1003", "US-1004", "CO-1005"],  # a country and a dash
        ["C1001", "C1002", "C1003", "C1004", "C1005"],  # every invoice
        ["C1001", "C1002", "C1003", "1004", "1005"],  # most invoices
        ["C1001", "CA1002", "CB1003", "CC1004", "CD1005"],  # others begin with it too
        ["C1001", "1002", "1003", "1004", "1005"],  # bought as anything else
        ["A1001", "A1002", "1003", "1004", "1005"],
        ["A-1", "B-2", "C-3", "C-4", "A-5"],
        ["c1", "2", "3", "4", "5"],
    ],
)
def test_a_letter_that_does_not_behave_so_tells_nothing(shop: Shop, numbers: list[str]) -> None:
    rows = [(number, f"c{n % 3}", day(n), "MUG", n + 1, 10) for n, number in enumerate(numbers)]
    prepared = shop.prepared(rows)
    assert prepared.conventions.cancellation_prefixes == prepared.conventions.adjustment_prefixes == ()
    assert cleaning_report(prepared.cleaned, summarise(prepared.cleaned).summaries).revenue == 150


def test_customers_who_buy_the_same_again_make_no_cancellations_of_a_channel(shop: Shop) -> None:
    rows = [(f"{'C' if n % 4 == 0 else ''}{n}", f"c{n % 3}", day(n), "MILK", 1, 2) for n in range(100)]
    report = shop.report(rows)
    assert (report.purchases, report.revenue) == (100, 200)


def test_letters_of_which_some_lines_repeat_earlier_ones_are_asked_about(shop: Shop) -> None:
    rows = [(n, f"c{n}", day(n), f"P{n}", 1, 10 + n) for n in range(60)]
    marked = [*cancelled(rows[:3], sign=1), *[(f"C{n}", f"c{n}", day(n), f"X{n}", 1, 5) for n in range(10)]]
    with pytest.raises(UnreadableSource, match=r"23% of the others repeat.*--rules cancellation or --rules no-canc"):
        shop.prepared([*rows, *marked])


def test_letters_of_which_some_are_returns_and_some_sales_are_asked_about(shop: Shop) -> None:
    marked = [*cancelled(orders(5)), *orders(5, first=9500)]
    mixed = [(f"C{9000 + n}", *row[1:]) for n, row in enumerate(marked)]
    with pytest.raises(UnreadableSource, match=r"10 invoices of C and digits, such as C9000.*5 of their 10 lines"):
        shop.prepared([*orders(80), *mixed])
    forced = shop.prepared([*orders(80), *mixed], rules={"cancellation": True})
    assert forced.conventions.cancellation_prefixes == ("C",)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("A7", "", day(3), "B", 1, -900), ("A8", "", day(3), "B", 1, 0)], True),
        ([("A7", "c1", day(3), "B", 1, 900)], True),
        ([("A7", "c1", day(3), "MUG1", 1, 10)], False),
        ([(f"A{n}", "c1", day(3), "B", 1, 900) for n in range(9)], False),  # too many
        ([("AB7", "c1", day(3), "B", 1, 900)], False),
    ],
)
def test_the_letter_of_book_keeping_entries_is_found_by_what_is_on_them(
    shop: Shop, rows: list[Row], told: bool
) -> None:
    assert shop.prepared([*orders(80), *rows]).conventions.adjustment_prefixes == (("A",) if told else ())


# Product codes ------------------------------------------------------------------------------------

DESCRIBED = ("order_id", "customer_id", "order_date", "sku", "description", "quantity", "price")


def described(count: int) -> list[Row]:
    return [(n, f"c{n % 7}", day(n), f"P{n % 9}", f"THING {n % 9}", 1, 10 + n % 9) for n in range(count)]


def beside(code: str, text: str, price: float = 5, count: int = 3, quantity: int = 1) -> list[Row]:
    return [(n, f"c{n % 7}", day(n), code, text, quantity, price + n) for n in range(count)]


@pytest.mark.parametrize(
    ("code", "text", "counts"),
    [
        ("POST", "POSTAGE", False), ("M", "Manual", False), ("B", "Adjust bad debt", False), ("C2", "CARRIAGE", False),
        ("BANK CHARGES", "", False), ("SHIP-1", "Versandkosten", False), ("X9", "Frais de port", False),
        ("TIP", "Tip", False), ("GC", "Gift card", False), ("shipping", "", False),
        ("gift_0001_20", "A gift voucher", False),
        ("POST", "Wooden post card rack", True), ("M", "T-shirt medium", True), ("S", "Small", True),
        ("D", "Door mat", True), ("PADS", "Knee pads", True), ("X9", "Shipping container lamp", True),
        ("DOT", "Dot lamp", True), ("M", "", True), ("C2", "", True),
    ],
)  # fmt: skip
def test_a_code_is_no_product_if_its_descriptions_say_so(shop: Shop, code: str, text: str, counts: bool) -> None:
    prepared = shop.prepared([*described(30), *beside(code, text)], DESCRIBED)
    assert prepared.conventions.is_non_product(code) is not counts


@pytest.mark.parametrize("sizes", [("L", "XL"), ("XS",), ("XXL",), ("2XL", "L"), ("xl",)])
def test_sizes_are_products(shop: Shop, sizes: Sequence[str]) -> None:
    rows = [(n, f"c{n}", day(n), ("S", "M", *sizes)[n % (2 + len(sizes))], 1, 5 + n / 7) for n in range(60)]
    assert shop.report(rows).purchases == 60


def test_prices_that_vary_with_every_line_speak_for_a_fee(shop: Shop) -> None:
    postage = [(1000 + n, f"c{n % 7}", day(n), "POST", 1, 5 + n / 9) for n in range(20)]
    assert shop.prepared([*orders(60), *postage]).conventions.is_non_product("POST")
    constant = [(1000 + n, f"c{n % 7}", day(n), "POST", 1, 5) for n in range(20)]
    assert not shop.prepared([*orders(60), *constant]).conventions.is_non_product("POST")


def test_several_proved_codes_prove_the_whole_list_but_what_the_shop_sells(shop: Shop) -> None:
    rows = [*described(30), *beside("POST", "POSTAGE"), *beside("M", "Manual"), *beside("B", "Adjust bad debt")]
    conventions = shop.prepared([*rows, *beside("PADS", "Knee pads")], DESCRIBED).conventions
    assert all(conventions.is_non_product(code) for code in ("AMAZONFEE", "DCGS0003", "S"))
    assert not conventions.is_non_product("PADS")


@pytest.mark.parametrize(
    ("code", "text", "quantity", "price"),
    [("D", "Discount", -1, 2), ("RABATT", "", -1, 2), ("X1", "Code promo", 1, -6), ("CPN", "Coupon WELCOME10", 1, -6),
     ("GS", "Gutschein", -1, 1), ("SUMMER-DISCOUNT", "", 1, -9)],
)  # fmt: skip
def test_negative_lines_that_are_called_discounts_lower_their_orders(
    shop: Shop, code: str, text: str, quantity: int, price: float
) -> None:
    prepared = shop.prepared([*described(30), *beside(code, text, price, quantity=quantity)], DESCRIBED)
    assert prepared.conventions.discount_codes == (code,)
    report = cleaning_report(prepared.cleaned, summarise(prepared.cleaned).summaries)
    off = sum(abs(price + n) for n in range(3))
    assert (report.orders, report.returns, report.revenue) == (30, 0, sum(10 + n % 9 for n in range(30)) - off)


@pytest.mark.parametrize(
    ("code", "text", "quantity"),
    [("D", "Discount", 1), ("DISCOVERY", "Discovery set", -1), ("X", "Undiscounted lamp", -1), ("MUG", "", -1)],
)
def test_other_lines_are_no_discounts(shop: Shop, code: str, text: str, quantity: int) -> None:
    rows = [*described(30), *beside(code, text, 2, quantity=quantity)]
    assert shop.prepared(rows, DESCRIBED).conventions.discount_codes == ()


# Equal lines --------------------------------------------------------------------------------------


def test_equal_lines_are_duplicates_where_a_line_tells_its_quantity(shop: Shop) -> None:
    assert shop.report([*orders(30), *orders(10)]).purchases == 30


def test_without_a_quantity_equal_lines_are_units(shop: Shop) -> None:
    columns = ("receipt_no", "customer_id", "date", "sku", "price")
    rows = [(n // 4, f"k{n // 8}", "2025-03-01 10:00:00", "MILK", 1.5) for n in range(80)]
    assert shop.report(rows, columns).revenue == 120


# Customers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["guest", "GUEST", "unknown", "-", "n/a", "Walk-in", "Laufkunde", "test@example.org"])
def test_words_that_stand_for_no_customer_are_none(shop: Shop, word: str) -> None:
    prepared = shop.prepared([*orders(30), (5000, word, day(3), "MUG1", 1, 10)])
    assert {rule.rule: rule.removed for rule in prepared.cleaned.rules}["no_customer"] == 1
    assert prepared.conventions.is_placeholder(word.lower())


def test_a_number_stands_for_no_customer_if_it_behaves_like_many(shop: Shop) -> None:
    many = [(5000 + n, "0", day(n % 200), "MUG1", 1, 10) for n in range(60)]
    prepared = shop.prepared([*orders(60), *many])
    assert prepared.conventions.is_placeholder("0")
    assert any("'0' (60 lines; 60 orders" in sentence for sentence in prepared.evidence)


@pytest.mark.parametrize("number", ["0", "1", "99", "999999", "x"])
def test_a_number_that_buys_as_others_do_is_a_customer(shop: Shop, number: str) -> None:
    prepared = shop.prepared([*orders(60), *((5000 + n, number, day(n), "MUG1", 1, 10) for n in range(5))])
    assert not prepared.conventions.is_placeholder(number)


@pytest.mark.parametrize("number", ["6.21E+12", "1.28570447365089E+18", "1.2857E+5", "9007199254740993.0", "5e+12"])
def test_rounded_ids_are_refused(shop: Shop, number: str) -> None:
    with pytest.raises(UnreadableSource, match=r"has 1 values such as .*: a spreadsheet rounded them"):
        shop.prepared([*orders(5), (5000, number, day(3), "MUG1", 1, 10)])


def test_ids_that_differ_by_case_only_are_counted_and_not_shown(shop: Shop) -> None:
    rows = [*orders(5), (7, "Kunde7", day(1), "MUG1", 1, 10), (8, "KUNDE7", day(1), "MUG1", 1, 10)]
    (sentence,) = [one for one in shop.prepared(rows).evidence if "by case only" in one]
    assert sentence.startswith("1 customer id differ")
    assert "unde7" not in sentence.lower()


def test_no_example_in_a_report_holds_a_customer(shop: Shop) -> None:
    columns = ("customer_id", "date", "price")
    rows = [("anna@example.org", day(1), 30), ("anna@example.org", day(2), 0), ("C1001", day(2), -5)]
    report = shop.report([*rows, ("A1", day(2), 10)], columns)
    text = report.model_dump_json()
    assert (report.customers, report.orders) == (2, 2)
    assert not any(word in text for word in ("anna", "C1001", "A1"))


# Dates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", ["2204-02-07", "1900-01-01", "9999-12-31", "1899-12-30", "1970-01-01", "0001-01-01", "2031-01-01"]
)
def test_one_wrong_date_decides_nothing(shop: Shop, wrong: str) -> None:
    prepared = shop.prepared([*orders(50), (1, "c1", wrong, "MUG1", 1, 10)])
    assert prepared.as_of == datetime(2025, 2, 20, tzinfo=UTC)
    (sentence,) = [one for one in prepared.evidence if "implausible dates" in one]
    assert f"{wrong} (1)" in sentence
    assert "row 51" in sentence
    removed = {rule.rule: rule.removed for rule in prepared.cleaned.rules}
    assert removed["implausible_date"] + removed["after_as_of"] == 1


def test_few_lines_long_before_or_after_all_others_are_left_out_and_many_are_not(shop: Shop) -> None:
    few = shop.prepared([*orders(150), (1, "c1", "2004-05-05", "MUG1", 1, 10)])
    assert few.conventions.earliest == datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    many = shop.prepared([*orders(150), *((n, "c1", "2004-05-05", "MUG1", 1, 10) for n in range(20))])
    assert many.conventions.earliest is None


def test_a_stand_in_date_among_others_of_its_time_is_a_date(shop: Shop) -> None:
    rows = [(n, "c1", f"1970-01-{n:02}", "MUG1", 1, 10) for n in range(1, 29)]
    assert shop.prepared(rows).conventions.earliest is None


def test_data_that_is_all_in_the_future_is_refused(shop: Shop) -> None:
    with pytest.raises(UnreadableSource, match="all dates are in the future"):
        shop.prepared([(1, "c1", "2091-01-01", "MUG1", 1, 10)])


def test_no_date_counts_as_implausible_if_the_rule_is_forbidden(shop: Shop) -> None:
    prepared = shop.prepared([*orders(50), (1, "c1", "1900-01-01", "MUG1", 1, 10)], rules={"date": False})
    assert prepared.conventions.earliest is None


# Forced rules -------------------------------------------------------------------------------------


def test_forced_rules_win_over_the_data(shop: Shop) -> None:
    forbidden = shop.prepared([*orders(30), *orders(10)], rules=dict.fromkeys(FORCIBLE, False)).conventions
    assert (forbidden.duplicates, forbidden.placeholders, forbidden.non_product_codes) == (False, (), ())
    forced = shop.prepared(orders(30), rules=dict.fromkeys(FORCIBLE, True)).conventions
    assert forced.cancellation_prefixes == ("C",)
    assert forced.non_product_codes == FORMER_CONVENTIONS.non_product_codes


def test_an_unknown_rule_is_an_error_that_lists_the_known_ones(shop: Shop) -> None:
    with pytest.raises(UnreadableSource, match=f"no such rule.*{', '.join(FORCIBLE)}"):
        shop.prepared(orders(5), rules={"cancelation": True})


# Real data ----------------------------------------------------------------------------------------


def test_the_conventions_of_the_real_shop_are_found(retail: str, workspace: Workspace) -> None:
    prepared = prepare([retail], workspace, NO_OPTIONS)
    found = prepared.conventions
    assert prepared.as_of == datetime(2011, 12, 10, tzinfo=UTC)
    assert (found.cancellation_prefixes, found.adjustment_prefixes, found.duplicates) == (("C",), ("A",), True)
    assert set(found.non_product_codes) == set(FORMER_CONVENTIONS.non_product_codes)
    assert found.non_product_prefixes == FORMER_CONVENTIONS.non_product_prefixes
    assert (found.discount_codes, found.earliest) == ((), None)
    assert len(prepared.evidence) == 3
