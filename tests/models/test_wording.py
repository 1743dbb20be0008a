"""Figures as a person would say them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.features import NAMES
from models.rounding import rounded
from models.wording import measurer, measurer_of_many, number, numbers

FIGURES = st.one_of(
    st.floats(-1e12, 1e12),
    st.floats(-120, 120),
    st.floats(0, 1),
    st.integers(-(10**6), 10**6).map(float),
    st.integers(-12_000, 12_000).map(lambda whole: whole / 100),  # halfway between tenths
    st.integers(-12_000, 12_000).map(lambda whole: whole / 1000),
    st.sampled_from([0.0, -0.0, 0.5, 99.95, 99.949999, 9.995, 9.994999, 1e-7, 2.0**53, 1e300]),
)


@pytest.mark.parametrize(
    ("value", "said"),
    [(1234.4, "1,234"), (100.5, "100"), (12.5, "12.5"), (12.04, "12"), (2.55, "2.55"), (0.123, "0.123"), (3.0, "3")],
)
def test_a_figure_has_the_precision_that_a_person_needs(value: float, said: str) -> None:
    assert number(value) == said


@given(st.lists(FIGURES))
def test_many_figures_are_said_as_one_by_one(values: list[float]) -> None:
    assert numbers(np.array(values, dtype=np.float64)) == [number(value) for value in values]


@pytest.mark.parametrize("feature", [*NAMES, "income"])
@given(values=st.lists(FIGURES))
def test_many_values_of_a_feature_are_measured_as_one_by_one(feature: str, values: list[float]) -> None:
    one = measurer(feature)
    assert measurer_of_many(feature)(np.array(values, dtype=np.float64)) == [one(value) for value in values]


@given(st.lists(st.one_of(st.floats(-1e9, 1e9), st.integers(-(10**9), 10**9).map(lambda whole: whole / 10**5))))
@pytest.mark.parametrize("decimals", [1, 2, 4])
def test_many_numbers_are_rounded_as_one_by_one(decimals: int, values: list[float]) -> None:
    assert rounded(np.array(values, dtype=np.float64), decimals).tolist() == [round(one, decimals) for one in values]
