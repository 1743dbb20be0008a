"""The holdout group."""

import math
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.holdout import held_out

MODEL_DOCUMENT = Path(__file__).parents[2] / "docs" / "model.md"
MANY = 100_000
IDS = [str(number) for number in range(MANY)]
SHARES = st.floats(0, 1)


def deviations(count: int, share: float) -> float:
    """How many binomial standard deviations a count among MANY lies from what a share leads to expect."""
    return abs(count - MANY * share) / math.sqrt(MANY * share * (1 - share))


def test_who_is_held_out_never_changes() -> None:
    # Pinned: another group in a running test would mix those who had the advice with those who had not.
    assert [one for one in IDS[12346:12440] if held_out(one)] == [
        "12350", "12377", "12407", "12410", "12418", "12419", "12433", "12439",
    ]  # fmt: skip
    assert [name for name in ("Müller", "客户", "a b", "d e") if held_out(name, share=0.5)] == ["Müller", "客户", "d e"]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("key", ["recommendations", "spring letter", ""])
def test_as_many_are_held_out_as_the_share_says(key: str, share: float) -> None:
    assert deviations(sum(held_out(one, key, share) for one in IDS), share) < 4


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_two_tests_hold_out_customers_independently(share: float) -> None:
    both = sum(held_out(one, "spring letter", share) and held_out(one, "autumn letter", share) for one in IDS)
    assert deviations(both, share**2) < 4


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")), SHARES, SHARES)
def test_a_greater_share_keeps_those_who_were_held_out_before(
    customer: str, key: str, one: float, other: float
) -> None:
    less, more = sorted((one, other))
    assert held_out(customer, key, less) <= held_out(customer, key, more)


@given(st.text(st.characters(codec="utf-8")))
def test_none_and_all_can_be_held_out(customer: str) -> None:
    assert not held_out(customer, share=0)
    assert held_out(customer, share=1)


@pytest.mark.parametrize("share", [-0.1, 1.1, 10, float("nan")])
def test_a_share_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="must be from 0 to 1"):
        held_out("17850", share=share)


@pytest.fixture
def customers(postgresql_url: str) -> Iterator[psycopg.Connection[tuple[str]]]:
    """A connection that sees a table `customers` of its own."""
    with psycopg.connect(postgresql_url.replace("postgresql+psycopg://", "postgresql://", 1)) as connection:
        connection.execute("CREATE TEMPORARY TABLE customers (customer_id text)")
        yield connection
        connection.rollback()


def test_the_documented_query_finds_the_same_customers(customers: psycopg.Connection[tuple[str]]) -> None:
    ids = [*IDS[12000:14000], "Müller", "客户", "a b", "d:e"]
    customers.cursor().executemany("INSERT INTO customers VALUES (%s)", [(one,) for one in ids])
    [query] = re.findall(r"```sql\n(.*?)```", MODEL_DOCUMENT.read_text("utf-8"), re.DOTALL)
    found = {row[0] for row in customers.execute(query.encode())}
    assert found == {one for one in ids if held_out(one)}
