"""Key features: what decides comes first, what is noise comes out at nothing."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.customer.conventions import FORMER_CONVENTIONS
from models.driver import PurchaseDrivers, Ranking
from models.scorer import Scorer
from models.scorer_arrays import Membership, ScorerArrays
from training import drivers
from training.cleaning import clean
from training.customers import describe
from training.drivers import purchase_drivers, segmentation_drivers
from training.errors import TooFewCustomers
from training.reading.read import read
from training.summaries import summarise
from training.workspace import Workspace

Values = NDArray[np.float64]


def uniform(n: int, *names: str) -> dict[str, Values]:
    random = np.random.default_rng(5)
    return {name: random.uniform(0, 10, n) for name in names}


def scorer() -> Scorer:
    """Two segments, apart in what decides alone."""
    return Scorer(
        ScorerArrays(
            features=("decides", "does nothing"), transform="identity", lower=(0, 0), upper=(10, 10), mean=(0, 0),
            scale=(1, 1), centres=((2.5, 5), (7.5, 5)), segment_ids=(1, 2),
            membership=Membership(distance=(0.0,), kept=(1.0,), to_runner_up=1.0),
        )
    )  # fmt: skip


def importances(ranking: Ranking) -> dict[str, float]:
    return {driver.feature: driver.importance for driver in ranking.drivers}


def later(n: int = 1_500) -> tuple[dict[str, Values], NDArray[np.bool_], Values]:
    """Customers who buy again when they bought often, and then for what their orders are worth."""
    random = np.random.default_rng(2)
    features = uniform(n, "noise", "often", "worth", "more noise")
    features["worth too"] = np.exp(features["worth"]) + random.normal(0, 1, n)
    features["more noise"][::7] = np.nan
    bought = features["often"] + random.normal(0, 1, n) > 5
    return features, bought, np.where(bought, 20 * features["worth"], 0.0)


def drive(features: dict[str, Values], bought: NDArray[np.bool_], revenue: Values, seed: int = 0) -> PurchaseDrivers:
    with threadpool_limits(1):
        return purchase_drivers(features, bought, revenue, seed)


def test_the_feature_that_decides_the_segment_drives_it_and_the_other_does_not() -> None:
    found = segmentation_drivers(scorer(), uniform(2_000, "does nothing", "decides", "not asked"), 0)
    assert [driver.feature for driver in found.drivers] == ["decides", "does nothing"]
    # two halves: after a shuffle one in two is in the other half
    assert importances(found) == {"decides": pytest.approx(0.5, abs=0.03), "does nothing": 0.0}
    assert 0 < found.drivers[0].deviation < 0.03
    assert found.quality is None
    assert "share importance" in found.method


def test_more_customers_than_are_needed_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "MOST_CUSTOMERS", 300)
    assert segmentation_drivers(scorer(), uniform(1_000, "decides", "does nothing"), 0).customers == 300
    assert drive(*later(1_000)).revenue.customers == 300


def test_what_drives_later_purchases_comes_first_and_noise_at_nothing() -> None:
    found = drive(*later())
    bought, revenue = importances(found.bought), importances(found.revenue)
    assert found.bought.drivers[0].feature == "often"
    assert bought["often"] > 0.3
    assert max(abs(bought[name]) for name in bought if name != "often") < 0.02
    assert found.revenue.drivers[0].feature == "often"
    assert revenue["worth"] + revenue["worth too"] > 0.005
    assert max(abs(revenue[name]) for name in ("noise", "more noise")) < 0.02
    assert found.bought.quality is not None
    assert found.bought.quality > 0.9
    assert found.revenue.quality is not None
    assert found.revenue.quality > 0.6


def test_features_that_move_together_say_so() -> None:
    found = drive(*later())
    together = {driver.feature: driver.moves_with for driver in found.revenue.drivers}
    assert together["worth"] == ("worth too",)
    assert together["worth too"] == ("worth",)
    assert together["often"] == together["noise"] == together["more noise"] == ()


def test_the_same_seed_finds_the_same() -> None:
    features = uniform(500, "decides", "does nothing")
    assert segmentation_drivers(scorer(), features, 1) == segmentation_drivers(scorer(), features, 1)
    known = later(500)
    assert drive(*known, seed=1) == drive(*known, seed=1)
    assert drive(*known, seed=1) != drive(*known, seed=2)


def test_where_nobody_buys_again_nothing_can_be_said() -> None:
    features, bought, revenue = later(200)
    with pytest.raises(TooFewCustomers, match="0 of 200 customers bought again"):
        drive(features, np.zeros_like(bought), np.zeros_like(revenue))


def test_outcomes_that_do_not_fit_the_customers_are_refused() -> None:
    features, bought, revenue = later(200)
    with pytest.raises(ValueError, match="later purchases of 200 customers"):
        drive(features, bought[1:], revenue[1:])
    with pytest.raises(ValueError, match="no revenue below 0"):
        drive(features, bought, revenue - 1)


def test_real_customers_who_bought_often_lately_and_for_much_buy_again(retail: str) -> None:
    end = datetime(2011, 12, 10, tzinfo=UTC)
    cut = end - timedelta(days=90)
    with Workspace() as workspace:
        lines = read([retail], workspace)
        customers = describe(summarise(clean(lines, FORMER_CONVENTIONS, cut, workspace)), cut)
    with Workspace() as workspace:
        purchases = clean(read([retail], workspace), FORMER_CONVENTIONS, end, workspace).purchases
        kept = purchases.filter(~purchases.undone & (purchases["at"] > cut.timestamp()))
        spent = kept.group_by("customer").agg(revenue=(kept.quantity * kept.price).sum()).to_pyarrow().to_pylist()
    by_customer = {one["customer"]: one["revenue"] for one in spent}
    revenue = np.array([by_customer.get(one, 0.0) for one in customers.known.ids])
    found = drive(dict(customers.features), revenue > 0, revenue)
    assert found.bought.quality is not None
    assert found.bought.quality > 0.7
    assert found.revenue.quality is not None
    assert found.revenue.quality > 0.25
    assert {driver.feature for driver in found.bought.drivers[:2]} == {"frequency", "recency"}
    assert {driver.feature for driver in found.revenue.drivers[:3]} == {"monetary", "frequency", "recency"}
    assert found.bought.drivers[0].importance > 0.03
