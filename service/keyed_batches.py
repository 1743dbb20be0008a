"""Batches under an `Idempotency-Key`: sent again, they go on where they were interrupted."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from service.idempotency import Claim
from service.store.assignment import Assignment
from service.store.reader import Reader
from service.store.ulid import number_of, run


class KeyedBatch(NamedTuple):
    """One such batch: its items have consecutive ids, whatever becomes of them. `again` tells that it was sent before,
    so that answers may be stored already; `answered` that all of them are."""

    first: int
    started_at: datetime
    again: bool
    answered: bool
    reader: Reader

    @classmethod
    def of(cls, claim: Claim, reader: Reader) -> "KeyedBatch":
        return cls(number_of(claim.record.first_id), claim.record.started_at, claim.again, claim.answered, reader)

    def ids(self, start: int, count: int) -> list[str]:
        """The ids of `count` items from place `start` on."""
        return run(self.first + start, count)

    def stored(self, ids: list[str]) -> dict[str, Assignment]:
        """What is stored under consecutive ids. Blocking; raises StoreUnavailable."""
        return {row.id: row for row in self.reader.between(ids[0], ids[-1])} if self.again and ids else {}

    def name(self, errors: Iterable[tuple[int, Exception]]) -> None:
        """Has the problems of items, by their places, carry the same request id each time."""
        for place, error in errors:
            named = f"{self.first + place}".encode()
            error.request_id = hashlib.sha256(named).hexdigest()[:16]  # type: ignore[attr-defined]  # any error may be one
