"""Whom a store has erased and suppressed, and the same done again in a restored backup, which knows nothing of it."""

from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from service.store.audit import COMMAND_LINE, AuditEntry, append
from service.store.customer_digest import keyed_digest
from service.store.engine_trouble import told
from service.store.erasing import erasing
from service.store.errors import BackupRefused
from service.store.idempotency import digest_of_customer
from service.store.personal_data import REPLAYED
from service.store.schema import assignments, audit, customers, suppression_list, suppressions

ERASING = ("customer.erased", "customer.suppressed")


class Erasures(NamedTuple):
    """The suppression list, row by row, and when each customer was last erased, all by digests made with `key`.

    `digests` are of all customers in the list and in the audit log.
    """

    key: str
    listed: list[dict[str, Any]]
    erased_at: dict[str, datetime]
    digests: frozenset[str]


class Carried(NamedTuple):
    """Customers suppressed anew, customers suppressed no longer, and answers removed."""

    suppressed: int = 0
    lifted: int = 0
    answers: int = 0


def erasures_in(engine: sa.Engine) -> Erasures | None:
    """None for a database from before there was a list, or without tables. Raises StoreUnavailable."""
    erased = sa.select(audit.c.subject, sa.func.max(audit.c.at)).where(audit.c.what.in_(ERASING))
    with told(), engine.connect() as connection:
        if not sa.inspect(connection).has_table(suppressions.name):
            return None
        return Erasures(
            connection.execute(sa.select(suppression_list.c.key)).scalar_one(),
            [dict(row) for row in connection.execute(sa.select(suppressions)).mappings()],
            dict(tuple(row) for row in connection.execute(erased.group_by(audit.c.subject))),
            _digests(connection),
        )


def carry_over(erasures: Erasures, engine: sa.Engine, at: datetime) -> Carried:
    """Gives a restored store, which has all tables, the list, and removes whom the list and the log say was erased.

    An answer given after the customer's last erasure stays. Raises BackupRefused where customers cannot be told in
    this store, and StoreUnavailable.
    """
    with erasing(engine) as connection:
        if not _takes_key(connection, erasures):
            return Carried()
        listed = {row["digest"] for row in erasures.listed}
        before = set(connection.execute(sa.select(suppressions.c.digest)).scalars())
        removed = {
            digest: _erase(connection, customer_id, None if digest in listed else erasures.erased_at[digest])
            for digest, customer_id in _held(connection, erasures.key, listed | erasures.erased_at.keys()).items()
        }
        _replace_list(connection, erasures.listed)
        acts = [("customer.suppressed", digest) for digest in listed - before]
        acts += [("customer.unsuppressed", digest) for digest in before - listed]
        acts += [("customer.erased", one) for one, answers in removed.items() if answers and one not in listed - before]
        for what, digest in sorted(acts):
            append(connection, AuditEntry(at, COMMAND_LINE, what, digest))
    return Carried(len(listed - before), len(before - listed), sum(removed.values()))


def _takes_key(connection: sa.Connection, erasures: Erasures) -> bool:
    """Has both stores make the same digests; False where there is nothing to carry over. Raises BackupRefused."""
    if connection.execute(sa.select(suppression_list.c.key)).scalar_one() == erasures.key:
        return True
    if not erasures.listed and not erasures.erased_at:
        return False
    if not _digests(connection) <= erasures.digests:
        raise BackupRefused(
            "The backup is of another store: the digests of its suppression list are made with another key, so that "
            "the customers suppressed in the one cannot be told in the other; nothing was changed."
        )
    connection.execute(sa.update(suppression_list).values(key=erasures.key))
    return True


def _digests(connection: sa.Connection) -> frozenset[str]:
    of_log = sa.select(audit.c.subject).where(audit.c.what.startswith("customer."))
    return frozenset(connection.execute(sa.union(sa.select(suppressions.c.digest), of_log)).scalars())


def _held(connection: sa.Connection, key: str, digests: set[str]) -> dict[str, str]:
    """The ids of those among the digests of whom anything is stored."""
    digest = keyed_digest(key)
    ids = connection.execute(sa.select(customers.c.customer_id), execution_options={"yield_per": 10_000}).scalars()
    return {made: customer_id for customer_id in ids if (made := digest(customer_id)) in digests}


def _erase(connection: sa.Connection, customer_id: str, until: datetime | None) -> int:
    """Removes what was given up to a moment, None for all; returns how many answers."""
    theirs = assignments.c.customer_id == customer_id
    old = theirs if until is None else theirs & (assignments.c.assigned_at <= until)
    answers = connection.execute(sa.delete(assignments).where(old)).rowcount
    if not answers:
        return 0
    connection.execute(sa.delete(customers).where(customers.c.customer_id == customer_id))
    newest = sa.select(
        assignments.c.customer_id, assignments.c.id, *(assignments.c[name] for name in customers.c.keys()[2:])
    )
    newest = newest.where(theirs).order_by(assignments.c.as_of.desc(), assignments.c.id.desc()).limit(1)
    connection.execute(sa.insert(customers).from_select(customers.c.keys(), newest))
    for table in REPLAYED:
        connection.execute(sa.delete(table).where(table.c.customer_digest == digest_of_customer(customer_id)))
    return answers


def _replace_list(connection: sa.Connection, listed: list[dict[str, Any]]) -> None:
    connection.execute(sa.delete(suppressions))
    if listed:
        connection.execute(sa.insert(suppressions), listed)
    connection.execute(sa.update(suppression_list).values(version=suppression_list.c.version + 1))
