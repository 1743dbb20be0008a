"""What one customer's lines become by the conventions of the shop they are from."""

import pytest
from pydantic import ValidationError

from models.customer.conventions import FORMER_CONVENTIONS, Conventions
from models.fold import Folded, fold
from models.line import Line
from models.summary import Summary
from tests.shop import bought, day

LATER = day(365)
PLAIN = Conventions()
WITH_DISCOUNTS = Conventions(non_product_codes=("POST", "D"), discount_codes=("D", "VOUCHER"))


def summed(lines: list[Line], conventions: Conventions = PLAIN) -> Summary:
    summary = fold(lines, LATER, conventions).summary
    assert summary is not None
    return summary


@pytest.mark.parametrize(
    ("quantity", "price"), [(-2, 10.0), (2, -10.0), (-2, -10.0), (-1, 20.0), (1, -20.0), (-0.5, 40.0)]
)
def test_a_line_of_negative_sign_is_a_return_of_its_value(quantity: float, price: float) -> None:
    summary = summed([bought("1", "A", 10, 10.0), bought("2", "A", quantity, price, on=1)])
    assert (summary.bought, summary.returned, summary.orders, summary.lines) == (100, 20, 1, 1)


@pytest.mark.parametrize("sign", [(-6, 2.0), (6, -2.0), (-6, -2.0)])
def test_a_full_return_undoes_its_purchase_whichever_sign_it_has(sign: tuple[float, float]) -> None:
    lines = [bought("1", "A", 6, 2.0), bought("2", "A", *sign, on=1), bought("3", "E", on=2)]
    summary = summed(lines)
    assert (summary.orders, summary.revenue, summary.bought, summary.returned) == (1, 1, 13, 12)


@pytest.mark.parametrize(
    ("quantity", "price", "rule"),
    [(1, 0.0, "price_not_positive"), (0, 5.0, "quantity_not_positive"), (-1, 0.0, "price_not_positive"),
     (0, 0.0, "price_not_positive"), (0, -5.0, "quantity_not_positive")],
)  # fmt: skip
def test_a_line_worth_nothing_is_neither_a_purchase_nor_a_return(quantity: float, price: float, rule: str) -> None:
    folded = fold([bought("1", "A"), bought("2", "E", quantity, price)], LATER, PLAIN)
    assert folded.ignored == {rule: 1}
    assert folded.summary == summed([bought("1", "A")])


@pytest.mark.parametrize("invoice", ["CA-1001", "C", "C-7", "CH1", "C12 b", "C１２", "", "AU7", "c 9"])
def test_only_a_letter_before_digits_marks_a_cancellation(invoice: str) -> None:
    assert summed([bought(invoice, "A", 2)], FORMER_CONVENTIONS).orders == 1


@pytest.mark.parametrize("invoice", ["C1001", "c1001", "A1", "a0"])
def test_a_letter_means_nothing_in_a_shop_that_does_not_use_it(invoice: str) -> None:
    assert summed([bought(invoice, "A", 2)], PLAIN).revenue == 2
    assert fold([bought(invoice, "A", 2)], LATER, FORMER_CONVENTIONS).summary is None


@pytest.mark.parametrize("code", ["POST", "m", "S", "B", "D", "C2", "gift_0001_20"])
def test_a_code_stands_for_no_product_only_where_the_shop_uses_it_so(code: str) -> None:
    lines = [bought("1", "A"), bought("1", code)]
    assert summed(lines, PLAIN).products == 2
    assert fold(lines, LATER, FORMER_CONVENTIONS).ignored == {"non_product": 1}


def test_equal_lines_are_duplicates_only_where_the_shop_exports_lines_twice() -> None:
    assert summed([bought("1", "A")] * 3).units == 3
    assert summed([bought("1", "A")] * 3, Conventions(duplicates=True)).units == 1


STATUSES = Conventions(statuses={"paid": "purchase", "überfällig": "no_purchase", "refunded": "return"})


@pytest.mark.parametrize(
    ("status", "rule"), [("paid", None), ("PAID", None), (None, None), ("ÜBERFÄLLIG", "status"), ("unheard of", None)]
)
def test_a_status_tells_whether_something_was_bought(status: str | None, rule: str | None) -> None:
    folded = fold([bought("1", "A")._replace(status=status)], LATER, STATUSES)
    assert folded.ignored == ({} if rule is None else {rule: 1})


