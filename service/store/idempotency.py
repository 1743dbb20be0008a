"""The memory of what was asked under which `Idempotency-Key`, and of what was answered."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from service.store.erasing import hold_off_erasing
from service.store.schema import assignments
from service.store.schema import idempotency_keys as keys
from service.store.upsert import insert_into
from service.store.writing import writing

KEPT = timedelta(hours=24)
FORGOTTEN_AT_ONCE = 100  # records: more than one claim makes, so that what is too old never piles up


class KeyRecord(NamedTuple):
    """What is known of a key; the fields stand in the order of the table's columns.

    `digest` stands for the key and whose it is, `body_digest` for the body (None: a stream that has not ended yet).
    `first_id` is the id of the answer, of a batch that of the answer to its first item, chosen before anything is
    stored. `claim` names the request that works on it until `claimed_until`; None where none does. `status` is that of
    the answer once there is one; `answer` its bytes, None where they are worked out again. `customer_digest` is that of
    the customer whom the answer is about.
    """

    digest: str
    body_digest: str | None
    first_id: str
    model_version: str | None
    started_at: datetime
    claim: str | None
    claimed_until: datetime | None
    status: int | None = None
    answer: bytes | None = None
    customer_digest: str | None = None


def digest_of_customer(customer_id: str) -> str:
    """What stands for a customer in a record, so that erasing the customer finds it."""
    return hashlib.sha256(customer_id.encode()).hexdigest()


class IdempotencyKeys:
    """The table of keys; every method blocks, and raises StoreUnavailable on database trouble."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def claim(self, wanted: KeyRecord, now: datetime) -> KeyRecord:
        """The record of a key: `wanted` where there is none yet. Where nobody works on it any more, and it has no
        answer, the claim of `wanted` takes its place. Records older than `KEPT` are forgotten.
        """
        inserted = insert_into(keys, self._engine.dialect.name).values(**wanted._asdict())
        new = inserted.excluded
        taken = inserted.on_conflict_do_update(
            index_elements=[keys.c.digest],
            set_={"claim": new.claim, "claimed_until": new.claimed_until},
            where=sa.and_(keys.c.status.is_(None), _idle(now), _same_body(new.body_digest)),
        )
        old = sa.and_(keys.c.started_at <= now - KEPT, _idle(now))
        some = sa.select(keys.c.digest).where(old).order_by(keys.c.started_at).limit(FORGOTTEN_AT_ONCE)
        with writing(self._engine) as connection:
            connection.execute(sa.delete(keys).where(keys.c.digest == wanted.digest, old))
            connection.execute(sa.delete(keys).where(keys.c.digest.in_(some.with_for_update(skip_locked=True))))
            connection.execute(taken)
            found = connection.execute(sa.select(keys).where(keys.c.digest == wanted.digest)).one()
        return KeyRecord._make(found)

    def renew(self, claimed: KeyRecord, until: datetime) -> None:
        """Has a claim hold longer."""
        self._change(claimed, {"claimed_until": until})

    def finish(self, claimed: KeyRecord) -> None:
        """Keeps the answer, with everything that was found out with it, and ends the claim. An answer about a customer
        who was erased meanwhile is not kept: the key then stands for nothing that is stored."""
        kept = ("body_digest", "status", "answer", "customer_digest")
        facts: dict[str, object] = {name: getattr(claimed, name) for name in kept}
        with writing(self._engine) as connection:
            if claimed.customer_digest is not None:
                hold_off_erasing(connection)
                stored = sa.select(assignments.c.id).where(assignments.c.id == claimed.first_id)
                if connection.execute(stored).first() is None:
                    facts = {}
            ended = {**facts, "claim": None, "claimed_until": None}
            connection.execute(sa.update(keys).where(_held_by(claimed)).values(ended))

    def let_go(self, claimed: KeyRecord) -> None:
        """Ends a claim; whoever asks next goes on with it."""
        self._change(claimed, {"claim": None, "claimed_until": None})

    def forget(self, claimed: KeyRecord) -> None:
        """Frees the key, as if it had never been sent."""
        with writing(self._engine) as connection:
            connection.execute(sa.delete(keys).where(_held_by(claimed)))

    def _change(self, claimed: KeyRecord, values: dict[str, object]) -> None:
        with writing(self._engine) as connection:
            connection.execute(sa.update(keys).where(_held_by(claimed)).values(values))


def _held_by(claimed: KeyRecord) -> sa.ColumnElement[bool]:
    """Only its holder changes a record: whoever held it too long changes nothing of the next one's."""
    return sa.and_(keys.c.digest == claimed.digest, keys.c.claim == claimed.claim)


def _idle(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(keys.c.claimed_until.is_(None), keys.c.claimed_until <= now)


def _same_body(sent: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    return sa.or_(keys.c.body_digest.is_(None), sent.is_(None), keys.c.body_digest == sent)
