"""The audit log is only added to, and tells where it was changed all the same."""

import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from service.__main__ import main
from service.store.audit import COMMAND_LINE, GENESIS, AuditEntry, Head, append, head, newest, record, verify
from service.store.database import downgrade, upgrade
from service.store.errors import StoreUnavailable
from service.store.schema import audit, audit_head
from tests.service.store.records import NOON


def entry(subject: str = "3f2a") -> AuditEntry:
    return AuditEntry(NOON, COMMAND_LINE, "key.created", subject)


@pytest.fixture
def log(engine: sa.Engine) -> sa.Engine:
    """A log of five entries."""
    for number in range(1, 6):
        record(engine, entry(f"key {number}, “é”"))
    return engine


def tampered(engine: sa.Engine, *statements: sa.Executable) -> None:
    """Does to the log what an owner of the database can: its guards are taken away first."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            names = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
            for name in names:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("ALTER TABLE audit DISABLE TRIGGER ALL")
            connection.exec_driver_sql("ALTER TABLE audit_head DISABLE TRIGGER ALL")
        for statement in statements:
            connection.execute(statement)


def said_of(engine: sa.Engine, kept: str | None = None) -> str | None:
    with engine.connect() as connection:
        broken = verify(connection, kept)
    return broken.says if broken else None


def test_entries_are_chained_one_to_the_next(log: sa.Engine) -> None:
    with log.connect() as connection:
        entries = newest(connection, 100)[::-1]
        assert head(connection) == Head(5, entries[-1].hash)
    assert [one.sequence for one in entries] == [1, 2, 3, 4, 5]
    assert [one.previous for one in entries] == [GENESIS, *(one.hash for one in entries[:-1])]
    assert entries[0][1:5] == entry("key 1, “é”")
    assert said_of(log) is None


def test_an_empty_log_is_whole(engine: sa.Engine) -> None:
    assert said_of(engine) is None


def test_the_newest_are_listed_first_and_no_more_than_asked_for(log: sa.Engine) -> None:
    with log.connect() as connection:
        assert [one.sequence for one in newest(connection, 2)] == [5, 4]


def test_an_entry_stands_or_falls_with_what_it_tells_of(log: sa.Engine) -> None:
    def fails() -> None:
        with log.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            append(connection, entry())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    record(log, entry())
    with log.connect() as connection:
        assert newest(connection, 1)[0].sequence == 6
    assert said_of(log) is None


@pytest.mark.parametrize(
    "statement",
    [
        sa.update(audit).values(who="nobody"),
        sa.delete(audit).where(audit.c.sequence == 5),
        sa.delete(audit_head),
        sa.update(audit_head).values(sequence=4),
    ],
    ids=str,
)
def test_the_database_itself_refuses_a_change(log: sa.Engine, statement: sa.Executable) -> None:
    def change() -> None:
        with log.begin() as connection:
            connection.execute(statement)

    with pytest.raises(sa.exc.DBAPIError, match="the audit log is only added to"):
        change()
    assert said_of(log) is None


# Statements that would replace rows, those among them that are neither an update nor a deletion.
REPLACING = {
    "sqlite": (
        "REPLACE INTO audit SELECT sequence, at, 'nobody', what, subject, previous, hash FROM audit WHERE sequence = 3",
        "REPLACE INTO audit SELECT '3', at, 'nobody', what, subject, previous, hash FROM audit WHERE sequence = 3",
        "REPLACE INTO audit SELECT 3.0, at, 'nobody', what, subject, previous, hash FROM audit WHERE sequence = 5",
        "REPLACE INTO audit (rowid, sequence, at, who, what, subject, previous, hash)"
        " SELECT 3, 6, at, who, what, subject, previous, hash FROM audit WHERE sequence = 5",
        "INSERT INTO audit SELECT * FROM audit WHERE sequence = 3 ON CONFLICT DO UPDATE SET who = 'nobody'",
        "INSERT OR IGNORE INTO audit SELECT * FROM audit WHERE sequence = 3",
        "UPDATE OR REPLACE audit SET sequence = 3 WHERE sequence = 5",
        "UPDATE OR IGNORE audit SET who = 'nobody'",
        "REPLACE INTO audit_head VALUES (1, 4, (SELECT hash FROM audit WHERE sequence = 4))",
        "REPLACE INTO audit_head VALUES ('1', 6, 'x')",
        "INSERT INTO audit_head VALUES (1, 4, 'x') ON CONFLICT DO UPDATE SET sequence = 4",
        "UPDATE OR REPLACE audit_head SET sequence = 4",
    ),
    "postgresql": (
        "INSERT INTO audit SELECT * FROM audit WHERE sequence = 3 ON CONFLICT (sequence) DO UPDATE SET who = 'nobody'",
        "MERGE INTO audit USING audit_head ON audit.sequence = 3 WHEN MATCHED THEN UPDATE SET who = 'nobody'",
        "MERGE INTO audit USING audit_head ON audit.sequence = 5 WHEN MATCHED THEN DELETE",
        "TRUNCATE audit",
        "TRUNCATE audit, audit_head",
        "TRUNCATE audit_head CASCADE",
        "INSERT INTO audit_head VALUES (1, 4, 'x') ON CONFLICT (id) DO UPDATE SET sequence = 4",
        "MERGE INTO audit_head USING audit ON audit.sequence = 1 WHEN MATCHED THEN UPDATE SET sequence = 4",
        "WITH gone AS (DELETE FROM audit RETURNING *) SELECT count(*) FROM gone",
    ),
}


def test_the_database_itself_refuses_to_replace_an_entry_or_the_head(log: sa.Engine) -> None:
    """On any connection, those of other programs too, with whatever they have set."""
    with log.connect() as connection:
        before = newest(connection, 100)
    for statement in REPLACING[log.dialect.name]:
        for setting in ("ON", "OFF"):
            with log.connect() as connection:
                if log.dialect.name == "sqlite":
                    connection.exec_driver_sql(f"PRAGMA recursive_triggers = {setting}")
                with pytest.raises(sa.exc.DBAPIError, match=r"the audit log is only added to|no column named rowid"):
                    connection.exec_driver_sql(statement)
                connection.rollback()
                connection.invalidate()
    with log.connect() as connection:
        assert newest(connection, 100) == before
    assert said_of(log) is None
    record(log, entry("goes on"))
    assert said_of(log) is None


def test_a_log_of_the_version_before_is_kept_as_it_is(log: sa.Engine) -> None:
    for revision in ("0008", "head"):
        with log.connect() as connection:
            before = newest(connection, 100)
        (downgrade if revision == "0008" else upgrade)(log, revision)
        with log.connect() as connection:
            assert newest(connection, 100) == before
        record(log, entry(revision))
        assert said_of(log) is None


def test_an_end_cut_off_with_its_head_set_back_is_found_by_a_head_that_was_kept(log: sa.Engine) -> None:
    """Without the head that was kept elsewhere it is a sound log of fewer entries."""
    with log.connect() as connection:
        entries = newest(connection, 5)[::-1]
    kept, third = entries[-1].hash, entries[2]
    tampered(
        log,
        sa.delete(audit).where(audit.c.sequence > 3),
        sa.update(audit_head).values(sequence=third.sequence, hash=third.hash),
    )
    assert said_of(log) is None
    assert said_of(log, kept) == "the head that was kept is not in the log"
    assert said_of(log, third.hash) is None
    record(log, entry("goes on"))
    assert said_of(log, kept) == "the head that was kept is not in the log"


@pytest.mark.parametrize("column", ["at", "who", "what", "subject"])
def test_a_changed_entry_is_found(log: sa.Engine, column: str) -> None:
    changed = NOON.replace(microsecond=0) if column == "at" else "other"
    tampered(log, sa.update(audit).where(audit.c.sequence == 3).values({column: changed}))
    assert said_of(log) == "entry 3 was changed: it no longer says what it was hashed with"


def test_a_removed_entry_is_found(log: sa.Engine) -> None:
    tampered(log, sa.delete(audit).where(audit.c.sequence == 2))
    assert said_of(log) == "entry 2 was removed: after 1 comes 3"


def test_entries_that_changed_places_are_found(log: sa.Engine) -> None:
    def moved(old: int, new: int) -> sa.Executable:
        return sa.update(audit).where(audit.c.sequence == old).values(sequence=new)

    tampered(log, moved(2, 99), moved(3, 2), moved(99, 3))
    assert said_of(log) == "entry 2 is not the one that was written after 1"


def test_entries_removed_from_the_end_are_found(log: sa.Engine) -> None:
    tampered(log, sa.delete(audit).where(audit.c.sequence >= 4))
    assert said_of(log) == "entries 4 to 5 were removed from the end"


def test_all_entries_removed_are_found(log: sa.Engine) -> None:
    tampered(log, sa.delete(audit))
    assert said_of(log) == "entries 1 to 5 were removed from the end"


def test_an_entry_added_past_the_head_is_found(log: sa.Engine) -> None:
    with log.begin() as connection:
        last = newest(connection, 1)[0]
        connection.execute(sa.insert(audit).values({**last._asdict(), "sequence": 6, "previous": last.hash}))
    assert said_of(log) == "entry 6 was changed: it no longer says what it was hashed with"


def test_a_log_without_its_head_is_found_and_takes_no_more(log: sa.Engine) -> None:
    tampered(log, sa.delete(audit_head))
    assert said_of(log) == "the row that says where the log ends was removed"
    with pytest.raises(StoreUnavailable, match="takes no entries") as refusal:
        record(log, entry())
    assert "has lost its head" in refusal.value.report


def test_a_log_written_anew_is_found_by_a_head_that_was_kept(log: sa.Engine) -> None:
    with log.connect() as connection:
        kept = newest(connection, 3)[-1].hash
    assert said_of(log, kept) is None
    tampered(log, sa.delete(audit), sa.update(audit_head).values(sequence=0, hash=GENESIS))
    record(log, entry("another story"))
    assert said_of(log) is None
    assert said_of(log, kept) == "the head that was kept is not in the log"


def test_writers_at_once_make_one_chain(engine: sa.Engine) -> None:
    def write() -> None:
        for number in range(10):
            record(engine, entry(str(number)))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        end = head(connection)
    assert end is not None
    assert end.sequence == 40
    assert said_of(engine) is None


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", database_url)
    return lambda *words: main(["audit", *words])


def test_the_command_says_that_all_is_well_and_where_the_log_ends(
    log: sa.Engine, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    with log.connect() as connection:
        end = newest(connection, 1)[0].hash
    assert run("verify") == 0
    assert capsys.readouterr().out == f"5 entries, none changed; head {end}\n"
    assert run("verify", "--head", end) == 0
    assert run("list", "--limit", "1") == 0
    assert capsys.readouterr().out.endswith(
        "5  2011-12-10T12:00:00.123456Z  key.created  key 5, “é”  by command line\n"
    )


def test_the_command_fails_with_a_sentence_where_the_log_is_broken(
    log: sa.Engine, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    tampered(log, sa.update(audit).where(audit.c.sequence == 3).values(who="nobody"))
    assert run("verify") == 1
    assert capsys.readouterr().err.startswith("audit verify: entry 3 was changed: ")