@pytest.mark.parametrize(("quantity", "price"), [(1, 3.0), (-1, 3.0), (1, -3.0)])
def test_what_the_status_says_was_returned_lowers_what_was_bought(quantity: float, price: float) -> None:
    lines = [bought("1", "A", 5), bought("2", "E", quantity, price, on=1)._replace(status="Refunded")]
    assert (summed(lines, STATUSES).bought, summed(lines, STATUSES).returned) == (5, 3)


def test_a_book_keeping_entry_is_no_return_whatever_its_status() -> None:
    conventions = Conventions(adjustment_prefixes=("A",), statuses={"refunded": "return"})
    lines = [bought("1", "A"), bought("A6", "E", -1, 3.0)._replace(status="refunded")]
    assert fold(lines, LATER, conventions).ignored == {"adjustment": 1}


def test_lines_before_the_earliest_plausible_date_are_left_out() -> None:
    folded = fold([bought("1", "A", on=-40_000), bought("2", "A", on=5)], LATER, Conventions(earliest=day(0)))
    assert folded.ignored == {"implausible_date": 1}
    assert folded.summary is not None
    assert folded.summary.first_at == day(5)


def money(folded: Folded) -> tuple[float, float, float, int]:
    assert folded.summary is not None
    one = folded.summary
    return one.revenue, one.bought, one.returned, one.orders


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([bought("1", "A", 10, 10.0), bought("1", "D", -1, 15.0)], (85, 85, 0, 1)),
        ([bought("1", "A", 10, 10.0), bought("1", "d", 1, -15.0)], (85, 85, 0, 1)),
        ([bought("1", "A", 10, 10.0), bought("1", "VOUCHER", 1, -150.0)], (0, 0, 0, 1)),
        ([bought("1", "A"), bought("2", "D", -1, 15.0)], (1, 1, 15, 1)),
        ([bought("1", "A", 1, 60.0), bought("1", "E", 1, 40.0), bought("1", "D", -1, 10.0)], (90, 90, 0, 1)),
        ([bought(None, "A", 1, 60.0), bought(None, "D", -1, 10.0)], (50, 50, 0, 1)),
        ([bought(None, "A", 1, 60.0), bought(None, "D", -1, 10.0, on=1)], (60, 60, 10, 1)),
    ],
)
def test_a_discount_lowers_the_purchases_of_its_order(lines: list[Line], expected: tuple[float, ...]) -> None:
    folded = fold(lines, LATER, WITH_DISCOUNTS)
    assert money(folded) == expected
    assert "D" not in folded.bought


def test_a_cancelled_line_of_a_discounted_order_leaves_the_rest_its_share_of_the_discount() -> None:
    lines = [bought("1", "A", 1, 60.0), bought("1", "E", 1, 40.0), bought("1", "D", -1, 10.0)]
    lines.append(bought("2", "E", -1, 40.0, on=1))
    assert money(fold(lines, LATER, WITH_DISCOUNTS)) == (54, 94, 40, 1)


@pytest.mark.parametrize("invoice", ["C1", "c1"])
def test_a_discount_on_a_cancellation_is_no_product(invoice: str) -> None:
    conventions = Conventions(cancellation_prefixes=("C",), discount_codes=("D",))
    assert fold([bought("1", "A"), bought(invoice, "D", -1, 5.0)], LATER, conventions).ignored == {"non_product": 1}


def test_a_positive_line_of_a_discount_code_is_no_product() -> None:
    assert fold([bought("1", "A"), bought("1", "VOUCHER")], LATER, WITH_DISCOUNTS).ignored == {"non_product": 1}


@pytest.mark.parametrize(("customer", "told"), [("guest", True), ("GUEST", True), ("0", True), ("guest1", False)])
def test_placeholders_are_compared_without_regard_to_case(customer: str, told: bool) -> None:
    assert Conventions(placeholders=("guest", "0")).is_placeholder(customer) is told
    assert not PLAIN.is_placeholder(customer)


@pytest.mark.parametrize("prefix", ["c", "CC", "", "1"])
def test_a_prefix_of_invoice_numbers_is_one_capital_letter(prefix: str) -> None:
    with pytest.raises(ValidationError):
        Conventions(cancellation_prefixes=(prefix,))


def test_conventions_are_the_same_after_being_stored() -> None:
    assert Conventions.model_validate_json(FORMER_CONVENTIONS.model_dump_json()) == FORMER_CONVENTIONS
