"""Every question the service asks its database, by name."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from service.store.assignment import Assignment
from service.store.breaker import Breaker
from service.store.engine_trouble import told
from service.store.schema import assignments, customers, verified_models

T = TypeVar("T")

LONG = 0.005  # seconds; what is counted faster is counted each time
STANDS = 100

# The features stay the text they were stored as: whoever wants the values decodes them.
COLUMNS = [sa.cast(column, sa.Text) if column.name == "features" else column for column in assignments.c]
CURRENT = sa.select(*COLUMNS).join(customers, customers.c.assignment_id == assignments.c.id)


class Reader:
    """Answers from the store; every method blocks, and raises StoreUnavailable on database trouble."""

    def __init__(self, engine: sa.Engine) -> None:
        # One statement needs no BEGIN and ROLLBACK around it, which are round trips on PostgreSQL.
        alone = engine.dialect.name == "postgresql"
        self._sizes: dict[int, tuple[int, float]] = {}  # by segment, and until when (monotonic seconds) they stand
        self._breaker = Breaker()
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT") if alone else engine

    def current(self, customer_id: str) -> Assignment | None:
        """The customer's current assignment."""
        return self._one(CURRENT.where(customers.c.customer_id == customer_id), customer_id)

    def find(self, assignment_id: str) -> Assignment | None:
        """The assignment of this id."""
        return self._one(sa.select(*COLUMNS).where(assignments.c.id == assignment_id), assignment_id)

    def between(self, first: str, last: str) -> list[Assignment]:
        """The assignments with ids from `first` to `last`."""
        return self._many(sa.select(*COLUMNS).where(assignments.c.id.between(first, last)))

    def history(self, customer_id: str, before: str | None, limit: int) -> list[Assignment]:
        """At most `limit` assignments of a customer, newest first; the next page is `before` the last one's id."""
        query = sa.select(*COLUMNS).where(assignments.c.customer_id == customer_id)
        if before is not None:
            query = query.where(assignments.c.id < before)
        return self._many(query.order_by(assignments.c.id.desc()).limit(limit), customer_id, before)

    def audience(self, segment_id: int, after: str | None, limit: int) -> list[Assignment]:
        """At most `limit` current members by customer id; the next page is `after` the last one's customer id."""
        query = CURRENT.where(customers.c.segment_id == segment_id)
        if after is not None:
            query = query.where(customers.c.customer_id > after)
        return self._many(query.order_by(customers.c.customer_id).limit(limit), after)

    def audience_size(self, segment_id: int) -> int:
        """How many customers are in the segment. Of a large one it is how many were a moment before: to count millions
        takes longer than a page of them, so a count stands for a hundred times as long as it took."""
        size, until = self._sizes.get(segment_id, (0, 0.0))
        started = time.monotonic()
        if started >= until:
            query = sa.select(sa.func.count()).select_from(customers).where(customers.c.segment_id == segment_id)
            size = self._asked(lambda connection: connection.execute(query).scalar_one())
            counted = time.monotonic()
            stands = STANDS * (counted - started) if counted - started > LONG else 0.0
            self._sizes[segment_id] = (size, counted + stands)
        return size

    def last_assigned(self) -> datetime | None:
        """When the latest answer was given, by the order of the ids."""
        query = sa.select(assignments.c.assigned_at).order_by(assignments.c.id.desc()).limit(1)
        return self._asked(lambda connection: connection.execute(query).scalar())

    def verified(self, digest: str) -> bool:
        """Whether the model of this digest was proved and remembered."""
        query = sa.select(verified_models.c.digest).where(verified_models.c.digest == digest)
        return self._asked(lambda connection: connection.execute(query).first()) is not None

    def ping(self) -> float:
        """The seconds one look into the history takes: the database answers and the tables are there."""
        started = time.perf_counter()
        query = sa.select(assignments.c.id).limit(1)
        self._asked(lambda connection: connection.execute(query).first())
        return time.perf_counter() - started

    def _one(self, query: sa.Select[*tuple[object, ...]], *keys: str | None) -> Assignment | None:
        found = self._many(query, *keys)
        return found[0] if found else None

    def _many(self, query: sa.Select[*tuple[object, ...]], *keys: str | None) -> list[Assignment]:
        if not all(map(_storable, keys)):
            return []
        rows = self._asked(lambda connection: connection.execute(query).all())
        return [Assignment.from_row(row) for row in rows]

    def _asked(self, question: Callable[[sa.Connection], T]) -> T:
        with self._breaker.closed(), told(), self._engine.connect() as connection:
            return question(connection)


def _storable(key: str | None) -> bool:
    """Whether a database can hold this text at all; PostgreSQL calls even the question an error."""
    return key is None or ("\0" not in key and not any("\ud800" <= character <= "\udfff" for character in key))
