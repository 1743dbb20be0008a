import pytest

from service.store.breaker import PAUSE_SECONDS, Breaker
from service.store.errors import StoreUnavailable


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def ask(breaker: Breaker, lost: bool | None = None) -> None:
    with breaker.closed():
        if lost is not None:
            raise StoreUnavailable("gone", lost=lost)


def test_after_a_lost_connection_questions_are_refused_for_a_while_and_then_one_is_let_through() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    with pytest.raises(StoreUnavailable):
        ask(breaker, lost=True)
    with pytest.raises(StoreUnavailable, match="gone"):
        ask(breaker)
    clock.now += PAUSE_SECONDS
    with breaker.closed(), pytest.raises(StoreUnavailable):  # one tries, a second is refused
        ask(breaker)
    ask(breaker)


def test_when_the_one_that_tries_fails_too_the_others_wait_again() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            ask(breaker, lost=True)
        with pytest.raises(StoreUnavailable):
            ask(breaker)
        clock.now += PAUSE_SECONDS
    ask(breaker)
    ask(breaker)


def test_a_question_that_fails_by_itself_keeps_nobody_else_from_asking() -> None:
    breaker = Breaker(Clock())
    with pytest.raises(StoreUnavailable):
        ask(breaker, lost=False)
    ask(breaker)


def test_any_other_error_of_the_one_that_tries_lets_the_next_one_try() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    with pytest.raises(StoreUnavailable):
        ask(breaker, lost=True)
    clock.now += PAUSE_SECONDS
    with pytest.raises(ZeroDivisionError), breaker.closed():
        raise ZeroDivisionError
    clock.now += PAUSE_SECONDS
    ask(breaker)
