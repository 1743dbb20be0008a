"""A key is claimed by one request at a time, across processes, and its record is kept for a day."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.store.database import ledger_spec, open_engine
from service.store.idempotency import FORGOTTEN_AT_ONCE, KEPT, IdempotencyKeys, KeyRecord, digest_of_customer
from service.store.ledger import entries
from service.store.ledgers import open_ledger
from service.store.personal_data import PersonalData
from service.store.schema import idempotency_keys
from tests.service.store.records import NOON, ULIDS, assignment

SECOND = timedelta(seconds=1)
LEASE = 6 * SECOND


@pytest.fixture
def keys(engine: sa.Engine) -> IdempotencyKeys:
    return IdempotencyKeys(engine)


def wanted(claim: str, digest: str = "d", now: datetime = NOON, **fields: Any) -> KeyRecord:
    first_id = ULIDS.one(int(now.timestamp() * 1000))
    return KeyRecord(digest, "body", first_id, "model", now, claim, now + LEASE)._replace(**fields)


def store(engine: sa.Engine, customer_id: str, claimed: KeyRecord) -> None:
    ledger = open_ledger(ledger_spec(engine))
    ledger.write(entries([assignment(customer_id, id=claimed.first_id)]))
    ledger.close()


def digests(engine: sa.Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(sa.select(idempotency_keys.c.digest)).scalars())


def test_a_key_is_claimed_once(keys: IdempotencyKeys) -> None:
    first = wanted("first")
    assert keys.claim(first, NOON) == first
    assert keys.claim(wanted("second"), NOON) == first


def test_of_many_at_the_same_moment_one_has_it(database_url: str) -> None:
    engines = [open_engine(database_url) for _ in range(8)]
    together, found = threading.Barrier(len(engines)), []

    def claim(name: int) -> None:
        own = wanted(str(name))
        together.wait()
        found.append(IdempotencyKeys(engines[name]).claim(own, NOON))

    threads = [threading.Thread(target=claim, args=(name,)) for name in range(len(engines))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for engine in engines:
        engine.dispose()
    assert len(found) == len(engines)
    assert len(set(found)) == 1


def test_what_was_let_go_or_not_renewed_in_time_is_taken_over_as_it_was_begun(keys: IdempotencyKeys) -> None:
    first = wanted("first")
    keys.claim(first, NOON)
    assert keys.claim(wanted("early"), NOON + LEASE - SECOND).claim == "first"
    late = NOON + LEASE
    second = keys.claim(wanted("second", now=late), late)
    assert second == first._replace(claim="second", claimed_until=late + LEASE)
    keys.let_go(second)
    assert keys.claim(wanted("third", now=late), late) == second._replace(claim="third")


def test_a_claim_that_is_renewed_holds_longer(keys: IdempotencyKeys) -> None:
    first = wanted("first")
    keys.claim(first, NOON)
    keys.renew(first, NOON + 2 * LEASE)
    assert keys.claim(wanted("second"), NOON + LEASE).claim == "first"


def test_whoever_lost_a_claim_changes_nothing_any_more(keys: IdempotencyKeys) -> None:
    first, late = wanted("first"), NOON + LEASE
    keys.claim(first, NOON)
    second = keys.claim(wanted("second", now=late), late)
    keys.renew(first, NOON + 9 * LEASE)
    keys.finish(first._replace(status=200, answer=b"lost"))
    keys.let_go(first)
    keys.forget(first)
    assert keys.claim(wanted("third", now=late), late) == second


def test_an_answer_is_kept_to_the_byte_and_nobody_works_on_it_again(engine: sa.Engine, keys: IdempotencyKeys) -> None:
    first, customer = wanted("first"), digest_of_customer("Zoë")
    keys.claim(first, NOON)
    store(engine, "Zoë", first)
    keys.finish(first._replace(status=200, answer=b'\x00\xff"\\', customer_digest=customer))
    later = NOON + KEPT - SECOND
    found = keys.claim(wanted("second", now=later), later)
    assert (found.status, found.answer, found.customer_digest) == (200, b'\x00\xff"\\', customer)
    assert (found.claim, found.claimed_until) == (None, None)


def test_another_body_takes_nothing_over(keys: IdempotencyKeys) -> None:
    first = wanted("first")
    keys.claim(first, NOON)
    keys.let_go(first)
    found = keys.claim(wanted("second", body_digest="another"), NOON)
    assert (found.body_digest, found.claim) == ("body", None)
    # The body of a stream is known at its end.
    assert keys.claim(wanted("third", body_digest=None), NOON).claim == "third"


def test_what_is_forgotten_can_be_anything_the_next_time(keys: IdempotencyKeys) -> None:
    first, second = wanted("first"), wanted("second", body_digest="another")
    keys.claim(first, NOON)
    keys.forget(first)
    assert keys.claim(second, NOON) == second


def test_after_a_day_a_key_is_free_and_old_records_go_a_few_at_a_time(keys: IdempotencyKeys, engine: sa.Engine) -> None:
    old = [wanted("old", f"{index:03}", NOON + index * SECOND) for index in range(FORGOTTEN_AT_ONCE + 3)]
    with engine.begin() as connection:
        connection.execute(idempotency_keys.insert(), [one._asdict() for one in old])
    late = NOON + KEPT + timedelta(hours=1)
    newest = old[-1].digest
    again = wanted("new", newest, late)
    assert keys.claim(again, late) == again
    assert digests(engine) == {old[-3].digest, old[-2].digest, newest}
    keys.claim(wanted("other", "other", late), late)
    assert digests(engine) == {newest, "other"}


def test_what_is_still_being_worked_on_is_not_too_old(keys: IdempotencyKeys) -> None:
    first, late = wanted("first"), NOON + KEPT + SECOND
    keys.claim(first, NOON)
    keys.renew(first, late + LEASE)
    assert keys.claim(wanted("second", now=late), late).claim == "first"


@pytest.mark.parametrize("erased", [False, True])
def test_an_answer_about_somebody_who_was_erased_meanwhile_is_not_kept(
    engine: sa.Engine, keys: IdempotencyKeys, erased: bool
) -> None:
    claimed = keys.claim(wanted("first"), NOON)
    store(engine, "17850", claimed)
    if erased:
        PersonalData(engine).erase("17850", "me", NOON)
    keys.finish(claimed._replace(status=200, answer=b"{}", customer_digest=digest_of_customer("17850")))
    again = keys.claim(wanted("second"), NOON)
    assert (again.answer, again.claim) == ((None, "second") if erased else (b"{}", None))
    assert again.first_id == claimed.first_id
