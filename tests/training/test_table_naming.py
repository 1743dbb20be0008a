"""Names of the segments of a customer table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.table_reading import TableReading
from training.customer_table import CustomerTable, read_customer_table
from training.options import TAILS
from training.recipe import Recipe, fit_recipe
from training.table_columns import Columns
from training.table_naming import names_by_difference
from training.workspace import Workspace


def table_of(**features: Sequence[float] | Sequence[str]) -> CustomerTable:
    """A table in which all columns decide."""
    numbers = {name: np.array(values) for name, values in features.items() if not isinstance(values[0], str)}
    words = {name: tuple(str(value) for value in values) for name, values in features.items() if name not in numbers}
    levels = {name: tuple(sorted(set(values))) for name, values in words.items()}
    count = len(next(iter(features.values())))
    return CustomerTable(
        tuple(map(str, range(count))), numbers, words, tuple(features), levels, (), (), TableReading(id="id")
    )


def names(table: CustomerTable, labels: list[int]) -> list[str]:
    return names_by_difference(table, np.array(labels, dtype=np.intp), max(labels) + 1, {})


def test_a_name_says_how_members_differ_in_the_order_of_the_features() -> None:
    table = table_of(spent_per_year=[1, 2, 8, 9], age=[70, 60, 20, 30])
    assert names(table, [0, 0, 1, 1]) == ["Low spent per year, high age", "High spent per year, low age"]


def test_words_that_decide_are_named_by_what_most_members_have() -> None:
    table = table_of(Gender=["Female"] * 10 + ["Male"] * 7 + ["Female"] * 3, Score=[float(at) for at in range(20)])
    assert names(table, [0] * 10 + [1] * 10) == ["Gender Female, low Score", "Gender mostly Male, high Score"]


def test_two_segments_alike_in_two_columns_are_told_apart_by_a_third_or_by_finer_words() -> None:
    third = table_of(a=[9, 9, 9, 9, 1, 1, 1, 1], b=[9, 9, 9, 9, 1, 1, 1, 1], c=[8, 4, 1, 5, 2, 3, 6, 7])
    assert names(third, [0, 0, 1, 1, 2, 2, 2, 2]) == ["High a, high b, high c", "High a, high b, low c", "Low a, low b"]
    finer = table_of(age=[float(at) for at in range(20)])
    assert names(finer, [0] * 5 + [1] * 2 + [2] * 8 + [3] * 5) == ["Very low age", "Low age", "Average age", "High age"]


@given(st.integers(2, 12), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_no_name_is_given_twice_and_a_name_that_goes_on_is_kept(k: int, d: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    table = table_of(**{f"f{at}": random.integers(0, 3, 4 * k).astype(float).tolist() for at in range(d)})
    labels = np.arange(4 * k, dtype=np.intp) % k
    first = names_by_difference(table, labels, k, {})
    assert len(set(first)) == k
    taken = {1: first[0]}
    again = names_by_difference(table, labels, k, taken)
    assert again[1] == first[0]
    assert len(set(again)) == k


def test_the_mall_has_the_names_everybody_gives_its_groups(real_data: Path) -> None:
    with Workspace() as workspace:
        table = read_customer_table(
            real_data / "Mall_Customers.csv", workspace, Columns("CustomerID", ["Annual Income", "Spending Score"])
        )
    values = table.matrix()
    recipe = Recipe("as they are", table.features, table.transform, TAILS)
    labels = fit_recipe(recipe, values, 5, seed=0).predict(values).astype(np.intp)
    assert set(names_by_difference(table, labels, 5, {})) == {
        "Average Annual Income, average Spending Score",
        "High Annual Income, high Spending Score",
        "High Annual Income, low Spending Score",
        "Low Annual Income, high Spending Score",
        "Low Annual Income, low Spending Score",
    }
