"""The audit log: who did what when. Only added to, and each entry is hashed together with the one before."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from service.store.engine_trouble import told
from service.store.errors import StoreUnavailable
from service.store.schema import audit, audit_head
from service.store.utc_time import utc_text

GENESIS = "0" * 64  # what the first entry is chained to
COMMAND_LINE = "command line"
SERVICE = "service"
ROWS_AT_ONCE = 1_000


class AuditEntry(NamedTuple):
    """What is told: `who` is a key's public id and name, COMMAND_LINE or SERVICE, `what` a thing and what was done to
    it, such as `key.created`, `subject` which one. Neither may hold a secret or an erased customer's id."""

    at: datetime
    who: str
    what: str
    subject: str


class Written(NamedTuple):
    """An entry as it stands in the log."""

    sequence: int
    at: datetime
    who: str
    what: str
    subject: str
    previous: str
    hash: str


class Head(NamedTuple):
    """Where the log ends."""

    sequence: int
    hash: str


class Broken(NamedTuple):
    """The first place where the log is not what was written: the entry's number, and what is wrong in a sentence."""

    sequence: int
    says: str


def append(connection: sa.Connection, entry: AuditEntry) -> None:
    """Adds an entry inside the caller's transaction: what is told and what was done are stored both or not at all.

    The caller's transaction must be one that writes from its beginning (on SQLite `sqlite_begin="BEGIN IMMEDIATE"`).
    Of several at once one adds, the rest wait for the end of its transaction, so add last.
    """
    end = hold(connection)
    sequence = end.sequence + 1
    written = Written(sequence, *entry, end.hash, _hash(sequence, entry, end.hash))
    connection.execute(sa.insert(audit).values(written._asdict()))
    connection.execute(sa.update(audit_head).values(sequence=sequence, hash=written.hash))


def hold(connection: sa.Connection) -> Head:
    """Keeps the log's end for the caller's transaction: until it is over, nobody else adds anything."""
    found = connection.execute(sa.select(audit_head.c.sequence, audit_head.c.hash).with_for_update()).one_or_none()
    if found is None:
        raise StoreUnavailable(
            "The audit log takes no entries, and so nothing was done; whoever runs this service must put it right.",
            kind="The audit log was changed",
            reason="it has lost its head; find out who changed it: python -m service audit verify",
        )
    return Head(*found)


def record(engine: sa.Engine, entry: AuditEntry) -> None:
    """Adds an entry in a transaction of its own. Raises StoreUnavailable."""
    with told(), engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        append(connection, entry)


def newest(connection: sa.Connection, limit: int) -> Sequence[Written]:
    """At most `limit` entries, the newest first."""
    query = sa.select(*audit.c).order_by(audit.c.sequence.desc()).limit(limit)
    return [Written(*row) for row in connection.execute(query)]


def head(connection: sa.Connection) -> Head | None:
    """Where the log ends, to be kept elsewhere: with it, `verify` tells also that the whole log was written anew."""
    found = connection.execute(sa.select(audit_head.c.sequence, audit_head.c.hash)).one_or_none()
    return Head(*found) if found else None


def verify(connection: sa.Connection, kept: str | None = None) -> Broken | None:
    """The first place where the log was changed, or None. `kept` is the hash of an earlier head, which must be there.

    Without one, somebody who may drop the triggers can write a whole log anew, and this cannot tell.
    """
    # One statement sees one moment: entries that are added meanwhile are neither missing nor too many.
    both = sa.select(audit_head.c.sequence, audit_head.c.hash, *audit.c).outerjoin_from(audit_head, audit, sa.true())
    end: Head | None = None
    last, seen = Head(0, GENESIS), kept is None
    with connection.execute(both.order_by(audit.c.sequence), execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
        for row in rows:
            end = Head(*row[:2])
            if row[2] is None:
                break
            entry = Written(*row[2:])
            if broken := _broken(entry, last):
                return broken
            last, seen = Head(entry.sequence, entry.hash), seen or entry.hash == kept
    return _broken_end(last, end) or (
        None if seen else Broken(last.sequence, "the head that was kept is not in the log")
    )


def _broken(entry: Written, last: Head) -> Broken | None:
    due = last.sequence + 1
    if entry.sequence != due:
        return Broken(due, f"entry {due} was removed: after {last.sequence} comes {entry.sequence}")
    if entry.previous != last.hash:
        return Broken(due, f"entry {due} is not the one that was written after {last.sequence}")
    told_then = AuditEntry(entry.at, entry.who, entry.what, entry.subject)
    if entry.hash != _hash(entry.sequence, told_then, entry.previous):
        return Broken(due, f"entry {due} was changed: it no longer says what it was hashed with")
    return None


def _broken_end(last: Head, end: Head | None) -> Broken | None:
    if end is None:
        return Broken(last.sequence, "the row that says where the log ends was removed")
    if end.sequence > last.sequence:
        return Broken(last.sequence + 1, f"entries {last.sequence + 1} to {end.sequence} were removed from the end")
    if end != last:
        return Broken(last.sequence, f"entry {last.sequence} was added or changed by something else than the service")
    return None


def _hash(sequence: int, entry: AuditEntry, previous: str) -> str:
    said = [sequence, utc_text(entry.at), entry.who, entry.what, entry.subject, previous]
    return hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()
