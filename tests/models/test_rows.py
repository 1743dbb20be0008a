"""Rows of numbers are to a model what tuples of tuples are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from models.affinity import Count
from models.rows import Rows

COUNTS: TypeAdapter[Rows[Count]] = TypeAdapter(Rows[Count])
NUMBERS: TypeAdapter[Rows[float]] = TypeAdapter(Rows[float])
TUPLES = TypeAdapter(tuple[tuple[float, ...], ...])
numbers = st.floats(allow_nan=False, allow_infinity=False)
tables = st.lists(st.lists(numbers, max_size=5).map(tuple), max_size=6).map(tuple)


@given(tables)
def test_they_are_the_tuples_they_were_made_of(rows: tuple[tuple[float, ...], ...]) -> None:
    made = Rows(rows)
    assert made == rows
    assert len(made) == len(rows)
    assert [made[index] for index in range(len(rows))] == list(rows)
    assert made[1:] == rows[1:]
    assert made != (*rows, ())


@given(tables)
def test_as_json_they_are_the_same_there_and_back(rows: tuple[tuple[float, ...], ...]) -> None:
    text = TUPLES.dump_json(rows)
    assert NUMBERS.validate_json(text) == rows
    assert NUMBERS.dump_json(NUMBERS.validate_json(text)) == text
    assert NUMBERS.validate_python(rows) == rows


def test_whole_numbers_stay_whole() -> None:
    assert COUNTS.dump_json(COUNTS.validate_json(b"[[1,2],[],[3]]")) == b"[[1,2],[],[3]]"


@pytest.mark.parametrize(
    ("text", "where"),
    [(b"[[1],[2,-1]]", (1, 1)), (b'[["a"]]', (0, 0)), (b"[1]", (0,)), (b"[[1.5]]", (0, 0)), (b"1", ())],
)
def test_what_is_wrong_is_told_with_its_place(text: bytes, where: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError) as found:
        COUNTS.validate_json(text)
    assert [one["loc"] for one in found.value.errors()] == [where]


def test_short_rows_have_zeros_behind_and_long_ones_are_refused() -> None:
    made = Rows(((1, 2), (), (3,)))
    assert np.array_equal(made.padded(2), [[1, 2], [0, 0], [3, 0]])
    with pytest.raises(ValueError, match="more than 1 numbers"):
        made.padded(1)
    assert Rows(()).padded(3).shape == (0, 3)
