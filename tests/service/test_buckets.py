"""How many requests a caller may send, held to the definition."""

from hypothesis import given
from hypothesis import strategies as st

from service.buckets import MINUTE, Buckets


def test_a_minutes_requests_may_be_sent_at_once_and_no_more() -> None:
    buckets = Buckets()
    taken = [buckets.take("a", 3, 100.0) for _ in range(4)]
    assert [one.passes for one in taken] == [True, True, True, False]
    assert [one.remaining for one in taken] == [2, 1, 0, 0]
    assert [one.reset for one in taken] == [20.0, 40.0, 60.0, 60.0]
    assert taken[3].retry_after == 20.0
    assert not buckets.take("a", 3, 119.9).passes
    assert buckets.take("a", 3, 120.0).passes
    assert not buckets.take("a", 3, 120.0).passes
    assert buckets.take("b", 3, 120.0).remaining == 2


def test_to_look_costs_nothing() -> None:
    buckets = Buckets()
    assert [buckets.look("a", 1, 0.0).passes for _ in range(3)] == [True] * 3
    assert len(buckets) == 0


@given(st.integers(1, 50), st.lists(st.floats(0, 30), min_size=1, max_size=200))
def test_in_any_time_no_more_pass_than_a_minutes_and_those_that_came_back(limit: int, pauses: list[float]) -> None:
    buckets, now, passed = Buckets(), 0.0, []
    for pause in pauses:
        now += pause
        if buckets.take("a", limit, now).passes:
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= limit + (passed[last] - passed[first]) * limit / MINUTE + 1e-3


@given(st.integers(1, 50), st.lists(st.floats(0, 30), min_size=1, max_size=50))
def test_who_waits_as_told_passes(limit: int, pauses: list[float]) -> None:
    buckets, now = Buckets(), 0.0
    for pause in pauses:
        now += pause
        found = buckets.take("a", limit, now)
        if not found.passes:
            now += found.retry_after
            assert buckets.take("a", limit, now).passes


def test_no_more_callers_are_remembered_than_may_be_and_the_busiest_are() -> None:
    buckets = Buckets(most_callers=100)
    for _ in range(10):
        buckets.take("busy", 10, 0.0)
    for number in range(1000):
        buckets.take(str(number), 10, 0.0)
        assert len(buckets) <= 100
    assert not buckets.take("busy", 10, 0.0).passes
