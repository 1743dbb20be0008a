"""Which way of making segments is chosen, and how many."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.shops import customers_with, quiet
from training.backtest import Trial
from training.errors import TooFewCustomers
from training.history import Snapshot
from training.options import Option
from training.recipe import Recipe
from training.selection import DEFAULT, _of_limit, halves_agreement, select
from training.value_axis import Lesson

Values = NDArray[np.float64]
PLANE = ("one", "other")


def blobs(k: int, per_blob: int = 120, spread: float = 0.15) -> Values:
    """k well-separated groups on a circle."""
    random = np.random.default_rng(3)
    angles = 2 * np.pi * np.arange(k) / k
    centres = 5 + 3 * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.concatenate([centre + spread * random.standard_normal((per_blob, 2)) for centre in centres])


def option(values: Values, features: Sequence[str] = PLANE, k: int | None = None, asked: bool = False) -> Option:
    """The values as they are, tried with every trial."""
    recipe = Recipe(" and ".join(features), tuple(features), "identity", 0.0)
    return Option(recipe, recipe, [str(at) for at in range(len(values))], values, k=k, asked=asked)


# Without a back-test ---------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [4, 6])
def test_groups_that_are_really_there_are_found_by_clarity(k: int) -> None:
    found = select([option(blobs(k))], range(3, 8), None, 0, quiet)
    assert found.k == k
    assert [one.k for one in found.selection.candidates] == [3, 4, 5, 6, 7]
    assert found.selection.winner.k == k
    assert "clearest of the sound ones" in found.selection.reason
    assert "no back-test" in found.selection.rule


def test_every_candidate_that_was_not_good_enough_says_why() -> None:
    outlier = np.concatenate([blobs(4), [[90.0, 90.0], [91.0, 91.0]]])
    found = select([option(blobs(4)), option(outlier)], [4, 5, 9], None, 0, quiet)
    flaws = [one.excluded for one in found.selection.candidates]
    assert flaws[0] is None
    assert flaws[1] is not None
    assert flaws[1].startswith("stability 0.")
    assert flaws[2] == flaws[5] == "more than 8 segments"
    assert flaws[3] is not None
    assert flaws[3].startswith("smallest share 0.4% is under 3%")


def test_what_was_learned_is_not_chosen_where_nothing_shows_that_it_holds() -> None:
    values = blobs(4)
    learned = Option(Recipe("axis", PLANE, "identity", 0.0, (1.0, 0.5, 0.0, 0.0, 0.0)), None, ["x"] * 480, values)
    found = select([learned, option(values)], [4], None, 0, quiet)
    assert found.option.name == "one and other"
    assert found.selection.candidates[0].excluded == "what it learned could not be shown to hold"


def test_the_same_seed_selects_the_same_with_the_same_figures() -> None:
    first, again = (select([option(blobs(4))], range(3, 6), None, 5, quiet) for _ in range(2))
    assert first.selection == again.selection


def test_noise_without_groups_is_still_segmented_and_said_to_be_unstable() -> None:
    noise = np.random.default_rng(0).standard_normal((400, 2))
    found = select([option(noise)], range(6, 9), None, 0, quiet)
    assert all(one.excluded for one in found.selection.candidates)
    assert "are the most stable, though none is sound" in found.selection.reason
    assert found.selection.winner.stability == max(one.stability for one in found.selection.candidates)


def test_too_few_different_customers_are_refused_with_a_sentence() -> None:
    alike = np.repeat([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]], 50, axis=0)
    with pytest.raises(TooFewCustomers, match="150 customers have too few different feature values to make 4 segments"):
        select([option(alike)], range(4, 9), None, 0, quiet)


def test_the_way_of_the_model_before_is_kept_while_it_is_sound() -> None:
    values = np.column_stack([blobs(3), np.resize([1.0, 5.0], 360)])
    before, plain = option(values, ("one", "other", "third"), k=6), option(blobs(3))
    assert select([plain], [3, 6], None, 0, quiet).k == 3
    kept = select([before, plain], [3, 6], None, 0, quiet)
    assert (kept.option, kept.k) == (before, 6)
    assert [one.k for one in kept.selection.candidates] == [6, 3, 6]
    assert "as the model before made them" in kept.selection.reason


# With one --------------------------------------------------------------------------------------------

FEW, MANY, NOISE = ("frequency", "monetary"), ("frequency", "monetary", "recency"), ("recency",)


def shop(told: bool = True) -> tuple[Trial, dict[tuple[str, ...], Values]]:
    """Three groups by frequency and monetary value who buy again to 10, 50 and 90 %; recency has two that do alike."""
    random = np.random.default_rng(1)
    values = np.column_stack([blobs(3, 200), np.resize([1.0, 5.0], 600) + 0.15 * random.standard_normal(600)])
    bought = random.random(600) < np.repeat([0.1, 0.5, 0.9], 200)
    customers = customers_with(**{name: values[:, at].tolist() for at, name in enumerate(MANY)})
    revenue = np.where(bought, random.lognormal(3, 0.5, 600), 0.0)
    then = Snapshot(datetime(2011, 9, 1, tzinfo=UTC), customers, revenue if told else random.permutation(revenue))
    return Trial(then, 90, 0), {names: customers.matrix(names) for names in (FEW, MANY, NOISE)}


def test_of_those_that_tell_about_the_most_the_one_with_the_fewest_segments_is_chosen() -> None:
    trial, values = shop()
    found = select([option(values[names], names) for names in (MANY, FEW, NOISE)], [2, 3, 6], trial, 0, quiet)
    by_name = {(one.name, one.k): one for one in found.selection.candidates}
    few, more, nothing = (by_name[" and ".join(names), k] for names, k in ((FEW, 3), (MANY, 6), (NOISE, 2)))
    assert (few.excluded, more.excluded, nothing.excluded) == (None, None, None)
    assert few.r_squared is not None
    assert few.r_squared == pytest.approx(more.r_squared, abs=0.03)
    assert nothing.r_squared == pytest.approx(0.0, abs=0.02)
    assert found.selection.winner.k == 3
    assert found.selection.winner.r_squared == pytest.approx(few.r_squared, abs=0.01)
    assert "are the fewest of those that tell about the most" in found.selection.reason


def test_where_no_model_was_before_the_usual_way_is_kept_while_none_tells_significantly_more() -> None:
    random = np.random.default_rng(1)
    values = random.normal(5, 1, (2_000, 2))  # no groups, only more and less
    customers = customers_with(frequency=values[:, 0].tolist(), monetary=values[:, 1].tolist())
    bought = random.random(2_000) < 1 / (1 + np.exp(10 - values.sum(axis=1)))
    trial = Trial(Snapshot(datetime(2011, 9, 1, tzinfo=UTC), customers, np.where(bought, 20.0, 0.0)), 90, 0)
    recipe, ids = Recipe("axis", FEW, "identity", 0.0, (1.0, 1.0, 0.0, 0.0, 0.0)), customers.known.ids
    usual = Option(recipe, recipe, ids, values, (Lesson(ids, values, trial.snapshot.log_revenue),), True)
    found = select([option(values, FEW), usual], [4, DEFAULT, 8], trial, 0, quiet)
    assert [one.excluded is None for one in found.selection.candidates[-3:]] == [True, True, False]
    assert (found.option.name, found.k) == ("axis", DEFAULT)
    assert "are the usual" in found.selection.reason


@pytest.mark.parametrize(
    ("before", "kept"), [((MANY, 6), True), ((NOISE, 2), False)], ids=["tells as much", "tells nothing"]
)
def test_the_way_of_the_model_before_is_kept_while_none_tells_significantly_more(
    before: tuple[tuple[str, ...], int], kept: bool
) -> None:
    trial, values = shop()
    names, k = before
    old = option(values[names], names, k=k)
    found = select([old, option(values[FEW], FEW)], [2, 3, 6], trial, 0, quiet)
    assert found.selection.candidates[0].excluded is None
    assert (found.option is old) == kept
    assert (found.k == k) == kept
    assert ("as by the model before" in found.selection.reason) == kept


def test_what_was_asked_for_is_chosen_whatever_the_others_tell() -> None:
    trial, values = shop()
    asked = option(values[NOISE], NOISE, k=2, asked=True)
    found = select([option(values[FEW], FEW), asked], [2, 3], trial, 0, quiet)
    assert (found.option, found.k) == (asked, 2)
    assert "were asked for" in found.selection.reason


def test_where_nothing_is_told_beyond_chance_there_is_no_back_test_to_choose_by() -> None:
    trial, values = shop(told=False)
    found = select([option(values[MANY], MANY), option(values[FEW], FEW)], [3, 6], trial, 0, quiet)
    assert "There is no back-test to choose by" in found.selection.rule
    sound = [one for one in found.selection.candidates if one.excluded is None]
    first = [one for one in sound if one.features == sound[0].features]  # the clearness of others does not compare
    assert found.selection.winner.features == sound[0].features
    assert found.selection.winner.silhouette == max(one.silhouette for one in first)
    assert found.selection.winner.r_squared is not None


@pytest.mark.parametrize(
    ("r_squared", "limit", "words"),
    [
        (0.1, -0.2, ""),
        (0.1, 0.0, ""),
        (0.127, 1e-9, ""),
        (0.1, 0.004, ""),
        (-0.01, 0.2, ""),
        (0.1, 0.2, ", 50% of the R² of boosted trees (0.200)"),
    ],
)
def test_no_share_is_said_of_what_boosted_trees_do_not_explain(r_squared: float, limit: float, words: str) -> None:
    assert _of_limit(r_squared, limit) == words


def test_two_halves_of_the_customers_find_the_same_groups() -> None:
    assert halves_agreement(option(blobs(4)), 4, 0) == 1.0
    noise = np.random.default_rng(0).standard_normal((400, 2))
    assert halves_agreement(option(noise), 7, 0) < 0.9
