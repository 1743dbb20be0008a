"""Old answers are removed and newer ones are not, in each database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from service.store.assignment import Assignment
from service.store.audit import newest
from service.store.chores import claim
from service.store.database import ledger_spec
from service.store.erasing import vacuum
from service.store.ledger import Ledger, entries
from service.store.ledgers import open_ledger
from service.store.purging import CHUNK, Purged, purge, purgeable
from service.store.reader import Reader
from service.store.ulid import UlidFactory
from tests.service.store.records import assignment

NOW = datetime(2011, 12, 10, 9, 30, tzinfo=UTC)
LIMIT = NOW - timedelta(days=30)


def given(customer_id: str, days_ago: float, as_of_days_ago: float | None = None) -> Assignment:
    """An answer that was given so long ago."""
    at = NOW - timedelta(days=days_ago)
    as_of = at if as_of_days_ago is None else NOW - timedelta(days=as_of_days_ago)
    ulid = UlidFactory().one(int(at.timestamp() * 1000))
    return assignment(customer_id, id=ulid, assigned_at=at, as_of=as_of)


@pytest.fixture
def ledger(engine: sa.Engine) -> Iterator[Ledger]:
    opened = open_ledger(ledger_spec(engine))
    yield opened
    opened.close()


def left(reader: Reader, customer_id: str) -> list[str]:
    return [row.id for row in reader.history(customer_id, None, 10_000)]


def test_who_has_only_old_answers_is_removed_wholly_and_others_keep_what_is_new(
    engine: sa.Engine, ledger: Ledger, reader: Reader
) -> None:
    gone = [given("gone", 40), given("gone", 31)]
    active = [given("active", 40), given("active", 29), given("active", 1)]
    ledger.write(entries([*gone, *active]))
    assert purgeable(engine, LIMIT) == Purged(answers=3, customers=1)
    assert left(reader, "gone") != []
    assert purge(engine, LIMIT, "me", NOW, lambda seconds: None) == Purged(answers=3, customers=1)
    assert left(reader, "gone") == []
    assert reader.current("gone") is None
    assert left(reader, "active") == [active[2].id, active[1].id]
    assert purge(engine, LIMIT, "me", NOW, lambda seconds: None) == Purged()


def test_the_current_answer_of_a_customer_with_newer_ones_stays_however_old(
    engine: sa.Engine, ledger: Ledger, reader: Reader
) -> None:
    current, older, corrected = given("1", 40), given("1", 50), given("1", 1, as_of_days_ago=300)
    ledger.write(entries([current, older, corrected]))
    assert purge(engine, LIMIT, "me", NOW, lambda seconds: None) == Purged(answers=1, customers=0)
    assert left(reader, "1") == [corrected.id, current.id]
    found = reader.current("1")
    assert found is not None
    assert found.id == current.id


def test_an_answer_given_exactly_at_the_limit_stays(engine: sa.Engine, ledger: Ledger, reader: Reader) -> None:
    at_limit = given("1", 30)
    ledger.write(entries([at_limit, given("2", 30 + 1 / 86_400)]))
    assert purge(engine, LIMIT, "me", NOW, lambda seconds: None) == Purged(1, 1)
    assert left(reader, "1") == [at_limit.id]


def test_others_may_write_between_the_chunks_and_the_log_has_what_was_removed(
    engine: sa.Engine, ledger: Ledger, reader: Reader
) -> None:
    old = [given(str(number % 7), 31 + number / 10_000) for number in range(2 * CHUNK + 500)]
    ledger.write(entries(old))
    pauses: list[float] = []

    def write_meanwhile(seconds: float) -> bool:
        pauses.append(seconds)
        ledger.write(entries([given("meanwhile", 0)]))
        return len(pauses) == 2

    assert purge(engine, LIMIT, "me", NOW, write_meanwhile).answers == 2 * CHUNK
    assert len(left(reader, "meanwhile")) == 2
    assert purge(engine, LIMIT, "me", NOW, write_meanwhile).answers == 500
    with engine.connect() as connection:
        told = newest(connection, 9)
    assert [one.what for one in told] == ["customers.purged"] * 2
    assert told[1].subject.startswith("2000 answers before 2011-11-10T09:30:00.000000Z")


def test_vacuum_leaves_what_is_there(engine: sa.Engine, ledger: Ledger, reader: Reader) -> None:
    kept = given("1", 1)
    ledger.write(entries([kept, *(given("2", 40) for _ in range(100))]))
    purge(engine, LIMIT, "me", NOW, lambda seconds: None)
    vacuum(engine)
    assert left(reader, "1") == [kept.id]
    ledger.write(entries([given("1", 0)]))


def test_a_chore_is_claimed_once_in_a_while(engine: sa.Engine) -> None:
    day = timedelta(days=1)
    assert claim(engine, "sweep", NOW, day)
    assert not claim(engine, "sweep", NOW + timedelta(hours=23), day)
    assert claim(engine, "wash", NOW, day)
    assert claim(engine, "sweep", NOW + day, day)
    assert not claim(engine, "sweep", NOW + day, day)
