import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.store.ulid import ALPHABET, LATEST_MS, GivenIds, UlidFactory, number_of, run

TIMES = st.integers(0, LATEST_MS - 1)


def milliseconds(ulid: str) -> int:
    number = 0
    for character in ulid[:10]:
        number = number * 32 + ALPHABET.index(character)
    return number


@given(TIMES)
def test_an_id_carries_its_time_in_26_characters_of_the_alphabet(at_ms: int) -> None:
    ulid = UlidFactory().one(at_ms)
    assert len(ulid) == 26
    assert set(ulid) <= set(ALPHABET)
    assert milliseconds(ulid) == at_ms


@given(st.lists(st.tuples(TIMES, st.integers(0, 3000)), max_size=8))
def test_ids_rise_strictly_whatever_the_clock_does(calls: list[tuple[int, int]]) -> None:
    factory = UlidFactory()
    made: list[str] = []
    for at_ms, count in calls:
        made += factory.many(count, at_ms)
        made.append(factory.one(at_ms))
    assert made == sorted(set(made))
    assert all(len(ulid) == 26 for ulid in made)


@given(TIMES, st.integers(0, 5000))
def test_many_is_as_many_times_one(at_ms: int, count: int) -> None:
    factory = UlidFactory()
    before = factory.one(at_ms)
    ids = factory.many(count, at_ms)
    after = factory.one(at_ms)
    assert len(ids) == count
    numbers = [decoded(ulid) for ulid in [before, *ids, after]]
    assert numbers == list(range(numbers[0], numbers[0] + count + 2))


def decoded(ulid: str) -> int:
    number = 0
    for character in ulid:
        number = number * 32 + ALPHABET.index(character)
    return number


def test_threads_never_get_the_same_id() -> None:
    factory = UlidFactory()
    made: list[list[str]] = [[] for _ in range(4)]

    def make(mine: list[str]) -> None:
        for _ in range(500):
            mine += factory.many(3, 1000)
            mine.append(factory.one(1000))

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({ulid for mine in made for ulid in mine}) == 4 * 500 * 4
    assert all(mine == sorted(mine) for mine in made)


def test_factories_differ_in_the_same_millisecond() -> None:
    assert len({UlidFactory().one(1) for _ in range(100)}) == 100


@pytest.mark.parametrize("at_ms", [-1, LATEST_MS + 1])
def test_a_time_that_does_not_fit_is_refused(at_ms: int) -> None:
    with pytest.raises(ValueError, match="cannot carry the time"):
        UlidFactory().one(at_ms)


def test_a_run_is_the_numbers_one_after_another() -> None:
    first = UlidFactory().one(1_323_475_200_000)
    ids = run(number_of(first), 3_000)
    assert ids[0] == first
    assert ids == sorted(set(ids))
    assert [number_of(one) - number_of(first) for one in ids] == list(range(3_000))


def test_given_ids_are_given_out_whole() -> None:
    assert GivenIds(["a", "b"]).many(2, 0) == ["a", "b"]
    with pytest.raises(ValueError, match="1 ids are asked for, and 2 were chosen"):
        GivenIds(["a", "b"]).many(1, 0)
