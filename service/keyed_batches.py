"""Batches under an `Idempotency-Key`: sent again, they go on where they were interrupted."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from service.errors import BatchInProgress
from service.store.assignment import Assignment
from service.store.batches import begin
from service.store.reader import Reader
from service.store.ulid import UlidFactory, number_of, run


class KeyedBatch(NamedTuple):
    """One such batch: its items have consecutive ids, whatever becomes of them. `again` tells that it was sent before,
    so that answers may be stored already."""

    first: int
    started_at: datetime
    again: bool
    reader: Reader

    def ids(self, start: int, count: int) -> list[str]:
        """The ids of `count` items from place `start` on."""
        return run(self.first + start, count)

    def stored(self, ids: list[str]) -> dict[str, Assignment]:
        """What is stored under consecutive ids. Blocking; raises StoreUnavailable."""
        return {row.id: row for row in self.reader.between(ids[0], ids[-1])} if self.again and ids else {}


class KeyedBatches:
    """Hands out each key to one request at a time. Of several processes, the store takes each item from one only."""

    def __init__(self, engine: sa.Engine, reader: Reader, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._reader = reader
        self._clock = clock
        self._held: set[str] = set()

    @contextmanager
    def held(self, key: str) -> Iterator[str]:
        """Keeps the key for one request; its digest. Raises BatchInProgress where another request has it."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        if digest in self._held:
            raise BatchInProgress("a batch with this Idempotency-Key is being answered; wait for its end, then resume")
        self._held.add(digest)
        try:
            yield digest
        finally:
            self._held.discard(digest)

    def begin(self, digest: str) -> KeyedBatch:
        """The batch with this key, begun now or before. Blocking; raises StoreUnavailable."""
        now = self._clock()
        # A factory of its own: no other ids go on from this one.
        first_id = UlidFactory().one(int(now.timestamp() * 1000))
        begun = begin(self._engine, digest, first_id, now)
        return KeyedBatch(number_of(begun.first_id), begun.started_at, begun.before, self._reader)
