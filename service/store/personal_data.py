"""What the store holds of a customer: told, erased, and kept from being stored again."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from service.store.assignment import Assignment
from service.store.audit import AuditEntry, append, record
from service.store.customer_digest import Digest, digest_of_store, keyed_digest
from service.store.engine_trouble import told
from service.store.erasing import erasing
from service.store.reader import COLUMNS
from service.store.schema import assignments, audit, customers, metadata, suppression_list, suppressions
from service.store.upsert import insert_into

PAGE = 1_000
# So long the database itself refuses a customer who was suppressed; by then every process refuses it by the list.
GUARDED = timedelta(hours=1)
# Answers that are kept to be given again, whose rows say by `customer_digest`, the SHA-256 of the id, whose they are.
REPLAYED = [table for table in metadata.sorted_tables if "customer_digest" in table.c]


class Erased(NamedTuple):
    """What was removed: answers, the current row (0 or 1), and answers kept for requests sent again."""

    answers: int
    current: int
    replays: int


class Done(NamedTuple):
    """An entry of the audit log about a customer."""

    at: datetime
    who: str
    what: str


class Holding(NamedTuple):
    """What is known of a customer beside the answers, which have ids up to `last`; None where there is none."""

    current: dict[str, Any] | None
    last: str | None
    suppressed_at: datetime | None
    done: list[Done]


class Suppression(NamedTuple):
    """A customer of whom nothing may be stored, by digest."""

    digest: str
    suppressed_at: datetime


class SuppressionList(NamedTuple):
    """The digests of the suppressed, how they are made, and which state of the list this is."""

    version: int
    digest: Digest
    suppressed: frozenset[str]


class PersonalData:
    """Every method blocks, and raises StoreUnavailable on database trouble. `who` is what the audit log says."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def erase(self, customer_id: str, who: str, at: datetime, suppress: bool = False) -> Erased:
        """Removes all that is held of the customer in one transaction; with `suppress` nothing is stored ever after.

        What was acknowledged before is gone, also while others store answers for the same customer.
        """
        with erasing(self._engine) as connection:
            digest = digest_of_store(connection)(customer_id)
            if suppress:
                self._suppress(connection, digest, customer_id, at)
            erased = Erased(
                _removed(connection, assignments, assignments.c.customer_id == customer_id),
                _removed(connection, customers, customers.c.customer_id == customer_id),
                sum(_removed(connection, table, table.c.customer_digest == _plain(customer_id)) for table in REPLAYED),
            )
            append(connection, AuditEntry(at, who, "customer.suppressed" if suppress else "customer.erased", digest))
        return erased

    def lift(self, customer_id: str, who: str, at: datetime) -> bool:
        """Takes the customer off the suppression list; False where it was not on it."""
        with erasing(self._engine) as connection:
            digest = digest_of_store(connection)(customer_id)
            if not _removed(connection, suppressions, suppressions.c.digest == digest):
                return False
            _count_up(connection)
            append(connection, AuditEntry(at, who, "customer.unsuppressed", digest))
        return True

    def suppressed(self) -> list[Suppression]:
        """The suppression list, the latest first."""
        query = sa.select(suppressions.c.digest, suppressions.c.suppressed_at)
        with told(), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(suppressions.c.suppressed_at.desc(), suppressions.c.digest))
            return [Suppression(*row) for row in rows]

    def list_after(self, version: int | None, at: datetime) -> SuppressionList | None:
        """The suppression list where it is not the one of `version`. Forgets the ids that are guarded no longer."""
        old = suppressions.c.customer_id.is_not(None) & (suppressions.c.suppressed_at < at - GUARDED)
        state = sa.select(
            suppression_list.c.key, suppression_list.c.version, sa.select(sa.literal(1)).where(old).exists()
        )
        with told(), self._engine.connect() as connection, connection.begin():
            key, found, has_old = connection.execute(state).one()
            digests = [] if found == version else connection.execute(sa.select(suppressions.c.digest)).scalars().all()
        if has_old:
            with erasing(self._engine) as connection:
                connection.execute(sa.update(suppressions).where(old).values(customer_id=None))
        return None if found == version else SuppressionList(found, keyed_digest(key), frozenset(digests))

    def holding(self, customer_id: str) -> Holding:
        """All that is held of the customer but the answers themselves."""
        newest = sa.select(sa.func.max(assignments.c.id)).where(assignments.c.customer_id == customer_id)
        with told(), self._engine.connect() as connection:
            digest = digest_of_store(connection)(customer_id)
            row = connection.execute(sa.select(customers).where(customers.c.customer_id == customer_id)).mappings()
            since = sa.select(suppressions.c.suppressed_at).where(suppressions.c.digest == digest)
            entries = sa.select(audit.c.at, audit.c.who, audit.c.what).where(audit.c.subject == digest)
            return Holding(
                current=next((dict(found) for found in row), None),
                last=connection.execute(newest).scalar_one(),
                suppressed_at=connection.execute(since).scalar_one_or_none(),
                done=[Done(*found) for found in connection.execute(entries.order_by(audit.c.sequence))],
            )

    def answers(self, customer_id: str, last: str) -> Iterator[Assignment]:
        """The customer's answers up to the one with the id `last`, the oldest first, read page by page."""
        query = sa.select(*COLUMNS).where(assignments.c.customer_id == customer_id, assignments.c.id <= last)
        after = ""
        while after < last:
            page = query.where(assignments.c.id > after).order_by(assignments.c.id).limit(PAGE)
            with told(), self._engine.connect() as connection:
                rows = [Assignment.from_row(row) for row in connection.execute(page)]
            if not rows:
                return  # erased meanwhile
            yield from rows
            after = rows[-1].id

    def tell(self, customer_id: str, who: str, at: datetime) -> None:
        """Notes in the audit log that the customer's data were given out."""
        with told(), self._engine.connect() as connection:
            digest = digest_of_store(connection)(customer_id)
        record(self._engine, AuditEntry(at, who, "customer.exported", digest))

    def _suppress(self, connection: sa.Connection, digest: str, customer_id: str, at: datetime) -> None:
        insert = insert_into(suppressions, self._engine.dialect.name)
        row = insert.values(digest=digest, customer_id=customer_id, suppressed_at=at)
        connection.execute(row.on_conflict_do_nothing(index_elements=["digest"]))
        _count_up(connection)


def _plain(customer_id: str) -> str:
    return hashlib.sha256(customer_id.encode()).hexdigest()


def _removed(connection: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.delete(table).where(which)).rowcount


def _count_up(connection: sa.Connection) -> None:
    connection.execute(sa.update(suppression_list).values(version=suppression_list.c.version + 1))
