"""Customer ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.customer.customer_id import LONGEST, customer_id


@pytest.mark.parametrize("written", ["17850", "17850.0", " 17850 ", "17850.000", "\t17850\n"])
def test_the_ways_to_write_an_id_are_one_customer(written: str) -> None:
    assert customer_id(written) == "17850"


@pytest.mark.parametrize("kept", ["C-17.50", "17850.5", "00017", "Müller", "a b", "客户"])
def test_other_ids_are_kept_as_they_are(kept: str) -> None:
    assert customer_id(kept) == kept


@pytest.mark.parametrize("refused", ["", "   ", "a\x00b", "a\nb", "x" * (LONGEST + 1), "\u202eabc"])
def test_an_id_nobody_can_have_is_refused(refused: str) -> None:
    with pytest.raises(ValueError, match="a customer id"):
        customer_id(refused)


@given(st.text())
def test_the_one_form_of_an_id_is_its_own_form(text: str) -> None:
    try:
        once = customer_id(text)
    except ValueError:
        return
    assert customer_id(once) == once
