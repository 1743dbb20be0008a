"""What the members of each segment did later."""

from datetime import UTC, datetime

import numpy as np
import pytest

from tests.training.shops import customers_with
from training.history import Snapshot
from training.outcomes import outcomes

CUT_OFF = datetime(2011, 9, 10, tzinfo=UTC)
BOUGHT = np.array([30.0, 0.0, 60.0, 0.0, 0.0, 0.0, 5.0, 7.0, 9.0, 0.0])
SNAPSHOT = Snapshot(CUT_OFF, customers_with(frequency=[1.0] * 10), BOUGHT)
LABELS = np.array([0, 0, 0, 0, 0, 2, 2, 2, 2, 2], dtype=np.intp)


def test_each_segment_has_the_share_and_revenue_of_its_own_members() -> None:
    found = outcomes(SNAPSHOT, LABELS, (7, 8, 9), 90, True, 0)
    assert set(found) == {7, 9}  # nobody was in 8
    first, last = found[7], found[9]
    assert (first.customers, first.bought_again.value, first.revenue_per_customer.value) == (5, 0.4, 18.0)
    assert (last.customers, last.bought_again.value, last.revenue_per_customer.value) == (5, 0.6, 4.2)
    assert (first.rank, last.rank) == (1, 2)
    for one in (first, last):
        for estimate in (one.bought_again, one.revenue_per_customer):
            assert estimate.low < estimate.value < estimate.high
        assert (one.cut_off, one.horizon) == (CUT_OFF, 90)


def test_an_outcome_is_said_with_its_interval_beside_that_of_all() -> None:
    said = outcomes(SNAPSHOT, LABELS, (7, 8, 9), 90, True, 0)[7].says
    assert said == "40% (0% to 80%) bought again within 90 days, of all customers 50%."


def test_where_segments_foretell_nothing_every_outcome_says_so() -> None:
    for one in outcomes(SNAPSHOT, LABELS, (7, 8, 9), 90, False, 0).values():
        assert one.says.endswith("of all customers 50%: the segments predict nothing beyond chance.")


def test_a_large_segment_has_the_interval_of_the_textbook() -> None:
    random = np.random.default_rng(0)
    revenue = np.where(random.random(4_000) < 0.3, 10.0, 0.0)
    everyone = Snapshot(CUT_OFF, customers_with(frequency=[1.0] * 4_000), revenue)
    found = outcomes(everyone, np.zeros(4_000, dtype=np.intp), (1,), 90, True, 0)[1].bought_again
    error = 1.96 * np.sqrt(found.value * (1 - found.value) / 4_000)
    assert (found.low, found.high) == pytest.approx((found.value - error, found.value + error), abs=0.003)
