"""The back-test: what can be told of customers from others of the same segment."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import r2_score, roc_auc_score

from tests.training.shops import customers_with
from training.backtest import QUINTILE_GROUPS, Foretold, Trial, rfm_quintiles
from training.history import Snapshot

Labels = NDArray[np.intp]
CUT_OFF = datetime(2011, 9, 10, tzinfo=UTC)
SEEDS = st.integers(0, 2**32 - 1)


def snapshot(n: int, seed: int = 0) -> Snapshot:
    """Customers whose later purchases nothing tells of."""
    random = np.random.default_rng(seed)
    orders = 1.0 + random.poisson(2, n)
    features = customers_with(
        recency=random.gamma(1, 60, n).tolist(),
        frequency=orders.tolist(),
        monetary=(orders * random.lognormal(3, 1, n)).tolist(),
    )
    return Snapshot(CUT_OFF, features, np.where(random.random(n) < 0.4, random.lognormal(4, 1, n), 0.0))


def trial(n: int = 300, seed: int = 0) -> Trial:
    return Trial(snapshot(n, seed), 90, seed)


def drawn(n: int, k: int, seed: int) -> Labels:
    return np.random.default_rng(seed).integers(0, k, n).astype(np.intp)


@settings(max_examples=30)
@given(SEEDS, st.integers(2, 8), st.integers(0, 59), st.sampled_from([0.0, 5.0, 1e6]))
def test_what_a_customer_did_is_never_used_to_foretell_it(seed: int, k: int, customer: int, revenue: float) -> None:
    labels, then = drawn(60, k, seed), snapshot(60, 1)
    other = then.revenue.copy()
    other[customer] = revenue
    before = Trial(then, 90, 0).by_segments(labels)
    after = Trial(Snapshot(CUT_OFF, then.customers, other), 90, 0).by_segments(labels)
    assert before.bought[customer] == after.bought[customer]
    assert before.log_revenue[customer] == after.log_revenue[customer]


def test_a_customer_is_foretold_the_mean_of_the_same_segment() -> None:
    tried = trial(4_000)
    labels = drawn(4_000, 3, 1)
    foretold = tried.by_segments(labels)
    for index in range(3):
        inside = labels == index
        assert foretold.bought[inside] == pytest.approx(float(tried.snapshot.bought[inside].mean()), abs=0.05)
        assert len(np.unique(foretold.bought[inside])) == 5  # one mean per fold


def test_whoever_has_a_segment_to_themselves_is_foretold_the_mean_of_all_others() -> None:
    tried = trial(60)
    foretold = tried.by_segments(np.arange(60, dtype=np.intp))
    assert len(np.unique(foretold.bought)) <= 5
    assert np.all((foretold.bought > 0) & (foretold.bought < 1))


@settings(max_examples=20)
@given(SEEDS, st.integers(2, 50))
def test_figures_are_those_of_the_textbook(seed: int, levels: int) -> None:
    tried = trial(200)
    chance = np.random.default_rng(seed).integers(0, levels, 200) / levels  # with ties
    foretold = Foretold(chance, 3 * chance)
    score = tried.score("any", foretold)
    assert score.auc.value == pytest.approx(roc_auc_score(tried.snapshot.bought, chance), abs=1e-4)
    assert score.r_squared.value == pytest.approx(r2_score(tried.snapshot.log_revenue, 3 * chance), abs=1e-4)
    assert score.auc.low <= score.auc.value <= score.auc.high
    assert score.r_squared.low <= score.r_squared.value <= score.r_squared.high


@given(SEEDS)
@settings(max_examples=20)
def test_one_segment_for_all_explains_nothing(seed: int) -> None:
    tried = trial(100, seed % 1000)
    assert tried.r_squared(tried.by_segments(np.zeros(100, dtype=np.intp))) <= 0.0


@pytest.mark.parametrize("seed", range(8))
def test_segments_drawn_at_random_are_not_beyond_chance(seed: int) -> None:
    tried = trial(300, seed)
    score = tried.score("drawn", tried.by_segments(drawn(300, 5, seed + 100)))
    assert not (score.auc.low > 0.5 and score.r_squared.low > 0.0)


def test_a_report_says_that_segments_at_random_foretell_nothing_and_that_perfect_ones_do() -> None:
    tried = trial(300)
    nothing = tried.report("drawn", drawn(300, 5, 9))
    assert not nothing.beyond_chance
    assert nothing.says.endswith("they predict nothing beyond chance.")
    perfect = tried.report("perfect", np.digitize(tried.snapshot.revenue, [0.01, 50.0]).astype(np.intp))
    assert perfect.beyond_chance
    assert "beyond chance" not in perfect.says
    assert perfect.model.auc.value == 1.0
    assert perfect.model.r_squared.value > 0.9
    assert perfect.model.kendall is not None
    assert perfect.baseline.segments is not None
    assert 2 <= perfect.baseline.segments <= len(QUINTILE_GROUPS)
    assert (perfect.limit.segments, perfect.limit.kendall) == (None, None)
    assert nothing.limit == perfect.limit


def test_the_better_of_two_is_better_by_more_than_one_standard_error() -> None:
    tried = trial(300)
    perfect, none = (tried.by_segments(one) for one in (tried.snapshot.bought.astype(np.intp), drawn(300, 2, 3)))
    more, error = tried.difference(perfect, none)
    assert more == pytest.approx(tried.r_squared(perfect) - tried.r_squared(none))
    assert more > error > 0
    assert tried.difference(none, none) == (0.0, 0.0)


@pytest.mark.parametrize("revenue", [0.0, 10.0])
def test_where_all_or_none_bought_again_there_is_nothing_to_foretell(revenue: float) -> None:
    then = snapshot(50)
    with pytest.raises(ValueError, match="nothing to foretell"):
        Trial(Snapshot(CUT_OFF, then.customers, np.full(50, revenue)), 90, 0)


def test_every_pair_of_quintiles_has_a_group() -> None:
    for recent in range(1, 6):
        for both in range(1, 6):
            assert any(a <= recent <= b and c <= both <= d for a, b, c, d in QUINTILE_GROUPS.values()), (recent, both)


@given(SEEDS, st.integers(5, 200), st.integers(1, 50))
def test_quintile_groups_cover_everyone_and_are_eleven_at_most(seed: int, n: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    features = {name: random.integers(1, levels + 1, n).astype(float) for name in ("recency", "frequency", "monetary")}
    groups = rfm_quintiles(features)
    assert groups.shape == (n,)
    assert set(groups.tolist()) == set(range(int(np.max(groups)) + 1))
    assert np.max(groups) < 11


def test_the_best_are_champions_and_the_worst_are_lost() -> None:
    rank = np.arange(100.0)
    groups = rfm_quintiles({"recency": 100 - rank, "frequency": rank, "monetary": rank})
    # Lost, at risk and so on up to the champions, who come first in the list
    assert set(groups[80:].tolist()) == {0}
    assert set(groups[:20].tolist()) == {int(np.max(groups))}
