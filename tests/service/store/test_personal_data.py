"""Erasure, suppression and what is told of a customer, in each database."""

import hashlib
import random
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.store.audit import newest
from service.store.database import ledger_spec, open_engine
from service.store.erasing import scrub, vacuum
from service.store.errors import RowRefused
from service.store.ledger import Ledger, entries
from service.store.ledgers import open_ledger
from service.store.personal_data import GUARDED, Erased, PersonalData
from service.store.postgresql_ledger import COPY_FROM
from service.store.reader import Reader
from service.store.schema import suppressions
from tests.service.store.records import assignment

NOW = datetime(2011, 12, 10, 9, 30, tzinfo=UTC)
NAMED = "Ada-Lovelace-of-Marylebone"  # found nowhere by chance


@pytest.fixture
def personal(engine: sa.Engine) -> PersonalData:
    return PersonalData(engine)


@pytest.fixture
def ledger(engine: sa.Engine) -> Iterator[Ledger]:
    opened = open_ledger(ledger_spec(engine))
    yield opened
    opened.close()


def test_an_erased_customer_is_gone_and_others_are_as_before(
    personal: PersonalData, ledger: Ledger, reader: Reader
) -> None:
    ledger.write(entries([assignment("1"), assignment("2"), assignment("1")]))
    assert personal.erase("1", "me", NOW) == Erased(answers=2, current=1, replays=0)
    assert (reader.current("1"), reader.history("1", None, 9)) == (None, [])
    assert reader.current("2") is not None
    assert personal.erase("1", "me", NOW) == Erased(answers=0, current=0, replays=0)
    ledger.write(entries([assignment("1")]))
    assert reader.current("1") is not None


