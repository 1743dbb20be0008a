"""Categories as numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.category import columns, expand, expand_many

REGIONS = ("East", "North", "West")
LEVELS = {"Gender": ("Female", "Male"), "Region": REGIONS}
FEATURES = ("Age", "Region", "Gender")
CUSTOMER = st.fixed_dictionaries(
    {
        "Age": st.floats(-1e12, 1e12),
        "Gender": st.sampled_from(LEVELS["Gender"]),
        "Region": st.sampled_from(REGIONS),
    }
)


def test_two_levels_make_one_column_and_more_make_one_each() -> None:
    found = columns(FEATURES, LEVELS)
    assert [column.name for column in found] == ["Age", "Region=East", "Region=North", "Region=West", "Gender=Female"]
    assert expand(found, {"Gender": "Male", "Region": "North", "Age": 31}) == [31.0, 0.0, 1.0, 0.0, 0.0]


@given(st.lists(CUSTOMER, min_size=1, max_size=20))
def test_one_by_one_and_many_at_once_are_the_same(customers: list[dict[str, float | str]]) -> None:
    found = columns(FEATURES, LEVELS)
    ages = np.array([one["Age"] for one in customers], dtype=np.float64)
    words = {name: [str(one[name]) for one in customers] for name in LEVELS}
    many = expand_many(found, {"Age": ages}, words)
    assert many.tolist() == [expand(found, one) for one in customers]


@given(st.lists(CUSTOMER, min_size=2, max_size=20, unique_by=lambda one: tuple(one[name] for name in sorted(one))))
def test_customers_that_differ_have_numbers_that_differ(customers: list[dict[str, float | str]]) -> None:
    found = columns(FEATURES, LEVELS)
    assert len({tuple(expand(found, one)) for one in customers}) == len(customers)


@pytest.mark.parametrize("levels", [(), ("Female",), ("", "Male")])
def test_levels_that_tell_no_customers_apart_are_refused(levels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="at least two levels"):
        columns(["Gender"], {"Gender": levels})


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="'Gender=Female'"):
        columns(["Gender", "Gender=Female"], LEVELS)
