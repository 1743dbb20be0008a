"""Numbers as texts, many at once or quickly, are the texts of each by itself."""

import json

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from service.number_texts import SHARE_DECIMALS, number_bytes, number_texts, share_text


@given(st.one_of(st.floats(0, 1), st.integers(0, 10_000).map(lambda whole: whole / 10_000)))
@example(0.00005)
@example(0.99995)
@example(1.0)
def test_a_share_is_told_as_it_is_rounded(share: float) -> None:
    assert share_text(share) == repr(round(share, SHARE_DECIMALS))


@given(st.lists(st.floats(allow_infinity=False)))
def test_a_column_of_numbers_is_told_as_json_has_each(numbers: list[float]) -> None:
    texts = number_texts(np.array(numbers, dtype=np.float64))
    assert [json.loads(text) for text in texts] == [None if one != one else one for one in numbers]
    assert number_bytes(np.array(numbers, dtype=np.float64)) == [text.encode() for text in texts]
