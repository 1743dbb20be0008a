"""The pipeline as arrays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.scorer import Scorer, ScorerArrays
from training.pipeline import arrays_of, build

RANDOM = np.random.default_rng(7)
VALUES = np.column_stack(
    [RANDOM.gamma(2, 40, 900), 1 + RANDOM.poisson(3, 900), RANDOM.lognormal(6, 1, 900) - 100]
).astype(np.float64)
PIPELINE = {name: build(name, VALUES, 5, seed=1).fit(VALUES) for name in ("log1p", "identity")}
SCORER = {
    name: Scorer(arrays_of(pipeline, name, ("recency", "frequency", "monetary"), (1, 2, 3, 4, 5)))
    for name, pipeline in PIPELINE.items()
}
NUMBER = st.floats(-1e12, 1e12, allow_nan=False)
ROW = st.tuples(NUMBER, NUMBER, NUMBER)


@pytest.mark.parametrize("transform", ["log1p", "identity"])
def test_arrays_place_every_customer_as_the_pipeline_does(transform: str) -> None:
    placed = SCORER[transform].place_many(VALUES)
    assert np.array_equal(placed.nearest, PIPELINE[transform].predict(VALUES))


@given(st.lists(ROW, min_size=1, max_size=20), st.sampled_from(["log1p", "identity"]))
def test_one_by_one_and_many_at_once_are_the_same(rows: list[tuple[float, float, float]], transform: str) -> None:
    scorer = SCORER[transform]
    many = scorer.place_many(np.array(rows))
    for index, row in enumerate(rows):
        one = scorer.place(row)
        assert (one.nearest, one.second) == (many.nearest[index], many.second[index])
        assert one.confidence == pytest.approx(many.confidence[index], abs=1e-9)
        assert one.contributions == pytest.approx(many.contributions[index].tolist(), abs=1e-9)


@given(ROW)
def test_contributions_add_up_to_the_margin_between_nearest_and_second(row: tuple[float, float, float]) -> None:
    scorer = SCORER["log1p"]
    placed = scorer.place(row)
    point = scorer.scaled(np.array([row]))[0]
    squares = np.square(point - np.array(scorer.arrays.centres)).sum(axis=1)
    nearest, second = np.sort(squares)[:2]
    assert placed.margin == pytest.approx(second - nearest, abs=1e-9)
    assert placed.margin >= -1e-12
    assert 0.5 <= placed.confidence <= 1.0


def test_on_a_centre_confidence_is_one() -> None:
    scorer = SCORER["identity"]
    arrays = scorer.arrays
    centre = [
        value * scale + mean for value, scale, mean in zip(arrays.centres[2], arrays.scale, arrays.mean, strict=True)
    ]
    assert scorer.place(centre).confidence == pytest.approx(1.0)


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
def test_arrays_that_do_not_fit_together_are_refused(wrong: dict[str, object]) -> None:
    sound = SCORER["log1p"].arrays.model_dump()
    with pytest.raises(ValidationError):
        ScorerArrays.model_validate({**sound, **wrong})
