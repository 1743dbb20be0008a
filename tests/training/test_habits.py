"""How members typically buy: figures worked out by hand, and what chance alone must not show."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from models.habit import WEEKDAYS, BestHour, BestWeekday, Habits, PreferredCountry, PreferredProduct
from models.spread import Spread
from training.cleaning_report import cleaning_report
from training.customers import describe
from training.habits import Bought, habits
from training.preparation.prepare import prepare
from training.profiles import Members, profile
from training.reading.options import NO_OPTIONS
from training.summaries import summarise
from training.workspace import Workspace

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
# 3 January 2011 was a Monday.
BY_HAND = """\
1,X,LANTERN,2,2011-01-03 10:05:00,1.50,a,France
1,Y,CANDLE,4,2011-01-03 11:10:00,1.00,a,France
1,X,LANTERN,6,2011-01-03 11:10:00,1.00,a,France
,X,LANTERN,1,2011-01-04 10:30:00,2.00,a,France
,Y,CANDLE,1,2011-01-04 10:30:00,3.00,a,France
2,Z,VASE,10,2011-01-10 10:59:59,0.50,b,France
3,Y,CANDLE,5,2011-01-07 23:00:00,2.00,b,France
3,Z,VASE,900,2011-01-07 23:00:00,2.00,b,France
C9,Z,VASE,-900,2011-01-07 23:30:00,2.00,b,France
4,X,LANTERN,1,2011-01-03 12:00:00,1.00,c,Spain
5,X,LANTERN,1,2011-01-09 12:30:00,1.00,c,Spain
6,X,LANTERN,1,2011-01-16 12:59:00,1.00,c,Spain
"""


def habits_of(text: str, segment_of: Mapping[str, int], folder: Path) -> dict[int, Habits]:
    """The habits of segments chosen by hand, from a file to the segment's profile."""
    file = folder / "lines.csv"
    file.write_text(text, "utf-8")
    with Workspace() as workspace:
        prepared = prepare([str(file)], workspace, NO_OPTIONS)
        as_of = prepared.as_of
        lines, cleaned = prepared.lines, prepared.cleaned
        customers = describe(summarise(cleaned), as_of)
        ids = np.array([segment_of[one] for one in customers.known.ids], dtype=np.int64)
        members = Members(customers.known.ids, ids, customers.features, customers.known.summaries.country)
        names = {one: f"segment {one}" for one in sorted(set(segment_of.values()))}
        segments = profile(members, names, cleaned, lines, workspace)
        return {one.id: one.habits for one in segments if one.habits is not None}


