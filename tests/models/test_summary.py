"""The fold of one customer's lines into a summary."""

from hypothesis import given

from models.bought import Bought
from models.customer.conventions import FORMER_CONVENTIONS
from models.fold import fold
from models.line import Line
from models.summary import Summaries
from tests.shop import LINES, bought, day

LATER = day(365)


def test_lines_of_one_invoice_make_one_order() -> None:
    folded = fold([bought("1", "A"), bought("1", "E"), bought("2", "A", on=3)], LATER, FORMER_CONVENTIONS)
    assert folded.summary is not None
    assert (folded.summary.orders, folded.summary.lines, folded.summary.products) == (2, 3, 2)


def test_without_invoice_numbers_the_purchases_of_one_moment_make_one_order() -> None:
    folded = fold([bought(None, "A"), bought(None, "E"), bought(None, "A", on=3)], LATER, FORMER_CONVENTIONS)
    assert folded.summary is not None
    assert folded.summary.orders == 2


def test_a_full_cancellation_undoes_its_purchase() -> None:
    giant = bought("581483", "23843", quantity=80_995, price=2.08, on=10)
    undone = bought("C581484", "23843", quantity=-80_995, price=2.08, on=10.01)
    small = bought("553573", "22980", price=1.65, on=1)
    folded = fold([giant, undone, small], LATER, FORMER_CONVENTIONS)
    assert folded.summary is not None
    assert (folded.summary.orders, folded.summary.revenue, folded.summary.units) == (1, 1.65, 1)
    assert folded.summary.last_at == day(1)
    assert round(folded.summary.bought - folded.summary.returned, 6) == 1.65


def test_a_cancellation_undoes_the_latest_equal_purchase_before_it() -> None:
    lines = [
        bought("1", "A", 6, on=1),
        bought("2", "A", 6, on=5),
        bought("C3", "A", -6, on=6),
        bought("4", "A", 6, on=9),
    ]
    folded = fold(lines, LATER, FORMER_CONVENTIONS)
    assert folded.summary is not None
    assert (folded.summary.first_at, folded.summary.last_at, folded.summary.orders) == (day(1), day(9), 2)


def test_a_cancellation_of_something_bought_before_the_data_begins_undoes_nothing_later() -> None:
    folded = fold([bought("C1", "A", -6, on=1), bought("2", "A", 6, on=5)], LATER, FORMER_CONVENTIONS)
    assert folded.summary is not None
    assert (folded.summary.orders, folded.summary.returned) == (1, 6.0)


def test_a_partial_return_lowers_net_revenue_but_keeps_the_order() -> None:
    folded = fold([bought("1", "A", 6, 2.0), bought("C2", "A", -2, 2.0, on=1)], LATER, FORMER_CONVENTIONS)
    assert folded.summary is not None
    assert (folded.summary.orders, folded.summary.bought, folded.summary.returned) == (1, 12.0, 4.0)


def test_equal_lines_count_once_but_not_where_no_invoice_tells_them_apart() -> None:
    assert fold([bought("1", "A")] * 2, LATER, FORMER_CONVENTIONS).ignored == {"duplicate": 1}
    assert fold([bought(None, "A")] * 2, LATER, FORMER_CONVENTIONS).ignored == {}


def test_what_is_left_out_is_counted_by_rule() -> None:
    lines = [
        bought("1", "A"), bought("1", "POST"), bought("1", "gift_0001_20"), bought("1", "m"), bought("A2", "E"),
        bought("1", "E", price=0), bought("3", "E", on=400), bought("C4", "A", -1, price=0),
    ]  # fmt: skip
    expected = {"non_product": 3, "adjustment": 1, "price_not_positive": 2, "after_as_of": 1}
    assert fold(lines, LATER, FORMER_CONVENTIONS).ignored == expected


def test_the_mode_of_quantity_takes_the_smallest_of_equals() -> None:
    folded = fold(
        [bought("1", "A", 6), bought("1", "E", 2), bought("1", "C", 6), bought("1", "F", 2)], LATER, FORMER_CONVENTIONS
    )
    assert folded.summary is not None
    assert folded.summary.typical_quantity == 2


def test_nothing_left_is_no_summary() -> None:
    assert fold([bought("C1", "A", -1)], LATER, FORMER_CONVENTIONS).summary is None
    assert fold([bought("1", "A", on=400)], LATER, FORMER_CONVENTIONS).summary is None


@given(LINES)
def test_the_order_of_lines_does_not_matter(lines: list[Line]) -> None:
    assert fold(lines, LATER, FORMER_CONVENTIONS).summary == fold(lines[::-1], LATER, FORMER_CONVENTIONS).summary


@given(LINES)
def test_a_summary_is_consistent_with_itself(lines: list[Line]) -> None:
    summary = fold(lines, LATER, FORMER_CONVENTIONS).summary
    if summary is None:
        return
    assert 1 <= summary.orders <= summary.lines
    assert summary.first_at <= summary.last_at <= LATER
    assert 0 < summary.revenue <= summary.bought + 1e-6
    assert summary.returned >= 0
    columns = Summaries.of([summary, summary])
    assert len(columns) == 2
    assert columns.orders.tolist() == [summary.orders] * 2


def test_what_was_bought_and_kept_is_told_by_product() -> None:
    lines = [
        bought("1", "A", on=1),
        bought("1", "A", quantity=2, on=1),
        bought("2", "A", on=4),
        bought("2", "22423", on=4),
        bought("3", "C", 6, on=5),
        bought("C4", "C", -6, on=6),
        bought("5", None, on=7),
    ]
    folded = fold(lines, LATER, FORMER_CONVENTIONS)
    assert folded.bought == {"A": Bought(2, day(4)), "22423": Bought(1, day(4))}
    assert folded.summary is not None
    assert folded.summary.products == len(folded.bought)
