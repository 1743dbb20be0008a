"""The smallest uplift a test can show."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.uplift import FEWEST, DetectableUplift, detectable_revenue, detectable_uplift

BASES = st.floats(0, 1)
SIZES = st.integers(0, 20_000)


def or_endless(uplift: float | None) -> float:
    return math.inf if uplift is None else uplift


def powers_and_level(of: DetectableUplift, trials: int, seed: int) -> tuple[float, float]:
    """How often chi-squared without correction shows the uplift where it is there, and anything where nothing is."""
    random = np.random.default_rng(seed)

    def shown(treated_share: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        bought = random.binomial(of.treated, treated_share, trials)
        anyway = random.binomial(of.control, of.base, trials)
        pooled = (bought + anyway) / (of.treated + of.control)
        deviation = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / of.treated + 1 / of.control))
        return (bought / of.treated - anyway / of.control) / deviation

    assert of.uplift is not None
    return float(np.mean(shown(of.base + of.uplift) > 1.959964)), float(np.mean(np.abs(shown(of.base)) > 1.959964))


# Published values ------------------------------------------------------------------------------------


def test_the_table_of_fleiss_levin_and_paik_is_met() -> None:
    # 0.6 against 0.7 at 5 % and 80 %: 376 in each group with their continuity correction, added here by their formula.
    uplift = detectable_uplift(712, 356, 0.6).uplift
    assert uplift == pytest.approx(0.1, abs=1e-4)
    assert round(356 / 4 * (1 + math.sqrt(1 + 4 / (356 * 0.1))) ** 2) == 376


@pytest.mark.parametrize(
    ("each", "base", "power", "uplift"),
    [(50, 0.5, 0.740, 0.25), (76.7, 0.5, 0.90, 0.25), (74, 0.9, 0.80, 0.10)],
)
def test_the_examples_of_the_r_function_power_prop_test_are_met(
    each: float, base: float, power: float, uplift: float
) -> None:
    fewer, enough = (detectable_uplift(2 * n, n, base, power=power).uplift for n in (int(each) - 1, math.ceil(each)))
    assert or_endless(fewer) > uplift
    assert or_endless(enough) == pytest.approx(uplift, abs=1e-3)


def test_the_rise_of_a_mean_follows_the_textbook() -> None:
    # Half a standard deviation takes 63 in each group by the normal approximation (Cohen 1988: 64 by Student's t).
    assert detectable_revenue(126, 63, 100.0, 10.0).uplift == pytest.approx(5.0, abs=0.01)


# What it promises ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("members", "control", "base"),
    [(331, 33, 0.82), (710, 71, 0.45), (535, 54, 0.3), (5000, 500, 0.1), (880, 88, 0.2), (300, 150, 0.5)],
)
def test_a_test_of_that_size_shows_the_uplift_four_times_in_five(members: int, control: int, base: float) -> None:
    power, level = powers_and_level(detectable_uplift(members, control, base), trials=40_000, seed=members)
    assert power == pytest.approx(0.80, abs=0.02)
    assert level == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("base", [0.02, 0.1, 0.3, 0.5])
def test_with_the_fewest_held_out_the_power_is_there_and_the_level_is_kept(base: float) -> None:
    power, level = powers_and_level(detectable_uplift(10 * FEWEST, FEWEST, base), trials=40_000, seed=5)
    assert 0.78 < power < 0.90
    assert level < 0.06


def test_the_mean_of_skewed_spending_is_told_apart_about_as_often_as_said() -> None:
    random, trials = np.random.default_rng(1), 4_000
    found = detectable_revenue(1000, 100, math.exp(0.5), math.sqrt(math.exp(2) - math.e))
    assert found.uplift is not None
    treated = random.lognormal(0, 1, (trials, found.treated)) + found.uplift
    control = random.lognormal(0, 1, (trials, found.control))
    variance = np.var(treated, axis=1, ddof=1) / found.treated + np.var(control, axis=1, ddof=1) / found.control
    shown = (np.mean(treated, axis=1) - np.mean(control, axis=1)) / np.sqrt(variance) > 1.98
    assert 0.75 < float(np.mean(shown)) < 0.85


@given(SIZES, SIZES, st.integers(2, 50), BASES)
def test_times_as_many_members_show_a_smaller_uplift(treated: int, control: int, times: int, base: float) -> None:
    uplift = or_endless(detectable_uplift(treated + control, control, base).uplift)
    assert or_endless(detectable_uplift(times * (treated + control), times * control, base).uplift) <= uplift


@given(SIZES, SIZES, BASES)
def test_an_uplift_is_a_rise_to_at_most_all(treated: int, control: int, base: float) -> None:
    uplift = detectable_uplift(treated + control, control, base).uplift
    assert uplift is None or 0 < uplift <= 1 - base


@given(SIZES, SIZES, BASES)
def test_more_power_asks_for_a_greater_uplift(treated: int, control: int, base: float) -> None:
    members = treated + control
    usual = or_endless(detectable_uplift(members, control, base).uplift)
    assert or_endless(detectable_uplift(members, control, base, power=0.9).uplift) >= usual
    assert or_endless(detectable_uplift(members, control, base, alpha=0.01).uplift) >= usual


@pytest.mark.parametrize(
    ("members", "control", "base"),
    [
        (0, 0, 0.5),
        (9, 1, 0.3),
        (1000, 0, 0.3),
        (1000, 1000, 0.3),
        (1000, FEWEST - 1, 0.1),
        (50, 5, 0.9),
        (500, 50, 1.0),
    ],
)
def test_where_nothing_can_be_shown_none_is_said(members: int, control: int, base: float) -> None:
    found = detectable_uplift(members, control, base)
    assert found.uplift is None
    assert "cannot show a rise" in found.says


# In words --------------------------------------------------------------------------------------------


def test_the_uplift_is_said_in_a_sentence() -> None:
    assert detectable_uplift(331, 33, 0.82).says == (
        "With 331 members, 33 of them held out, a test can show the share who buy again within 90 days rise "
        "from 82 % to 95.9 % or more, with 80 % power at the two-sided 5 % level."
    )


def test_where_the_share_was_not_measured_half_is_assumed_and_said_to_be() -> None:
    found = detectable_uplift(331, 33, None, days=30)
    assert (found.base, found.assumed) == (0.5, True)
    assert found.uplift == detectable_uplift(331, 33, 0.5).uplift
    assert found.says.endswith("The 50 % is assumed: how many buy again was not measured.")
    assert "within 30 days" in found.says


def test_the_rise_of_revenue_is_said_in_a_sentence() -> None:
    assert detectable_revenue(3310, 331, 2500.0, 4000.0).says == (
        "With 3,310 members, 331 of them held out, a test can show revenue per customer within 90 days rise "
        "from 2,500 to 3,149 or more (by 26 %), with 80 % power at the two-sided 5 % level."
    )
    assert "cannot show a rise of revenue" in detectable_revenue(100, 10, 2500.0, 4000.0).says


def test_a_record_is_the_same_after_json() -> None:
    found = detectable_uplift(331, 33, 0.82)
    assert DetectableUplift.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"control": 11}, "11 of 10 members cannot be held out"),
        ({"control": -1}, "cannot be held out"),
        ({"base": 82.0}, "must be from 0 to 1"),
        ({"base": math.nan}, "must be from 0 to 1"),
        ({"days": 0}, "at least one day"),
        ({"alpha": 0.0}, "alpha"),
        ({"power": 1.0}, "power"),
    ],
)
def test_figures_that_cannot_be_are_refused(given: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        detectable_uplift(**{"members": 10, "control": 1, "base": 0.5, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(("mean", "deviation"), [(math.nan, 1.0), (1.0, math.inf), (1.0, -1.0)])
def test_revenue_that_cannot_be_is_refused(mean: float, deviation: float) -> None:
    with pytest.raises(ValueError, match="revenue cannot have"):
        detectable_revenue(1000, 100, mean, deviation)