def counts(length: int, some: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(some.get(index, 0) for index in range(length))


def test_a_typical_order_and_its_time_are_as_worked_out_by_hand(tmp_path: Path) -> None:
    found = habits_of(HEADER + BY_HAND, {"a": 1, "b": 1, "c": 2}, tmp_path)
    # orders of 3, 2, 1 and 1 lines; 12, 2, 10 and 5 units; worth 13, 5, 5 and 10; the cancelled vases do not count
    assert found[1] == Habits(
        orders=4,
        lines_per_order=Spread(median=1.5, q1=1, q3=2.25),
        units_per_order=Spread(median=7.5, q1=4.25, q3=10.5),
        products_per_order=Spread(median=1.5, q1=1, q3=2),
        order_value=Spread(median=7.5, q1=5, q3=10.75),
        orders_by_weekday=(2, 1, 0, 0, 1, 0, 0),
        best_weekday=BestWeekday(weekday="Monday", orders=2, share=0.5, lift=1.1667),  # of all orders 3 of 7
        orders_by_hour=counts(24, {10: 3, 23: 1}),
        best_hour=BestHour(hour=10, orders=3, share=0.75, lift=1.75),
        preferred_countries=(),
        preferred_products=(),
        distinctive_products=(),
    )
    assert found[2].orders_by_weekday == (1, 0, 0, 0, 0, 0, 2)
    assert found[2].best_weekday == BestWeekday(weekday="Sunday", orders=2, share=0.666667, lift=2.3333)
    assert found[2].best_hour == BestHour(hour=12, orders=3, share=1, lift=2.3333)


def test_dates_without_times_have_no_hours_and_lines_without_products_none(tmp_path: Path) -> None:
    text = "customer,invoice,date,quantity,price\na,1,2011-01-05,1,2\na,2,2011-01-04,3,2\nb,3,2011-01-06,1,1\n"
    found = habits_of(text, {"a": 1, "b": 2}, tmp_path)[1]
    assert (found.orders_by_hour, found.best_hour) == (None, None)
    assert (found.products_per_order, found.preferred_products, found.distinctive_products) == (None, (), ())
    # of equals the first of the week, not of the file
    assert found.best_weekday == BestWeekday(weekday="Tuesday", orders=1, share=0.5, lift=1.5)


def one_order_each(baskets: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    """A file in which each customer has one order: of the country, with the products."""
    rows = [
        f"order of {customer},{product},THE {product},1,2011-01-03 10:00:00,1.00,{customer},{country}\n"
        for customer, (country, products) in baskets.items()
        for product in products
    ]
    return HEADER + "".join(rows)


def test_preferences_are_beyond_chance_and_of_more_than_a_few_members(tmp_path: Path) -> None:
    # of segment 1 all 30 buy Y and 12 W; of segment 2 all 10 buy X, 6 W and 4 V
    baskets = {f"a{n:02}": ("Spain", ["Y", "W"] if n < 12 else ["Y"]) for n in range(30)}
    baskets |= {f"b{n}": ("France", ["X", *(["W"] if n < 6 else []), *(["V"] if n < 4 else [])]) for n in range(10)}
    found = habits_of(one_order_each(baskets), {one: 1 if one[0] == "a" else 2 for one in baskets}, tmp_path)[2]
    # where all n members have something, the interval's low end is the n-th root of its level; two countries were asked
    assert found.preferred_countries == (
        PreferredCountry(
            country="France", customers=10, share=1, lift=4, lift_at_least=round((0.025 / 2) ** 0.1 * 4, 4)
        ),
    )
    # three products were asked; V has a lift of 4 among too few, W one of 1.33 that 10 members may well show by chance
    assert found.preferred_products == (
        PreferredProduct(
            product="X", description="THE X", customers=10, share=1, lift=4,
            lift_at_least=round((0.025 / 3) ** 0.1 * 4, 4),
        ),
    )  # fmt: skip
    # 10 of the segment's 20 choices are X, 10 of all 62
    (distinctive,) = found.distinctive_products
    assert (distinctive.product, distinctive.customers, distinctive.share, distinctive.lift) == ("X", 10, 0.5, 3.1)
    assert binom.sf(9, 20, distinctive.lift_at_least * 10 / 62) == pytest.approx(0.025 / 3, rel=0.01)


def test_who_buys_everything_prefers_everything_but_has_nothing_distinctive(tmp_path: Path) -> None:
    everything = [f"P{n:02}" for n in range(20)]
    baskets = {f"a{n}": ("Spain", everything) for n in range(10)}
    baskets |= {f"b{n:03}": ("Spain", [everything[n % 20]]) for n in range(100)}
    found = habits_of(one_order_each(baskets), {one: 1 if one[0] == "a" else 2 for one in baskets}, tmp_path)
    # 20 equally good ones, of which the first in the order of their codes are shown
    assert [one.product for one in found[1].preferred_products] == everything[:10]
    assert {one.lift for one in found[1].preferred_products} == {7.3333}  # all of 10 against 15 of 110
    assert (found[1].distinctive_products, found[2].preferred_products) == ((), ())
    assert all(one.preferred_countries == () for one in found.values())


LINE = st.fixed_dictionaries(
    {
        "customer": st.sampled_from(["a", "b", "c"]),
        "invoice": st.sampled_from(["1", "2", "3", None]),
        "product": st.sampled_from(["X", "Y", None]),
        "quantity": st.sampled_from([1.0, 2.0, 12.0, 0.1]),
        "price": st.sampled_from([0.1, 0.85, 2.55]),
        "at": st.integers(-3_000_000_000, 3_000_000_000).map(float) | st.sampled_from([0.0, 86_399.0, 1e9]),
    }
)
SEGMENT_OF = {"a": 1, "b": 1, "c": 2}
SCHEMA = {"customer": "string", "order": "string", "product": "string", "quantity": "float64", "value": "float64",
          "at": "float64", "segment": "int64"}  # fmt: skip


def order_of(row: Mapping[str, Any]) -> str:
    return row["invoice"] or f"at {row['at']}"


def habits_of_rows(rows: Sequence[dict[str, Any]]) -> dict[int, Habits]:
    rows = [
        {**one, "order": order_of(one), "value": one["quantity"] * one["price"], "segment": SEGMENT_OF[one["customer"]]}
        for one in rows
    ]
    ids = sorted({one["customer"] for one in rows})
    segment_ids = np.array([SEGMENT_OF[one] for one in ids], dtype=np.int64)
    with Workspace() as workspace:
        bought = Bought.of(ibis.memtable(rows, schema=SCHEMA), workspace)
        return habits(bought, segment_ids, [None] * len(ids), lambda _: {})


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINE, min_size=1, max_size=20))
def test_every_order_counts_once_at_its_first_line_in_whatever_order_the_lines_come(rows: list[dict[str, Any]]) -> None:
    first: dict[tuple[str, str], float] = {}
    for one in rows:
        order = (one["customer"], order_of(one))
        first[order] = min(first.get(order, one["at"]), one["at"])
    found = habits_of_rows(rows)
    assert sum(one.orders for one in found.values()) == len(first)
    for segment, habit in found.items():
        inside = [datetime.fromtimestamp(at, UTC) for (name, _), at in first.items() if SEGMENT_OF[name] == segment]
        assert habit.orders == len(inside) == sum(habit.orders_by_weekday)
        assert habit.orders_by_weekday == counts(7, Counter(moment.weekday() for moment in inside))
        assert habit.best_weekday.orders == max(habit.orders_by_weekday)
        assert habit.best_weekday.weekday == WEEKDAYS[habit.orders_by_weekday.index(habit.best_weekday.orders)]
        if habit.orders_by_hour is not None:
            assert habit.orders_by_hour == counts(24, Counter(moment.hour for moment in inside))
        else:
            assert all(at % 86_400 == 0 for at in first.values())
    assert habits_of_rows(rows[::-1]) == found


