"""What is mined: counts as counting by hand gives them, whatever order the lines come in, and bounded."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ibis import _ as row

from models.affinity import NEIGHBOURS, ProductAffinities
from models.customer.conventions import FORMER_CONVENTIONS
from training import affinities
from training.affinities import FEWEST_BUYERS, FEWEST_TOGETHER, Orders, mine, orders_of
from training.cleaning import clean
from training.reading.read import read
from training.workspace import Workspace

DAY = 86_400.0
Row = tuple[int, str, int]  # customer, product, place of the order


def orders_from(rows: Sequence[Row]) -> Orders:
    """Orders a day apart, every third customer in segment 2."""
    rows = sorted(set(rows), key=lambda one: (one[0], one[2], one[1]))
    products = sorted({product for _, product, _ in rows})
    customers = range(max(customer for customer, _, _ in rows) + 1)
    places = {one: sorted({place for customer, _, place in rows if customer == one}) for one in customers}
    return Orders(
        customers=[f"{customer:05}" for customer in customers],
        segment_ids=np.array([2 if customer % 3 == 0 else 1 for customer in customers], dtype=np.int64),
        products=products,
        descriptions={},
        customer=np.array([customer for customer, _, _ in rows], dtype=np.int32),
        product=np.array([products.index(product) for _, product, _ in rows], dtype=np.int32),
        place=np.array([places[customer].index(place) for customer, _, place in rows], dtype=np.int32),
        last=np.array([places[customer][::-1].index(place) for customer, _, place in rows], dtype=np.int32),
        at=np.array([place * DAY for _, _, place in rows]),
    )


histories = st.lists(
    st.tuples(st.integers(0, 24), st.sampled_from("ABCDEF"), st.integers(0, 3)), min_size=60, max_size=200
)


@given(histories)
@settings(max_examples=50)
def test_counts_are_those_of_counting_by_hand(rows: list[Row]) -> None:
    mined = mine(orders_from(rows), 4 * DAY)
    held = {one: {product for customer, product, _ in rows if customer == one} for one in {one for one, _, _ in rows}}
    buyers = Counter(product for products in held.values() for product in products)
    pairs = Counter(pair for products in held.values() for pair in combinations(sorted(products), 2))
    times = Counter((customer, product) for customer, product, _ in set(rows))
    assert mined.customers == len(held)
    assert list(mined.products) == sorted(one for one in buyers if buyers[one] >= FEWEST_BUYERS)
    for index, product in enumerate(mined.products):
        assert mined.buyers[index] == buyers[product]
        assert mined.repeat_buyers[index] == sum(many >= 2 for (_, one), many in times.items() if one == product)
        assert index not in mined.neighbours[index]
        assert list(mined.scores[index]) == sorted(mined.scores[index], reverse=True)
        for other, support in zip(mined.neighbours[index], mined.support[index], strict=True):
            assert support == pairs[min(product, mined.products[other]), max(product, mined.products[other])]
            assert support >= FEWEST_TOGETHER
    for index, total in enumerate(mined.support):
        parts = [one.support[index] for one in mined.segments.values()]
        assert [sum(counts) for counts in zip(*parts, strict=True)] == list(total)
    assert [sum(one.buyers[i] for one in mined.segments.values()) for i in range(len(mined.products))] == list(
        mined.buyers
    )


def test_what_is_bought_together_speaks_for_each_other_and_what_is_not_does_not() -> None:
    rows = [(one, product, 0) for one in range(60) for product in ("AB" if one % 2 else "CD")]
    mined = mine(orders_from(rows), DAY)
    named = {mined.products[i]: [mined.products[j] for j in others] for i, others in enumerate(mined.neighbours)}
    assert named == {"A": ["B"], "B": ["A"], "C": ["D"], "D": ["C"]}


def test_only_the_last_weeks_before_as_of_count_as_recent() -> None:
    rows = [(one, "A", one * 10) for one in range(10)]
    assert mine(orders_from(rows), 90 * DAY).recent == (2,)
    assert mine(orders_from(rows), 0.0).recent == (0,)


def test_products_and_pairs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    rows = [(one, f"P{product:02}", 0) for one in range(80) for product in random.choice(60, 30, replace=False)]
    orders = orders_from(rows)
    assert max(len(others) for others in mine(orders, DAY).neighbours) <= NEIGHBOURS
    monkeypatch.setattr(affinities, "MOST_PRODUCTS", 7)
    monkeypatch.setattr(affinities, "MOST_HELD", 3)
    mined = mine(orders, DAY)
    most = Counter(product for _, product, _ in rows)
    assert len(mined.products) == 7
    assert min(most[one] for one in mined.products) >= max(most[one] for one in set(most) - set(mined.products))


def read_orders(file: Path, text: str) -> tuple[Orders, ProductAffinities]:
    file.write_text(text)
    as_of = datetime(2011, 6, 1, tzinfo=UTC)
    with Workspace() as workspace:
        lines = read([str(file)], workspace)
        kept = clean(lines, FORMER_CONVENTIONS, as_of, workspace).purchases.filter(~row.undone)
        orders = orders_of(kept, lines.table, ["2", "1"], np.array([7, 8], dtype=np.int64), 0, workspace)
    return orders, mine(orders, as_of.timestamp())


def test_lines_become_orders_in_any_order_of_lines(tmp_path: Path) -> None:
    header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
    lines = [
        "11,A,MUG,1,2011-03-01 10:00,2.5,1\n", "11,A,MUG,3,2011-03-01 10:00,2.5,1\n",
        "10,A,MUG,1,2011-02-01 10:00,2.5,1\n", "10,BB,CUP,1,2011-02-01 10:00,2.5,1\n",
        "12,C,POT,1,2011-01-01 10:00,2.5,2\n", "13,C,POT RED,1,2011-01-02 10:00,2.5,9\n",
    ]  # fmt: skip
    orders, mined = read_orders(tmp_path / "forth.csv", header + "".join(lines))
    again, mined_again = read_orders(tmp_path / "back.csv", header + "".join(reversed(lines)))
    assert orders.customers == ["1", "2"]
    assert orders.segment_ids.tolist() == [8, 7]
    assert orders.products == ["A", "BB", "C"]
    told = list(zip(*(getattr(orders, one).tolist() for one in ("customer", "product", "place", "last")), strict=True))
    assert told == [(0, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 0), (1, 2, 0, 0)]
    assert orders.descriptions == {"A": "MUG", "BB": "CUP", "C": "POT"}
    for name in ("customer", "product", "place", "last", "at"):
        assert np.array_equal(getattr(orders, name), getattr(again, name)), name
    assert mined == mined_again


def test_a_source_without_products_has_none(tmp_path: Path) -> None:
    text = "InvoiceNo,Quantity,InvoiceDate,UnitPrice,CustomerID\n10,1,2011-02-01 10:00,2.5,1\n"
    orders, mined = read_orders(tmp_path / "bare.csv", text)
    assert len(orders.at) == 0
    assert mined.products == ()
