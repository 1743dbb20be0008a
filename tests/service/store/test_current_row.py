"""The current row against a model that a person can check: the greatest (as_of, id) wins."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.store import postgresql_ledger
from service.store.assignment import Assignment
from service.store.database import ledger_spec
from service.store.ledger import Ledger, entries
from service.store.ledgers import open_ledger
from service.store.reader import Reader
from service.store.schema import assignments, customers
from tests.service.store.records import NOON, PRODUCTS, assignment

# Few customers and few times, so that they meet; the last number shuffles the ids.
ROWS = st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.integers(0, 4), st.integers(0, 1000))
GROUPS = st.lists(st.lists(ROWS, min_size=1, max_size=8), min_size=1, max_size=5)


@pytest.fixture
def ledger(engine: sa.Engine) -> Iterator[Ledger]:
    ledger = open_ledger(ledger_spec(engine))
    yield ledger
    ledger.close()


@pytest.mark.parametrize("copy_from", [1, 500])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(groups=GROUPS)
def test_the_newest_as_of_wins_and_ties_go_to_the_later_id(
    engine: sa.Engine,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    copy_from: int,
    groups: list[list[tuple[str, int, int, int]]],
) -> None:
    # Both ways of writing to PostgreSQL must follow the rule, whatever the number of rows.
    monkeypatch.setattr(postgresql_ledger, "COPY_FROM", copy_from)
    with engine.begin() as connection:
        connection.execute(sa.delete(customers))
        connection.execute(sa.delete(assignments))
    newest: dict[str, Assignment] = {}
    number = 0
    for group in groups:
        rows = []
        for customer, day, segment, shuffle in group:
            number += 1
            row = assignment(
                customer,
                id=f"{shuffle:013d}{number:013d}",
                as_of=NOON + timedelta(days=day),
                segment_id=segment,
                products=PRODUCTS if number % 2 else None,
            )
            rows.append(row)
            newest[customer] = max(newest.get(customer, row), row, key=lambda one: (one.as_of, one.id))
        ledger.write(entries(rows))
    reader = Reader(engine)
    assert {customer: reader.current(customer) for customer in newest} == newest
    for segment in range(5):
        members = {row.customer_id: row for row in reader.audience(segment, None, 10)}
        assert members == {name: row for name, row in newest.items() if row.segment_id == segment}
        assert reader.audience_size(segment) == len(members)


# What the ways to write rows give a meaning of their own: separators, ends of lines, escapes, and how nothing is said.
ODD = st.text(st.sampled_from("\\\t\n\r\bN.'\"{},ä€😀 "), min_size=1, max_size=12)


@pytest.mark.parametrize("copy_from", [1, 500])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(ODD, min_size=1, max_size=20, unique=True))
def test_any_text_comes_back_as_it_was_written(
    engine: sa.Engine, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, copy_from: int, texts: list[str]
) -> None:
    monkeypatch.setattr(postgresql_ledger, "COPY_FROM", copy_from)
    with engine.begin() as connection:
        connection.execute(sa.delete(customers))
        connection.execute(sa.delete(assignments))
    rows = [
        assignment(text, id=f"{number:026d}", segment_name=text, products=text if number % 2 else None)
        for number, text in enumerate(texts)
    ]
    ledger.write(entries(rows))
    reader = Reader(engine)
    assert [reader.current(text) for text in texts] == rows
