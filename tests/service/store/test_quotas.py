"""One count of a caller's requests for whoever counts in the same database."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.buckets import Buckets
from service.store.database import open_engine
from service.store.quotas import MINUTE, SECOND, Quotas, Taken
from service.store.schema import quotas as table

BEGIN = 1_323_509_400 * SECOND  # 2011-12-10T09:30:00Z


@dataclass
class Clock:
    """A clock that stands still unless it is moved, in nanoseconds."""

    now: int = BEGIN

    def as_sql(self) -> sa.ColumnElement[int]:
        return sa.bindparam("now", type_=sa.BigInteger, callable_=lambda: self.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def quotas(engine: sa.Engine, clock: Clock) -> Quotas:
    return Quotas(engine, clock.as_sql())


@pytest.fixture
def other(database_url: str, clock: Clock) -> Iterator[Quotas]:
    """The same of another process, as far as the database can tell."""
    engine = open_engine(database_url)
    yield Quotas(engine, clock.as_sql())
    engine.dispose()


def take(quotas: Quotas, caller: str, per_minute: int) -> Taken:
    (taken,) = quotas.take(caller, per_minute)
    return taken


def callers(engine: sa.Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(table.c.caller).order_by(table.c.caller)).scalars())


def test_a_minutes_requests_are_shared_by_all_who_count(quotas: Quotas, other: Quotas, clock: Clock) -> None:
    taken = [take(one, "a", 3) for one in (quotas, other, quotas, other)]
    assert [one.passes for one in taken] == [True, True, True, False]
    assert [one.reset for one in taken] == [20.0, 40.0, 60.0, 60.0]
    clock.now += 20 * SECOND - 1
    assert not take(quotas, "a", 3).passes
    clock.now += 1
    assert take(other, "a", 3).passes
    assert not take(quotas, "a", 3).passes
    assert take(quotas, "b", 3) == (True, 20.0)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from([1, 2, 3, 7, 11, 50]),
            st.one_of(st.integers(0, 500), st.integers(0, 40_000)),  # milliseconds
            st.one_of(st.just(1), st.integers(1, 60)),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_what_is_counted_in_the_database_is_what_is_counted_in_memory(
    engine: sa.Engine, quotas: Quotas, clock: Clock, requests: list[tuple[str, int, int, int]]
) -> None:
    with engine.begin() as connection:
        connection.execute(table.delete())
    buckets, clock.now = Buckets(), BEGIN
    for caller, per_minute, pause, count in requests:
        clock.now += pause * SECOND // 1_000
        expected = [buckets.take(caller, per_minute, (clock.now - BEGIN) / SECOND) for _ in range(count)]
        found = quotas.take(caller, per_minute, count)
        assert [one.passes for one in found] == [one.passes for one in expected]
        assert [one.reset for one in found] == pytest.approx([one.reset for one in expected], abs=1e-6)


@pytest.mark.parametrize("limit", [1, 7, 40])
def test_of_many_at_the_same_time_exactly_the_limit_passes(quotas: Quotas, other: Quotas, limit: int) -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda number: take((quotas, other)[number % 2], "a", limit), range(80)))
    assert sum(one.passes for one in taken) == limit


def test_of_many_at_the_same_time_exactly_the_limit_passes_by_the_databases_clock(engine: sa.Engine) -> None:
    quotas, began = Quotas(engine), time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda number: (number // 8, take(quotas, str(number // 8), 1)), range(8 * 30)))
        more = (time.monotonic() - began) / 60
    passed = Counter(caller for caller, one in taken if one.passes)
    assert set(passed) == set(range(30))
    assert max(passed.values()) <= 1 + more


def test_who_came_first_and_is_counted_second_is_counted(quotas: Quotas, clock: Clock) -> None:
    assert take(quotas, "a", 1).passes
    clock.now -= SECOND // 1_000
    assert not take(quotas, "a", 1).passes
    assert quotas.purge() == 0


def test_groups_at_the_same_time_are_granted_exactly_the_limit(quotas: Quotas, other: Quotas) -> None:
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda number: (quotas, other)[number % 2].take("a", 40, number), range(1, 17)))
    assert [len(group) for group in taken] == list(range(1, 17))
    assert sum(one.passes for group in taken for one in group) == 40
    assert quotas.take("b", 3, 5)[2:] == [(True, 60.0), (False, 60.0), (False, 60.0)]


def test_the_count_outlasts_whoever_counted(database_url: str, clock: Clock) -> None:
    for passes in (True, True, False):
        engine = open_engine(database_url)
        assert take(Quotas(engine, clock.as_sql()), "a", 2).passes == passes
        engine.dispose()


def test_who_has_all_requests_back_is_removed_and_nobody_else(engine: sa.Engine, quotas: Quotas, clock: Clock) -> None:
    take(quotas, "short", 60)
    for _ in range(3):
        take(quotas, "long", 3)
    assert quotas.purge() == 0
    clock.now += SECOND
    assert quotas.purge() == 1
    assert callers(engine) == ["long"]
    assert not take(quotas, "long", 3).passes
    clock.now += MINUTE
    assert quotas.purge() == 1
    assert callers(engine) == []
    assert take(quotas, "long", 3) == (True, 20.0)


def test_a_clock_that_is_set_back_by_hours_keeps_nobody_out(engine: sa.Engine, quotas: Quotas, clock: Clock) -> None:
    take(quotas, "a", 1)
    clock.now -= 3 * 60 * MINUTE
    assert take(quotas, "a", 1).passes
    assert not take(quotas, "a", 1).passes
    take(quotas, "b", 1)
    clock.now -= 3 * 60 * MINUTE
    assert quotas.purge() == 2


def test_the_databases_own_clock_tells_the_time_and_goes_on(engine: sa.Engine) -> None:
    quotas = Quotas(engine)
    assert take(quotas, "a", 1) == (True, 60.0)
    refused = take(quotas, "a", 1)
    assert not refused.passes
    assert 0 < refused.reset <= 60
    with engine.connect() as connection:
        seconds = (
            sa.func.strftime("%s", "now") if engine.dialect.name == "sqlite" else sa.extract("epoch", sa.func.now())
        )
        now, full_at = connection.execute(sa.select(seconds, table.c.full_at)).one()
    assert 0 < full_at / SECOND - float(now) <= 61


def test_limits_beyond_all_measure_are_counted_too(quotas: Quotas) -> None:
    assert all(take(quotas, "a", limit).passes for limit in (2**31 - 1, 10**15))