class Retail:
    """The real purchases, ready to be split into any segments."""

    def __init__(self, source: str, workspace: Workspace) -> None:
        self.workspace = workspace
        prepared = prepare([source], workspace, NO_OPTIONS)
        as_of = prepared.as_of
        self.lines, self.cleaned = prepared.lines, prepared.cleaned
        summaries = summarise(self.cleaned)
        self.customers = describe(summaries, as_of)
        self.report = cleaning_report(self.cleaned, summaries.summaries)

    def habits(self, segment_ids: np.ndarray[Any, np.dtype[np.int64]]) -> dict[int, Habits]:
        known = self.customers.known
        members = Members(known.ids, segment_ids, self.customers.features, known.summaries.country)
        names = {one: f"segment {one}" for one in np.unique(segment_ids).tolist()}
        segments = profile(members, names, self.cleaned, self.lines, self.workspace)
        return {one.id: one.habits for one in segments if one.habits is not None}


@pytest.fixture(scope="module")
def real(retail: str) -> Iterator[Retail]:
    with Workspace() as workspace:
        yield Retail(retail, workspace)


def test_the_real_shop_sells_on_no_saturday_and_most_at_noon(real: Retail) -> None:
    monetary = real.customers.features["monetary"]
    found = real.habits(np.digitize(monetary, np.quantile(monetary, [0.5, 0.9])).astype(np.int64))
    assert sum(one.orders for one in found.values()) == real.report.orders
    assert all(one.orders_by_weekday[WEEKDAYS.index("Saturday")] == 0 for one in found.values())
    assert "Saturday" not in {one.best_weekday.weekday for one in found.values()}
    assert {one.best_hour.hour for one in found.values() if one.best_hour} == {12}
    best = found[2]
    assert best.preferred_products
    assert all(one.customers >= 5 and one.lift > one.lift_at_least > 1 for one in best.preferred_products)
    assert all(one.description for one in best.preferred_products)
    assert best.order_value.median > found[0].order_value.median


def test_real_customers_put_into_segments_by_chance_prefer_nothing(real: Retail) -> None:
    drawn = np.random.default_rng(6).integers(1, 8, len(real.customers.known.ids)).astype(np.int64)
    found = real.habits(drawn)
    assert sorted(found) == list(range(1, 8))
    for one in found.values():
        assert (one.preferred_countries, one.preferred_products, one.distinctive_products) == ((), (), ())
