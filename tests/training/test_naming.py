"""Names of segments."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.naming import (
    ARCHETYPES,
    SHORTEST_GAP,
    SILENT_AT_LEAST,
    STEADY,
    Silence,
    Standing,
    names_for,
    standings,
    usual_gap,
)

Values = NDArray[np.float64]

PERCENTILE = st.floats(0, 1)
STANDINGS = st.lists(
    st.builds(Standing, PERCENTILE, PERCENTILE, PERCENTILE, st.sampled_from(Silence), st.booleans(), st.booleans()),
    min_size=2,
    max_size=15,
)
OF_RECENCY = {*SILENT_AT_LEAST, "New", "Needs attention"}


def standing_of(name: str) -> Standing:
    return Standing(*ARCHETYPES[name], SILENT_AT_LEAST.get(name, Silence.FEW), young=name == "New")


def test_each_archetype_gets_its_own_name() -> None:
    assert names_for([standing_of(name) for name in ARCHETYPES], {}) == list(ARCHETYPES)


def test_the_best_are_champions_and_the_long_gone_are_lost() -> None:
    found = [Standing(0.05, 0.1, 0.1, Silence.MOST), Standing(0.9, 0.95, 0.95)]
    assert names_for(found, {}) == ["Lost", "Champions"]


@given(STANDINGS)
def test_no_name_is_given_twice(found: list[Standing]) -> None:
    names = names_for(found, {})
    assert len(set(names)) == len(found)


@given(STANDINGS)
def test_a_name_that_goes_on_is_kept_and_not_given_to_another(found: list[Standing]) -> None:
    names = names_for(found, {1: "Champions"})
    assert names[1] == "Champions"
    assert names.count("Champions") == 1


@given(STANDINGS)
def test_a_name_says_no_silence_that_is_not_there(found: list[Standing]) -> None:
    for name, standing in zip(names_for(found, {}), found, strict=True):
        assert standing.silence >= SILENT_AT_LEAST.get(name, Silence.FEW)
        assert standing.young or name != "New"
        if name == "New":
            assert standing.silence == Silence.FEW


@given(STANDINGS)
def test_segments_without_silence_are_named_by_how_often_and_for_how_much_they_buy(found: list[Standing]) -> None:
    steady = [Standing(one.recent, one.frequent, one.valuable) for one in found]
    names = names_for(steady, {})
    assert not OF_RECENCY & set(names)
    assert len(set(STEADY) & set(names)) == min(len(STEADY), len(found))


def test_a_name_that_says_silence_is_lost_only_where_half_bought_lately() -> None:
    late, lately = Standing(0.3, 0.3, 0.3, active=False), Standing(0.5, 0.3, 0.3, active=True)
    assert names_for([late, lately], {0: "At risk", 1: "Lost"})[0] == "At risk"
    assert names_for([late, lately], {0: "At risk", 1: "Lost"})[1] not in OF_RECENCY


def shop(recency: Values, frequency: Values, gap: Values, monetary: Values | None = None) -> Mapping[str, Values]:
    return {
        "recency": recency,
        "frequency": frequency,
        "monetary": frequency * 10 if monetary is None else monetary,
        "mean_gap": np.where(frequency > 1, gap, recency),
        "tenure": recency + (frequency - 1) * gap,
    }


def test_standings_are_percentiles_among_all_customers() -> None:
    features = shop(np.array([1.0, 1.0, 50.0, 100.0]), np.array([9.0, 9.0, 2.0, 1.0]), np.full(4, 10.0))
    best, worst = standings(features, np.array([0, 0, 1, 1]), 2)
    assert (best.recent, best.frequent, best.valuable) == (0.75, 0.75, 0.75)
    assert (worst.recent, worst.frequent, worst.valuable) == (0.25, 0.25, 0.25)


# Whole shops: of subscribers, of occasional buyers, of daily guests, of one day, of a season


def segments_by(values: Values, k: int) -> NDArray[np.intp]:
    """Customers in k segments of about one size, by a value."""
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.asarray(ranks * k // len(values), dtype=np.intp)


def named(features: Mapping[str, Values], labels: NDArray[np.intp], k: int) -> list[str]:
    return names_for(standings(features, labels, k), {})


@given(st.sampled_from([7, 14, 30, 91, 365]), st.integers(2, 8), st.integers(0, 99), st.booleans())
def test_in_a_shop_of_subscribers_nobody_is_about_to_sleep(gap: int, k: int, seed: int, by_recency: bool) -> None:
    random = np.random.default_rng(seed)
    features = shop(random.uniform(0, gap, 400), random.integers(1, 30, 400).astype(float), np.full(400, float(gap)))
    labels = segments_by(features["recency" if by_recency else "frequency"], k)
    assert not OF_RECENCY & set(named(features, labels, k))


@given(st.integers(2, 8), st.integers(0, 99))
def test_subscribers_to_plans_of_several_lengths_are_on_time(k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    gap = random.choice([14.0, 30.0, 60.0, 90.0], 400)
    features = shop(random.uniform(0, 1, 400) * gap, random.integers(2, 30, 400).astype(float), gap)
    assert not OF_RECENCY & set(named(features, segments_by(features["recency"], k), k))


@given(st.integers(2, 6), st.integers(0, 99))
def test_who_bought_today_is_neither_at_risk_nor_lost(k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    today = random.uniform(0, 1, 400)
    features = shop(today, random.integers(1, 9, 400).astype(float), random.uniform(20, 60, 400))
    assert not OF_RECENCY & set(named(features, segments_by(today, k), k))


@given(st.integers(0, 99), st.floats(0.3, 0.9))
def test_a_segment_of_which_many_bought_today_is_neither_at_risk_nor_lost(seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    labels = np.repeat(np.array([0, 1], dtype=np.intp), 200)
    recency = np.concatenate([random.uniform(0, 1, 200), random.uniform(200, 400, 200)])
    recency[200 : 200 + int(200 * share)] = 0.5
    features = shop(recency, random.integers(1, 9, 400).astype(float), np.full(400, 30.0))
    severe = {name for name, silence in SILENT_AT_LEAST.items() if silence is Silence.MOST}
    assert named(features, labels, 2)[1] not in severe


def test_daily_guests_who_did_not_come_for_some_days_are_not_silent() -> None:
    recency = np.concatenate([np.full(50, 0.5), np.full(50, 5.0)])
    features = shop(recency, np.full(100, 90.0), np.full(100, 1.0))
    assert usual_gap(features) == SHORTEST_GAP
    assert not OF_RECENCY & set(named(features, segments_by(recency, 2), 2))


@pytest.mark.parametrize("orders", [1.0, 4.0])
def test_who_has_been_away_for_years_is_lost(orders: float) -> None:
    recency = np.concatenate([np.linspace(1, 20, 100), np.linspace(500, 700, 100)])
    frequency = np.concatenate([np.full(100, 6.0), np.full(100, orders)])
    features = shop(recency, frequency, np.full(200, 30.0))
    first, second = named(features, segments_by(recency, 2), 2)
    assert first not in OF_RECENCY
    assert SILENT_AT_LEAST[second] is Silence.MOST


def test_where_nobody_ordered_twice_a_quarter_of_the_history_is_the_usual_gap() -> None:
    recency = np.linspace(1, 400, 200)
    features = shop(recency, np.ones(200), np.zeros(200))
    assert usual_gap(features) == 100.0
    assert SILENT_AT_LEAST[named(features, segments_by(recency, 3), 3)[2]] is Silence.MOST


def test_buyers_once_a_year_are_on_time_beside_weekly_ones() -> None:
    recency = np.concatenate([np.linspace(0, 7, 300), np.linspace(0, 365, 100)])
    gap = np.concatenate([np.full(300, 7.0), np.full(100, 365.0)])
    features = shop(recency, np.full(400, 3.0), gap)
    labels = np.repeat(np.array([0, 1], dtype=np.intp), [300, 100])
    assert not OF_RECENCY & set(named(features, labels, 2))


def test_who_came_last_month_is_new_where_others_are_silent() -> None:
    recency = np.concatenate([np.linspace(1, 20, 60), np.linspace(1, 20, 60), np.linspace(300, 400, 60)])
    frequency = np.concatenate([np.full(60, 8.0), np.full(60, 1.0), np.full(60, 2.0)])
    features = shop(recency, frequency, np.full(180, 30.0))
    labels = np.repeat(np.array([0, 1, 2], dtype=np.intp), 60)
    assert named(features, labels, 3)[1] == "New"
