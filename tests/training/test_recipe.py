"""Recipes: from features to points, and back from a published scorer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scorer import Scorer
from models.scorer_arrays import Membership
from training.recipe import Recipe, arrays_of, fit_recipe, points_of, recipe_of

RFM = ("recency", "frequency", "monetary")
SURE = Membership(distance=(0.0,), kept=(1.0,), to_runner_up=1.0)
AXIS = Recipe("axis", RFM, "log1p", 0.01, (-0.4, 0.5, 0.3, 0.1, -0.2, 0.05, 0.1, 0.15, -0.1))


def customers(n: int, seed: int = 0) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.random.default_rng(seed).lognormal(3, 1, (n, 3))


@pytest.mark.parametrize("recipe", [Recipe("log", RFM, "log1p", 0.001), Recipe("raw", RFM, "identity", 0.0), AXIS])
def test_a_published_scorer_tells_the_recipe_it_was_made_by(recipe: Recipe) -> None:
    values = customers(500)
    pipeline = fit_recipe(recipe, values, 4, seed=0)
    arrays = arrays_of(pipeline, recipe, (1, 2, 3, 4), SURE, values)
    again = recipe_of(arrays, "again", recipe.tails)
    assert (again.features, again.transform, again.tails) == (recipe.features, recipe.transform, recipe.tails)
    remade = fit_recipe(again, values, 4, seed=0)
    assert np.allclose(points_of(remade, values), points_of(pipeline, values), atol=1e-9)
    assert np.array_equal(remade.predict(values), pipeline.predict(values))


def test_points_are_those_the_scorer_measures_distances_between() -> None:
    values = customers(500)
    pipeline = fit_recipe(AXIS, values, 4, seed=0)
    scorer = Scorer(arrays_of(pipeline, AXIS, (1, 2, 3, 4), SURE, values))
    points = points_of(pipeline, values)
    assert points.shape == (500, 1)
    assert np.allclose(points, scorer.points(values), atol=1e-12)
    assert float(np.std(points)) == pytest.approx(1.0)


def test_the_parts_of_a_centre_add_up_to_it() -> None:
    values = customers(500)
    arrays = arrays_of(fit_recipe(AXIS, values, 4, seed=0), AXIS, (1, 2, 3, 4), SURE, values)
    assert arrays.axis is not None
    assert np.allclose(np.array(arrays.axis.middles).sum(axis=1), np.array(arrays.centres)[:, 0])


def test_along_an_axis_up_to_seven_segments_none_is_under_three_per_cent() -> None:
    values = customers(5_000)
    for k in range(3, 8):
        counts = np.bincount(fit_recipe(AXIS, values, k, seed=0).predict(values), minlength=k)
        assert np.min(counts) >= 0.03 * len(values), k


@given(st.lists(st.integers(0, 4), min_size=30, max_size=60), st.integers(2, 4))
def test_where_many_customers_are_alike_every_centre_is_still_a_different_one(alike: list[int], k: int) -> None:
    values = np.column_stack([np.array(alike, dtype=np.float64)] * 3)
    recipe = Recipe("axis", RFM, "identity", 0.0, (1.0, *(0.0,) * 8))
    if len(set(alike)) > k:
        pipeline = fit_recipe(recipe, values, k, seed=0)
        assert len(np.unique(pipeline.named_steps["cluster"].cluster_centers_)) == k
