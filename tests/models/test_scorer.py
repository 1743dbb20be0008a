"""The pipeline as arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.scorer import Scorer
from models.scorer_arrays import Membership, ScorerArrays
from training.recipe import Recipe, arrays_of, fit_recipe

RANDOM = np.random.default_rng(7)
RFM = ("recency", "frequency", "monetary")
VALUES = np.column_stack(
    [RANDOM.gamma(2, 40, 900), 1 + RANDOM.poisson(3, 900), RANDOM.lognormal(6, 1, 900) - 100]
).astype(np.float64)
CURVE = Membership(distance=(0.0, 0.1, 0.5, 2.0), kept=(0.5, 0.7, 0.95, 1.0), to_runner_up=0.9)
AXIS = (-0.4, 0.5, 0.3, 0.1, -0.2, 0.05, 0.1, 0.15, -0.1)
RECIPES = {
    "log1p": Recipe("log", RFM, "log1p", 0.001),
    "identity": Recipe("raw", RFM, "identity", 0.001),
    "along an axis": Recipe("axis", RFM, "log1p", 0.01, AXIS),
    "along an axis of raw values": Recipe("raw axis", RFM, "identity", 0.01, AXIS),
}
PIPELINE = {name: fit_recipe(recipe, VALUES, 5, seed=1) for name, recipe in RECIPES.items()}
SCORER = {
    name: Scorer(arrays_of(pipeline, RECIPES[name], (1, 2, 3, 4, 5), CURVE, VALUES))
    for name, pipeline in PIPELINE.items()
}
ANY = st.sampled_from(sorted(RECIPES))
NUMBER = st.floats(-1e12, 1e12, allow_nan=False) | st.floats(0, 1000)
ROW = st.tuples(NUMBER, NUMBER, NUMBER)


@pytest.mark.parametrize("name", RECIPES)
def test_arrays_place_every_customer_as_the_pipeline_does(name: str) -> None:
    unseen = np.random.default_rng(8).lognormal(3, 2.5, (5_000, 3)) - 5
    for values in (VALUES, unseen):
        assert np.array_equal(SCORER[name].place_many(values).nearest, PIPELINE[name].predict(values))


@given(st.lists(ROW, min_size=1, max_size=20), ANY)
def test_one_by_one_and_many_at_once_are_the_same(rows: list[tuple[float, float, float]], name: str) -> None:
    scorer = SCORER[name]
    many = scorer.place_many(np.array(rows))
    for index, row in enumerate(rows):
        one = scorer.place(row)
        assert (one.nearest, one.second) == (many.nearest[index], many.second[index])
        assert one.confidence == pytest.approx(many.confidence[index], abs=1e-9)
        assert one.contributions == pytest.approx(many.contributions[index].tolist(), abs=1e-9)


@given(ROW, ANY)
def test_contributions_add_up_to_the_margin_between_nearest_and_second(
    row: tuple[float, float, float], name: str
) -> None:
    scorer = SCORER[name]
    placed = scorer.place(row)
    point = scorer.points(np.array([row]))[0]
    squares = np.square(point - np.array(scorer.arrays.centres)).sum(axis=1)
    nearest, second = np.sort(squares)[:2]
    assert len(placed.contributions) == 3
    assert placed.margin == pytest.approx(second - nearest, abs=1e-9)
    assert placed.margin >= -1e-9


@given(st.lists(ROW, min_size=2, max_size=20), ANY)
def test_confidence_is_a_share_and_grows_with_the_distance_from_the_border(
    rows: list[tuple[float, float, float]], name: str
) -> None:
    placed = SCORER[name].place_many(np.array(rows))
    assert np.all((placed.border >= 0) & (placed.confidence >= 0.5) & (placed.confidence <= 1.0))
    assert np.all(np.diff(placed.confidence[np.argsort(placed.border, kind="stable")]) >= 0)


@pytest.mark.parametrize(("border", "confidence"), [(0.0, 0.5), (0.05, 0.6), (0.1, 0.7), (0.3, 0.825), (9.0, 1.0)])
def test_confidence_is_read_off_the_curve_at_the_distance_from_the_border(border: float, confidence: float) -> None:
    arrays = SCORER["identity"].arrays
    centres = np.array(arrays.centres)
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2) + 99 * np.eye(5)
    near, far = np.unravel_index(np.argmin(apart), apart.shape)  # no third centre is as near to the middle of these
    step = (centres[near] - centres[far]) / apart[near, far]
    wide = arrays.model_copy(update={"lower": (-1e9,) * 3, "upper": (1e9,) * 3})
    both = wide.model_copy(update={"centres": wide.centres[near : near + 1] + wide.centres[far : far + 1]})
    scorer = Scorer(both.model_copy(update={"segment_ids": (1, 2)}))
    point = (centres[near] + centres[far]) / 2 + (border + 1e-12) * step
    placed = scorer.place((point * np.array(arrays.scale) + np.array(arrays.mean)).tolist())
    assert placed.nearest == 0
    assert placed.confidence == pytest.approx(confidence, abs=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": (1.0, 0.0, 1.0)},
        {"scale": (1.0, 1.0)},
        {"centres": ((0.0, 0.0, 0.0),)},
        {"segment_ids": (1, 1, 2, 3, 4)},
        {"transform": "eval"},
        {"mean": (0.0, float("nan"), 0.0)},
        {"lower": (9e15, 0.0, 0.0)},
    ],
)
@pytest.mark.parametrize("name", ["log1p", "along an axis"])
def test_arrays_that_do_not_fit_together_are_refused(name: str, wrong: dict[str, object]) -> None:
    sound = SCORER[name].arrays.model_dump()
    with pytest.raises(ValidationError):
        ScorerArrays.model_validate({**sound, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"linear": (1.0, 2.0)},
        {"products": ((0.0,) * 3,) * 2},
        {"products": ((0.0,) * 2,) * 3},
        {"middles": ((0.0,) * 3,) * 4},
        {"middles": ((0.0,) * 2,) * 5},
    ],
)
def test_an_axis_that_does_not_fit_is_refused(wrong: dict[str, object]) -> None:
    sound = SCORER["along an axis"].arrays.model_dump()
    with pytest.raises(ValidationError):
        ScorerArrays.model_validate({**sound, "axis": {**sound["axis"], **wrong}})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kept": (0.5, 0.7)}, "as many shares as distances"),
        ({"distance": (), "kept": ()}, "as many shares as distances"),
        ({"distance": (0.0, 0.5, 0.5, 2.0)}, "must grow"),
        ({"kept": (0.5, 0.7, 0.95, 1.2)}, "not between 0 and 1"),
        ({"to_runner_up": -0.1}, "not between 0 and 1"),
    ],
)
def test_a_membership_curve_that_does_not_fit_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Membership.model_validate({**CURVE.model_dump(), **wrong})
