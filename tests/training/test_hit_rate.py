"""The measurement of the recommender: what it may not know, and what it finds on shops made up and real."""

import numpy as np
from ibis import _ as row
from threadpoolctl import threadpool_limits

from models.hit_rate import RecommendationRecord
from tests.training.test_affinities import Row, orders_from
from training.affinities import Orders, mine, orders_of
from training.customers import describe
from training.hit_rate import _before, _rates, measure, recommender
from training.preparation.prepare import prepare
from training.reading.options import NO_OPTIONS
from training.summaries import summarise
from training.workspace import Workspace

DAY = 86_400.0


def shop(customers: int, orders: int, seed: int) -> Orders:
    """Ten tastes of twelve products; a customer buys three of their taste per order, and one staple all buy."""
    random = np.random.default_rng(seed)
    rows: list[Row] = []
    for customer in range(customers):
        taste = int(random.integers(10))
        for place in range(orders):
            rows += [(customer, f"T{taste}-{one:02}", place * 10) for one in random.choice(12, 3, replace=False)]
            rows.append((customer, f"S{int(random.integers(10))}", place * 10))
    return orders_from(rows)


def test_where_tastes_are_separate_it_finds_what_popularity_cannot() -> None:
    found = measure(shop(300, 5, seed=0), seed=0)
    assert found is not None
    assert found.held_out == found.all.customers == 300
    assert found.new.times_popularity is not None
    assert found.new.times_popularity.low > 1.2
    assert found.new.recommender.value > found.new.popularity.high
    for one in (found.all, found.new):
        for share in (one.popularity, one.pair_affinity, one.recommender, one.times_popularity):
            assert share is not None
            assert share.low <= share.value <= share.high
    assert RecommendationRecord.model_validate_json(found.model_dump_json()) == found


def test_where_what_sells_most_is_never_hit_no_ratio_is_given() -> None:
    nothing = [(0, 0, 0, 1)] * 40
    rates = _rates(np.array(nothing, dtype=np.intp), seed=0, own=True)
    assert rates.popularity.value == 0
    assert rates.times_popularity is None
    some = _rates(np.array([(1, 0, 0, 1), *nothing], dtype=np.intp), seed=0, own=True)
    assert some.times_popularity is not None


def test_the_same_seed_gives_the_same_record() -> None:
    orders = shop(80, 4, seed=1)
    assert measure(orders, seed=3) == measure(orders, seed=3)
    assert recommender(orders, 40 * DAY, seed=3) == recommender(orders, 40 * DAY, seed=3)


def test_nothing_is_mined_from_what_is_held_out() -> None:
    orders = shop(60, 3, seed=2)
    before = _before(orders, 0)
    assert np.min(before.last) == 1
    rows = [(customer, f"GOOD{customer % 5}", place) for customer in range(40) for place in (0, 1)]
    # everybody's last order has the same product, which nobody bought before
    surprise = orders_from([*rows, *((customer, "SURPRISE", 2) for customer in range(40))])
    assert "SURPRISE" not in mine(_before(surprise, 0), 3 * DAY).products
    found = measure(surprise, seed=0)
    assert found is not None
    assert found.all.recommender.value == found.new.recommender.value == found.new.popularity.value == 0.0


def test_a_first_order_is_held_out_from_nobody() -> None:
    once = orders_from([(customer, "A", 0) for customer in range(10)])
    assert len(_before(once, 0).at) == len(_before(once, 1).at) == 10
    twice = orders_from([(customer, "A", place) for customer in range(10) for place in (0, 1)])
    assert set(_before(twice, 1).place.tolist()) == {0}


def test_a_shop_where_nobody_came_twice_is_not_measured() -> None:
    assert measure(orders_from([(customer, "AB"[customer % 2], 0) for customer in range(20)]), seed=0) is None


def test_on_the_real_shop_it_beats_popularity_and_own_repeats(retail: str) -> None:
    with Workspace() as workspace, threadpool_limits(1):
        prepared = prepare([retail], workspace, NO_OPTIONS)
        as_of = prepared.as_of
        lines, cleaned = prepared.lines, prepared.cleaned
        ids = describe(summarise(cleaned), as_of).known.ids
        kept = cleaned.purchases.filter(~row.undone)
        orders = orders_of(kept, lines.table, ids, np.ones(len(ids), dtype=np.int64), 0, workspace)
        found = measure(orders, seed=0)
        mined = recommender(orders, as_of.timestamp(), seed=0)
    assert found is not None
    assert found.held_out == 2_822
    assert found.all.times_popularity is not None
    assert found.new.times_popularity is not None
    assert found.new.times_popularity.value >= 1.6
    assert found.new.times_popularity.low >= 1.6
    assert found.new.recommender.value >= 0.4
    assert found.all.own_repeats is not None
    assert found.all.recommender.value > found.all.own_repeats.value
    assert found.all.times_popularity.value >= 2.0
    assert len(mined.model_dump_json()) < 3_000_000