def test_answers_kept_for_requests_sent_again_are_erased_too(
    engine: sa.Engine, personal: PersonalData, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = sa.Table("kept", sa.MetaData(), sa.Column("customer_digest", sa.String(64)))
    monkeypatch.setattr("service.store.personal_data.REPLAYED", [kept])
    with engine.begin() as connection:
        kept.create(connection)
        digests = [hashlib.sha256(one).hexdigest() for one in (b"1", b"2", b"1")]
        connection.execute(sa.insert(kept), [{"customer_digest": one} for one in digests])
    assert personal.erase("1", "me", NOW).replays == 2
    with engine.connect() as connection:
        assert connection.execute(sa.select(kept)).scalars().all() == [digests[1]]


@pytest.mark.parametrize("many", [1, COPY_FROM])
def test_the_database_itself_refuses_a_suppressed_customer(
    personal: PersonalData, ledger: Ledger, reader: Reader, many: int
) -> None:
    ledger.write(entries([assignment("1")]))
    personal.erase("1", "me", NOW, suppress=True)
    with pytest.raises(RowRefused, match="this customer is suppressed"):
        ledger.write(entries([assignment(str(number)) for number in range(2, many + 1)] + [assignment("1")]))
    assert reader.current("1") is None
    ledger.write(entries([assignment(str(number)) for number in range(2, many + 2)]))
    assert personal.lift("1", "me", NOW)
    assert not personal.lift("1", "me", NOW)
    ledger.write(entries([assignment("1")]))
    assert reader.current("1") is not None


def test_the_list_is_read_where_it_changed_and_forgets_ids_once_everyone_has_it(
    engine: sa.Engine, personal: PersonalData
) -> None:
    first = personal.list_after(None, NOW)
    assert first is not None
    assert first.suppressed == frozenset()
    assert personal.list_after(first.version, NOW) is None
    personal.erase(NAMED, "me", NOW, suppress=True)
    personal.erase(NAMED, "me", NOW, suppress=True)
    second = personal.list_after(first.version, NOW)
    assert second is not None
    assert second.suppressed == {second.digest(NAMED)}
    assert [one.digest for one in personal.suppressed()] == list(second.suppressed)

    def ids() -> list[str | None]:
        with engine.connect() as connection:
            return list(connection.execute(sa.select(suppressions.c.customer_id)).scalars())

    personal.list_after(second.version, NOW + GUARDED)
    assert ids() == [NAMED]
    personal.list_after(second.version, NOW + GUARDED + timedelta(seconds=1))
    assert ids() == [None]


def test_the_audit_log_tells_what_was_done_without_the_id(engine: sa.Engine, personal: PersonalData) -> None:
    personal.tell(NAMED, "key a", NOW)
    personal.erase(NAMED, "key b", NOW)
    personal.erase(NAMED, "key b", NOW, suppress=True)
    personal.lift(NAMED, "command line", NOW)
    with engine.connect() as connection:
        entries = newest(connection, 9)[::-1]
    done = ["customer.exported", "customer.erased", "customer.suppressed", "customer.unsuppressed"]
    assert [one.what for one in entries] == done
    assert {one.subject for one in entries} == {entries[0].subject}
    assert NAMED not in repr(entries)
    assert [(one.what, one.who) for one in personal.holding(NAMED).done] == [(one.what, one.who) for one in entries]


def test_another_store_has_other_digests(personal: PersonalData, tmp_path: Path) -> None:
    from service.store.database import upgrade

    other = open_engine(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    upgrade(other)
    mine, theirs = personal.list_after(None, NOW), PersonalData(other).list_after(None, NOW)
    other.dispose()
    assert mine is not None
    assert theirs is not None
    assert mine.digest("1") != theirs.digest("1")


def test_what_is_held_is_told_and_answers_come_oldest_first(
    personal: PersonalData, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.personal_data.PAGE", 2)
    rows = [assignment("1") for _ in range(5)]
    ledger.write(entries(rows))
    held = personal.holding("1")
    assert held.current is not None
    assert held.current["assignment_id"] == held.last == rows[-1].id
    ledger.write(entries([assignment("1")]))
    assert [one.id for one in personal.answers("1", held.last or "")] == [one.id for one in rows]


def test_what_was_acknowledged_before_an_erasure_is_gone_while_others_store(
    engine: sa.Engine, personal: PersonalData, reader: Reader
) -> None:
    """Several writers store answers of one customer all the while; of what was acknowledged before nothing is left."""
    stop, failed = threading.Event(), list[BaseException]()
    acknowledged: list[str] = []

    def store() -> None:
        own = open_ledger(ledger_spec(engine))
        try:
            while not stop.is_set():
                rows = [assignment("1"), assignment("2")]
                own.write(entries(rows))
                acknowledged.append(rows[0].id)
        except BaseException as error:
            failed.append(error)
        finally:
            own.close()

    writers = [threading.Thread(target=store) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(12):
            seen = len(acknowledged)
            while len(acknowledged) < seen + 5 and not failed:
                stop.wait(0.001)
            before = set(acknowledged)
            personal.erase("1", "me", NOW)
            assert before.isdisjoint(row.id for row in reader.history("1", None, 1_000_000))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert failed == []
    newest_of_all = reader.history("1", None, 1)
    current = reader.current("1")
    assert (current is None) == (newest_of_all == [])


def test_nothing_of_a_suppressed_customer_is_stored_while_others_store(
    engine: sa.Engine, personal: PersonalData, reader: Reader
) -> None:
    begun, stop = threading.Barrier(4), threading.Event()

    def store() -> None:
        own = open_ledger(ledger_spec(engine))
        own.write(entries([assignment("1")]))
        begun.wait()
        while not stop.is_set():
            try:
                own.write(entries([assignment("1")]))
            except RowRefused:
                break
        own.close()

    writers = [threading.Thread(target=store) for _ in range(3)]
    for writer in writers:
        writer.start()
    begun.wait()
    personal.erase("1", "me", NOW, suppress=True)
    assert reader.history("1", None, 10) == []
    for writer in writers:  # each ends when it is refused
        writer.join(60)
    stop.set()
    assert not any(writer.is_alive() for writer in writers)
    assert reader.history("1", None, 10) == []


@pytest.mark.parametrize("suppress", [False, True])
def test_no_file_of_sqlite_has_the_id_of_an_erased_customer(
    tmp_path: Path, migrated_sqlite: Path, suppress: bool
) -> None:
    path = tmp_path / "own.sqlite3"
    path.write_bytes(migrated_sqlite.read_bytes())
    engine = open_engine(f"sqlite:///{path}")
    ledger, personal = open_ledger(ledger_spec(engine)), PersonalData(engine)
    others = [assignment(str(number)) for number in range(3_000)]
    for start in range(0, 3_000, 300):
        ledger.write(entries([*others[start : start + 300], assignment(NAMED)]))
    assert NAMED.encode() in b"".join(one.read_bytes() for one in tmp_path.iterdir())
    personal.erase(NAMED, "me", NOW, suppress=suppress)
    personal.list_after(None, NOW + 2 * GUARDED)  # by then the database need not refuse by itself
    reading = sqlite3.connect(path, isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM assignments").fetchone()
    ledger.write(entries([assignment("9")]))
    with engine.connect() as connection:  # it does not wait for the reader for as long as the service's would
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    assert scrub(engine) is False
    reading.close()
    assert scrub(engine) is True
    names = {one.name for one in tmp_path.iterdir() if NAMED.encode() in one.read_bytes()}
    ledger.close()
    engine.dispose()
    assert names == set()


def test_once_written_anew_no_part_of_a_page_has_an_id_that_was_erased(tmp_path: Path, migrated_sqlite: Path) -> None:
    """Where a page of a tree was split, what it had stays in what is free of it, until the file is written anew."""
    path = tmp_path / "own.sqlite3"
    path.write_bytes(migrated_sqlite.read_bytes())
    engine, chance = open_engine(f"sqlite:///{path}"), random.Random(2)
    ledger, personal = open_ledger(ledger_spec(engine)), PersonalData(engine)
    named = [f"{NAMED}-{chance.random()}" for _ in range(60)]
    everyone = [*(str(chance.random() * 10 ** chance.randrange(3, 20)) for _ in range(4_000)), *named]
    for _ in range(40):
        ledger.write(entries([assignment(chance.choice(everyone), segment_id=chance.randrange(6)) for _ in range(250)]))
    for one in named:
        personal.erase(one, "me", NOW)
    vacuum(engine)
    names = {one.name for one in tmp_path.iterdir() if NAMED.encode() in one.read_bytes()}
    ledger.close()
    engine.dispose()
    assert names == set()
