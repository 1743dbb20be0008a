"""Small exports that are easily read wrong: each gives the right value, or the right question."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from training.errors import UnreadableSource
from training.inspection import Inspection, inspect
from training.reading.options import NO_OPTIONS, ReadOptions

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Right:
    """What a case comes to: purchase lines, customers with a purchase, orders, value bought, value returned."""

    lines: int
    customers: int
    orders: int
    bought: float
    returned: float = 0.0
    removed: Mapping[str, int] = field(default_factory=dict)


RIGHT: Mapping[str, tuple[str, Right]] = {
    name: (file, right)
    for name, file, right in (
        ("amounts that count units", "amount_is_quantity.csv", Right(4, 3, 4, 482.0)),
        ("e-mail addresses and white space", "customer_split.csv", Right(6, 2, 6, 150.0)),
        ("an event log", "event_log.csv", Right(1, 1, 1, 100.0, removed={"status": 4})),
        ("sizes that look like fees", "implausible_cleaning.csv", Right(5, 3, 5, 150.0)),
        ("order numbers with letters", "invoice_prefix.csv", Right(5, 3, 5, 200.0)),
        ("a line total called price", "item_price_is_line_total.txt", Right(3, 3, 3, 90.0, removed={"status": 1})),
        ("a list price and a discount", "list_price_and_discount.csv", Right(3, 3, 3, 200.0)),
        ("customers that begin with A or C", "made_up_invoice_letter.csv", Right(7, 4, 7, 235.0)),
        ("lines that end in CR, the last in CRLF", "mixed_line_ends.csv", Right(3, 3, 3, 50.0)),
        ("wrong years", "one_mistyped_year.csv", Right(4, 3, 4, 61.0)),
        ("titles above and totals below", "preamble_and_total.csv", Right(2, 2, 2, 30.0)),
        ("quantities with a longer name", "quantity_name_unknown.csv", Right(3, 3, 3, 555.0)),
        ("refunds as negative amounts", "refund_as_negative_amount.csv", Right(4, 3, 4, 245.0, 140.0)),
        ("orders of Shopify", "shopify_first_line.csv", Right(4, 2, 3, 100.0, removed={"status": 3})),
        ("a column of statuses", "status_column.csv", Right(2, 2, 2, 70.0, removed={"status": 4})),
        ("a row for each unit", "units_as_lines.csv", Right(5, 2, 3, 60.0, removed={"status": 1})),
        ("payments with refunds", "more_amount_refunds.csv", Right(200, 100, 200, 18_000.0, 8_000.0)),
        ("a row for each unit scanned", "more_pos_rows.csv", Right(800, 100, 200, 1_200.0)),
        ("sizes", "more_sizes.csv", Right(100, 100, 100, 2_500.0)),
        ("a date in the year 9999", "more_sentinel_9999.csv", Right(120, 60, 120, 600.0)),
        ("CR line ends", "more_cr_only.csv", Right(300, 70, 300, 1_500.0)),
        ("CRLF, then LF", "more_mixed_half.csv", Right(300, 70, 300, 1_500.0)),
        ("no line end at the end", "more_no_final_nl.csv", Right(300, 70, 300, 1_500.0)),
        ("NUL bytes", "more_nul.csv", Right(300, 70, 300, 1_500.0)),
        ("a line that names the delimiter", "more_sepline.csv", Right(300, 70, 300, 1_500.0)),
        ("title lines", "more_title_lines.csv", Right(300, 70, 300, 1_500.0)),
        ("a total row", "more_total_row.csv", Right(300, 70, 300, 1_500.0)),
        ("blank lines at the end", "more_trailing_blank.csv", Right(300, 70, 300, 1_500.0)),
        ("UTF-16", "more_utf16.csv", Right(300, 70, 300, 1_500.0)),
    )
}
OPTIONS: Mapping[str, ReadOptions] = {
    "amount_is_quantity.csv": ReadOptions(columns={"quantity": "AMOUNT", "amount": "SALES_PRICE"}),
}
QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "amount_is_quantity.csv": ("AMOUNT", "SALES_PRICE", "--column"),
    "grouping_dots.csv": ("1.200", "--numbers"),
    "scientific_ids.csv": ("6.21E+12", "spreadsheet"),
    "more_excel_ids.csv": ("1.2857", "spreadsheet"),
}


def inspected(file: str, options: ReadOptions = NO_OPTIONS) -> Inspection:
    return inspect([str(CASES / file)], options)


@pytest.mark.parametrize(("file", "right"), RIGHT.values(), ids=RIGHT)
def test_a_case_comes_to_its_right_value(file: str, right: Right) -> None:
    found = inspected(file, OPTIONS.get(file, ReadOptions())).cleaning
    assert (found.purchases, found.customers, found.orders) == (right.lines, right.customers, right.orders)
    assert math.isclose(found.purchase_revenue, right.bought, abs_tol=0.005)
    assert math.isclose(found.returned_value, right.returned, abs_tol=0.005)
    removed = {rule.rule: rule.removed for rule in found.rules if rule.removed}
    assert right.removed.items() <= removed.items()


@pytest.mark.parametrize("file", QUESTIONS)
def test_a_case_that_leaves_something_open_is_asked_about(file: str) -> None:
    with pytest.raises(UnreadableSource) as refused:
        inspected(file)
    for words in QUESTIONS[file]:
        assert words in str(refused.value)


def test_an_answer_to_the_question_about_dots_settles_it() -> None:
    stated = ReadOptions(numbers={"quantity": "1.234,56", "price": "1.234,56"})
    assert inspected("grouping_dots.csv", stated).cleaning.purchase_revenue == 251_750_000.0
