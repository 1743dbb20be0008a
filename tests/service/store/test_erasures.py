"""What was erased and suppressed is so in a restored store too, on each database."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.__main__ import main
from service.store.assignment import Assignment
from service.store.audit import newest, verify
from service.store.database import downgrade, ledger_spec, open_engine, upgrade
from service.store.erasures import Carried, Erasures, carry_over, erasures_in
from service.store.errors import BackupRefused
from service.store.ledger import entries
from service.store.ledgers import open_ledger
from service.store.personal_data import PersonalData
from service.store.reader import Reader
from service.store.schema import suppression_list
from tests.service.serving import NOW
from tests.service.store.records import assignment

HOUR = timedelta(hours=1)


@pytest.fixture
def before(migrated_sqlite: Path, tmp_path: Path, engine: sa.Engine) -> Iterator[sa.Engine]:
    """The store that was lost, of which `engine` is the restored backup: both make the same digests."""
    path = tmp_path / "before.sqlite3"
    path.write_bytes(migrated_sqlite.read_bytes())
    lost = open_engine(f"sqlite:///{path}")
    with lost.connect() as connection:
        key = connection.execute(sa.select(suppression_list.c.key)).scalar_one()
    with engine.begin() as connection:
        connection.execute(sa.update(suppression_list).values(key=key))
    yield lost
    lost.dispose()


def store(engine: sa.Engine, *rows: Assignment) -> None:
    ledger = open_ledger(ledger_spec(engine))
    ledger.write(entries(list(rows)))
    ledger.close()


def carried(before: sa.Engine, engine: sa.Engine) -> Carried:
    erasures = erasures_in(before)
    assert erasures is not None
    return carry_over(erasures, engine, NOW + 9 * HOUR)


def test_whoever_is_suppressed_is_erased_and_suppressed_in_the_restored_store(
    before: sa.Engine, engine: sa.Engine, reader: Reader
) -> None:
    store(engine, assignment("1"), assignment("1"), assignment("2"))
    PersonalData(before).erase("1", "me", NOW, suppress=True)
    assert carried(before, engine) == Carried(suppressed=1, answers=2)
    assert (reader.current("1"), reader.history("1", None, 9)) == (None, [])
    assert reader.current("2") is not None
    assert PersonalData(engine).suppressed() == PersonalData(before).suppressed()
    assert PersonalData(engine).holding("1").done[-1].what == "customer.suppressed"
    assert carried(before, engine) == Carried()
    with engine.connect() as connection:
        assert verify(connection) is None
        assert len(newest(connection, 9)) == 1


def test_what_was_given_after_an_erasure_stays(before: sa.Engine, engine: sa.Engine, reader: Reader) -> None:
    """As where the backup is one of later; the current row is of what stays."""
    old = assignment("1", assigned_at=NOW, as_of=NOW + HOUR)
    new = assignment("1", assigned_at=NOW + 2 * HOUR, as_of=NOW)
    store(engine, old, new, assignment("2", assigned_at=NOW))
    PersonalData(before).erase("1", "me", NOW + HOUR)
    PersonalData(before).erase("2", "me", NOW + HOUR)
    PersonalData(before).erase("2", "me", NOW - HOUR)
    assert carried(before, engine) == Carried(answers=2)
    assert reader.history("1", None, 9) == [new]
    assert reader.current("1") == new
    assert reader.current("2") is None
    assert [one.what for one in PersonalData(engine).holding("1").done] == ["customer.erased"]


def test_a_suppression_that_was_lifted_since_is_lifted(before: sa.Engine, engine: sa.Engine) -> None:
    for each in (before, engine):
        PersonalData(each).erase("1", "me", NOW, suppress=True)
    PersonalData(before).lift("1", "me", NOW)
    assert carried(before, engine) == Carried(lifted=1)
    assert PersonalData(engine).suppressed() == []


def test_processes_that_have_the_list_learn_that_it_changed(before: sa.Engine, engine: sa.Engine) -> None:
    known = PersonalData(engine).list_after(None, NOW)
    PersonalData(before).erase("1", "me", NOW, suppress=True)
    carried(before, engine)
    assert known is not None
    changed = PersonalData(engine).list_after(known.version, NOW)
    assert changed is not None
    assert changed.digest("1") in changed.suppressed


def test_from_another_store_without_suppressions_nothing_is_carried_over(engine: sa.Engine) -> None:
    PersonalData(engine).erase("1", "me", NOW, suppress=True)
    assert carry_over(Erasures("00" * 32, [], {}, frozenset()), engine, NOW) == Carried()
    assert len(PersonalData(engine).suppressed()) == 1


def test_a_list_that_a_downgrade_has_lost_is_carried_back(before: sa.Engine, engine: sa.Engine) -> None:
    """The log of the downgraded store has its digests still, the list anew has another key."""
    for each in (before, engine):
        PersonalData(each).erase("1", "me", NOW, suppress=True)
        PersonalData(each).tell("2", "me", NOW)
    downgrade(engine, "0005", lose_suppressions=True)
    upgrade(engine)
    assert carried(before, engine) == Carried(suppressed=1)
    assert PersonalData(engine).suppressed() == PersonalData(before).suppressed()
    known = PersonalData(engine).list_after(None, NOW)
    assert known is not None
    assert known.digest("1") in known.suppressed


def test_a_store_with_customers_of_its_own_takes_no_other_key(before: sa.Engine, engine: sa.Engine) -> None:
    PersonalData(before).erase("1", "me", NOW, suppress=True)
    with engine.begin() as connection:
        connection.execute(sa.update(suppression_list).values(key="00" * 32))
    PersonalData(engine).tell("2", "me", NOW)
    with pytest.raises(BackupRefused, match="The backup is of another store"):
        carried(before, engine)


def test_a_database_without_tables_has_no_erasures(empty_engine: sa.Engine) -> None:
    assert erasures_in(empty_engine) is None


def test_the_command_carries_over_from_a_database_by_its_url(
    before: sa.Engine, engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    store(engine, assignment("1"))
    PersonalData(before).erase("1", "me", NOW, suppress=True)
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", database_url)

    def run() -> int:
        return main(["db", "carry-suppressions", str(before.url)])

    assert run() == 0
    assert capsys.readouterr().out == (
        "carried over from the database before: 1 customers suppressed, 0 suppressed no longer, 1 answers erased\n"
    )
    assert run() == 0
    assert capsys.readouterr().out == "no customer was suppressed or erased since the backup\n"
    assert main(["db", "carry-suppressions"]) == 2
    assert main(["db", "carry-suppressions", f"{before.url}.none"]) == 1
    assert "is not there" in capsys.readouterr().err
