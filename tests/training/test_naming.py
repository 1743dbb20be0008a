"""Names of segments."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.naming import ARCHETYPES, Standing, names_for, standings

PERCENTILE = st.floats(0, 1)
STANDINGS = st.lists(st.builds(Standing, PERCENTILE, PERCENTILE, PERCENTILE), min_size=2, max_size=15)


def test_each_archetype_gets_its_own_name() -> None:
    assert names_for([Standing(*place) for place in ARCHETYPES.values()], {}) == list(ARCHETYPES)


def test_the_best_are_champions_and_the_long_gone_are_lost() -> None:
    assert names_for([Standing(0.05, 0.1, 0.1), Standing(0.9, 0.95, 0.95)], {}) == ["Lost", "Champions"]


@given(STANDINGS)
def test_no_name_is_given_twice(found: list[Standing]) -> None:
    names = names_for(found, {})
    assert len(set(names)) == len(found)


@given(STANDINGS)
def test_a_name_that_goes_on_is_kept_and_not_given_to_another(found: list[Standing]) -> None:
    names = names_for(found, {1: "Champions"})
    assert names[1] == "Champions"
    assert names.count("Champions") == 1


def test_standings_are_percentiles_among_all_customers() -> None:
    recency = np.array([1.0, 1.0, 50.0, 100.0])
    frequency = np.array([9.0, 9.0, 2.0, 1.0])
    best, worst = standings(recency, frequency, frequency * 10, np.array([0, 0, 1, 1]), 2)
    assert (best.recent, best.frequent, best.valuable) == (0.75, 0.75, 0.75)
    assert (worst.recent, worst.frequent, worst.valuable) == (0.25, 0.25, 0.25)
