"""Removing answers that are too old, a few at a time."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Self

import sqlalchemy as sa

from service.store.audit import AuditEntry, record
from service.store.engine_trouble import told
from service.store.erasing import erasing
from service.store.schema import assignments, customers
from service.store.ulid import first_of
from service.store.utc_time import utc_text

CHUNK = 1_000
LONGEST_PAUSE = 1.0


class Purged(NamedTuple):
    """How many answers were removed, and how many customers of whom nothing is left."""

    answers: int = 0
    customers: int = 0

    def plus(self, other: Self) -> "Purged":
        return Purged(self.answers + other.answers, self.customers + other.customers)


def purge(
    engine: sa.Engine, before: datetime, who: str, at: datetime, pause: Callable[[float], bool | None] = time.sleep
) -> Purged:
    """Removes the answers that were given before a moment, but for the current ones of customers with newer answers.

    Each thousand is a transaction of its own, and after it others may write for as long: `pause` waits, and says
    whether to end. What was removed is in the audit log, also where it ends early. Raises StoreUnavailable.
    """
    purged, after = Purged(), ""
    try:
        while True:
            begun = time.monotonic()
            with erasing(engine) as connection:
                found = _chunk(connection, before, after)
                if not found:
                    return purged
                done = _remove(connection, found, before)
            purged, after = purged.plus(done), found[-1]
            if pause(min(time.monotonic() - begun, LONGEST_PAUSE)):
                return purged
    finally:
        if purged.answers:
            subject = f"{purged.answers} answers before {utc_text(before)}, {purged.customers} customers wholly"
            record(engine, AuditEntry(at, who, "customers.purged", subject))


def purgeable(engine: sa.Engine, before: datetime) -> Purged:
    """What `purge` would remove now. Raises StoreUnavailable."""
    purged, after = Purged(), ""
    with told():
        while True:
            with engine.connect() as connection:
                found = _chunk(connection, before, after)
                if not found:
                    return purged
                old, current = _old(connection, found, before)
            purged, after = purged.plus(Purged(len(old), len(current))), found[-1]


def _chunk(connection: sa.Connection, before: datetime, after: str) -> list[str]:
    """The next ids in the order of time, which is that of the table on SQLite and of its key on PostgreSQL."""
    query = sa.select(assignments.c.id).where(assignments.c.id > after, assignments.c.id < _earliest(before))
    return list(connection.execute(query.order_by(assignments.c.id).limit(CHUNK)).scalars())


def _old(connection: sa.Connection, ids: list[str], before: datetime) -> tuple[list[str], list[str]]:
    """Those of the answers that are to go, and the customers whose current ones are among them."""
    newer = assignments.alias("newer")
    has_newer = sa.exists().where(newer.c.customer_id == customers.c.customer_id, newer.c.id >= _earliest(before))
    current = (
        sa.select(assignments.c.id, customers.c.customer_id, has_newer)
        .join(customers, customers.c.customer_id == assignments.c.customer_id)
        .where(assignments.c.id.in_(ids), customers.c.assignment_id == assignments.c.id)
    )
    rows = connection.execute(current).all()
    kept = {row[0] for row in rows if row[2]}
    return [one for one in ids if one not in kept], [row[1] for row in rows if not row[2]]


def _remove(connection: sa.Connection, ids: list[str], before: datetime) -> Purged:
    old, current = _old(connection, ids, before)
    connection.execute(sa.delete(customers).where(customers.c.customer_id.in_(current)))
    connection.execute(sa.delete(assignments).where(assignments.c.id.in_(old)))
    return Purged(len(old), len(current))


def _earliest(moment: datetime) -> str:
    """What no id made at the moment or later comes before."""
    return first_of(int(moment.timestamp() * 1000))
