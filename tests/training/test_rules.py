"""Rules in words: what is there is found, at figures people say, and judged on other customers."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from models.customer.conventions import FORMER_CONVENTIONS
from models.rule import Condition, Rule, Rules
from training.cleaning import clean
from training.customers import Customers, describe
from training.reading.read import read
from training.rules import FEWEST_MEMBERS, find_rules
from training.summaries import summarise
from training.workspace import Workspace

Values = NDArray[np.float64]


def shop(n: int = 3_000) -> dict[str, Values]:
    """n customers whose features have nothing to do with each other."""
    random = np.random.default_rng(8)
    return {
        "recency": random.uniform(0, 365, n),
        "frequency": random.integers(1, 12, n).astype(np.float64),
        "monetary": random.lognormal(6, 1.2, n),
    }


def by_segment(rules: Rules) -> dict[int, Rule]:
    return {rule.segment_id: rule for rule in rules.rules}


def test_rules_that_are_really_there_are_found_exactly() -> None:
    features = shop()
    often, lately = features["frequency"] >= 4, features["recency"] < 50
    ids = np.where(often & lately, 7, np.where(often, 2, 5))
    rules = find_rules(features, ids, 0)
    found = by_segment(rules)
    assert found[7].words == "4 or more orders, the last within 50 days"
    assert found[2].words == "4 or more orders, the last 50 days ago or longer"
    assert found[5].words == "up to 3 orders"
    assert found[7].conditions == (
        Condition(feature="recency", low=None, high=50), Condition(feature="frequency", low=4, high=None),
    )  # fmt: skip
    assert rules.fidelity == 1
    assert (rules.met_by_none, rules.met_by_several) == (0, 0)
    assert all((rule.precision, rule.recall, rule.fidelity) == (1, 1, 1) for rule in rules.rules)
    assert np.array_equal(rules.place(features), ids)


def test_a_band_of_values_comes_out_as_one_condition() -> None:
    features = shop()
    ids = np.where((features["recency"] >= 30) & (features["recency"] < 120), 1, 2)
    assert by_segment(find_rules(features, ids, 0))[1].conditions == (Condition(feature="recency", low=30, high=120),)


def test_thresholds_are_rounded_to_figures_people_say() -> None:
    features = shop()
    spends = features["monetary"] * np.exp(np.random.default_rng(1).normal(0, 0.05, len(features["monetary"]))) >= 983
    ids = np.where(spends & (features["recency"] < 61.3), 1, 2)
    one = by_segment(find_rules(features, ids, 0))[1]
    assert one.words == "the last order within 60 days, spent 1,000 or more"
    assert one.fidelity > 0.98


def test_a_threshold_is_not_rounded_where_the_rule_would_suffer() -> None:
    random = np.random.default_rng(0)
    features = {"born in": random.integers(1950, 2008, 2_000).astype(np.float64)}
    rules = find_rules(features, np.where(features["born in"] >= 1983, 1, 2), 0)
    assert by_segment(rules)[1].conditions == (Condition(feature="born in", low=1983, high=None),)
    assert rules.fidelity == 1


def test_the_figures_are_of_customers_held_out_and_say_so() -> None:
    features = shop(1_000)
    ids = np.where(np.random.default_rng(3).random(1_000) < 0.5, 1, 2)  # nothing to find
    rules = find_rules(features, ids, 0)
    assert rules.customers == 300
    assert "30% of each segment" in rules.method
    assert rules.fidelity < 0.6


def test_few_customers_are_cross_fitted_so_that_noise_looks_like_noise() -> None:
    n = 2 * FEWEST_MEMBERS - 2
    features = shop(n)
    ids = np.where(np.random.default_rng(3).random(n) < 0.5, 1, 2)
    rules = find_rules(features, ids, 0)
    assert rules.customers == n
    assert "cross-fitted" in rules.method
    shown = np.mean(rules.place(features) == ids)
    assert rules.fidelity < shown, "what fits the customers it was found on must not be reported"


@settings(max_examples=25)
@given(st.integers(1, 150), st.integers(1, 5), st.integers(0, 10_000))
def test_any_customers_get_a_rule_per_segment_of_few_conditions(n: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    features = {
        "frequency": random.integers(1, 4, n).astype(np.float64),
        "Age": np.where(random.random(n) < 0.1, np.nan, random.normal(40, 15, n)),
        "same": np.zeros(n),
        "balance": random.normal(0, 1e4, n),
        "share": random.random(n),
    }
    ids = random.integers(1, k + 1, n) * 10
    rules = find_rules(features, ids, seed)
    assert sorted(rule.segment_id for rule in rules.rules) == np.unique(ids).tolist()
    for rule in rules.rules:
        assert len(rule.conditions) <= 4
        assert len({condition.feature for condition in rule.conditions}) == len(rule.conditions)
        assert "same" not in {condition.feature for condition in rule.conditions}
    assert set(rules.place(features).tolist()) <= set(ids.tolist())
    assert rules == find_rules(features, ids, seed)


def test_one_segment_alone_is_any_customer() -> None:
    rules = find_rules(shop(200), np.full(200, 4), 0)
    assert [rule.words for rule in rules.rules] == ["any customer"]
    assert rules.fidelity == 1


def test_features_of_other_customers_are_refused() -> None:
    with pytest.raises(ValueError, match="each of the 99 customers"):
        find_rules(shop(100), np.ones(99, dtype=np.int64), 0)


@pytest.fixture(scope="module")
def customers(retail: str) -> Customers:
    as_of = datetime(2011, 12, 10, tzinfo=UTC)
    with Workspace() as workspace:
        return describe(summarise(clean(read([retail], workspace), FORMER_CONVENTIONS, as_of, workspace)), as_of)


def segmented(values: Values, k: int) -> NDArray[np.int64]:
    points = StandardScaler().fit_transform(values)
    return np.asarray(KMeans(k, n_init=10, random_state=0).fit_predict(points) + 1, dtype=np.int64)


@pytest.mark.parametrize("k", [4, 5, 6, 7, 8])
def test_rules_of_real_segments_place_four_fifths_of_customers_they_have_not_seen(customers: Customers, k: int) -> None:
    names = ("recency", "frequency", "monetary", "tenure")
    segment_ids = segmented(np.log1p(np.maximum(customers.matrix(names), 0)), k)
    rules = find_rules({name: customers.features[name] for name in names}, segment_ids, 0)
    assert rules.fidelity >= 0.8
    assert rules.customers > 1_200
    for rule in rules.rules:
        assert rule.fidelity >= 0.85
        assert 1 <= len(rule.conditions) <= 4


def test_the_five_groups_of_the_mall_are_told_by_income_and_score(real_data: Path) -> None:
    rows = np.genfromtxt(real_data / "Mall_Customers.csv", delimiter=",", skip_header=1, usecols=(3, 4))
    features = {"Annual Income (k$)": rows[:, 0], "Spending Score (1-100)": rows[:, 1]}
    rules = find_rules(features, segmented(rows, 5), 0)
    assert rules.fidelity >= 0.9
    assert all(rule.recall is not None and rule.recall >= 0.85 for rule in rules.rules)
