"""Whatever is sent as a body, a real process goes on, says what is wrong, and grows by nothing."""

import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings

from tests.service.answers import Allowed, Conversation, documented
from tests.service.malformed import STRUCTURED, Mutation, Sent
from tests.service.requests import by_features
from tests.service.server import Server, server

MUTATED, DRAWN = 4_900, 100  # bodies of each kind, times --fuzz
CONNECTIONS = 4
ENOUGH = 20  # faults, after which no more are looked for
SETTLED = 0.3  # of the bodies, by when all has been used that is kept
MOST_GROWTH = 24_000_000  # bytes from then on, for any number of bodies


@pytest.fixture(scope="module")
def running(shared_url: str, models_dir: Path) -> Iterator[Server]:
    """A service that may say nothing but what is documented, and must be well at the end."""
    # Each thread has an arena of its own otherwise, and these fill up over tens of thousands of bodies.
    one_arena = {"MALLOC_ARENA_MAX": "1"}
    with server(one_arena, database_url=shared_url, models_dir=models_dir) as running:
        assert running.url
        yield running
        assert httpx.post(f"{running.url}/segment", json=by_features(), timeout=60).status_code == 200
        assert [said for said in running.log if "Traceback" in said or '"level":"ERROR"' in said] == []


@pytest.fixture(scope="module")
def allowed(running: Server) -> Allowed:
    return documented(httpx.get(f"{running.url}/openapi.json", timeout=60).json())


class Mutating:
    """Several connections at a time, on which mutated bodies are sent one after another."""

    def __init__(self, running: Server, allowed: Allowed) -> None:
        self.faults: list[str] = []
        self.answered: Counter[int] = Counter()
        self._running, self._allowed = running, allowed
        self._mutations = [Mutation(number) for number in range(CONNECTIONS)]

    def send(self, count: int) -> None:
        """So many of them, and returns when all were answered."""
        threads = [
            threading.Thread(target=self._converse, args=(mutation, count // CONNECTIONS))
            for mutation in self._mutations
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _converse(self, mutation: Mutation, count: int) -> None:
        conversation = Conversation(self._running.port, self._allowed)
        try:
            for _ in range(count):
                if len(self.faults) > ENOUGH:
                    return
                sent = mutation.next()
                try:
                    self.faults += [f"{sent!r:.2000} {fault}" for fault in conversation.faults(sent)]
                except Exception as error:  # whatever it is, it was not an answer; the others go on
                    self.faults.append(f"{sent!r:.2000} was not answered so that it can be read: {error!r}")
                    conversation.close()
        finally:
            conversation.close()
            self.answered.update(conversation.answered)


def test_mutated_bodies_are_answered_as_documented_and_take_no_memory(
    running: Server, allowed: Allowed, fuzz: int
) -> None:
    mutating = Mutating(running, allowed)
    mutating.send(int(MUTATED * fuzz * SETTLED))
    settled = running.memory
    mutating.send(int(MUTATED * fuzz * (1 - SETTLED)))
    assert mutating.faults[:5] == []
    assert mutating.answered.total() >= MUTATED * fuzz - 2 * CONNECTIONS
    assert {200, 400, 413, 415, 422} <= set(mutating.answered)
    assert running.memory - settled < MOST_GROWTH, f"{settled:,} bytes grew to {running.memory:,}"


def test_bodies_with_something_wrong_in_their_structure_are_answered_as_documented(
    running: Server, allowed: Allowed, fuzz: int
) -> None:
    conversation = Conversation(running.port, allowed)

    @settings(max_examples=DRAWN * fuzz, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(STRUCTURED)
    def check(sent: Sent) -> None:
        assert conversation.faults(sent) == []

    before = running.memory
    check()
    conversation.close()
    assert sum(conversation.answered.values()) >= DRAWN * fuzz
    assert running.memory - before < MOST_GROWTH
