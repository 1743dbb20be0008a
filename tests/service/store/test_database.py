import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from service.store.database import downgrade, open_engine, pending, upgrade
from service.store.errors import StoreUnavailable, UnknownRevision, UnusableDatabaseUrl
from service.store.schema import metadata

TABLES = {
    "api_keys", "assignments", "audit", "audit_head", "batches", "chores", "customers", "idempotency_keys",
    "suppression_list", "suppressions", "verified_models",
}  # fmt: skip


def tables(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names()) - {"alembic_version"}


def test_the_migrated_schema_is_the_one_the_code_uses(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_constraints_have_the_names_the_metadata_gives_them(engine: sa.Engine) -> None:
    inspector = sa.inspect(engine)
    for table in metadata.sorted_tables:
        named = {str(check.name) for check in table.constraints if isinstance(check, sa.CheckConstraint)}
        assert {check["name"] for check in inspector.get_check_constraints(table.name)} == named
        assert inspector.get_pk_constraint(table.name)["name"] == f"pk_{table.name}"


def test_up_down_and_up_again(empty_engine: sa.Engine) -> None:
    assert pending(empty_engine) == ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010"]
    upgrade(empty_engine)
    assert tables(empty_engine) == TABLES
    assert pending(empty_engine) == []
    downgrade(empty_engine, "base")
    assert tables(empty_engine) == set()
    upgrade(empty_engine)
    assert tables(empty_engine) == TABLES


def test_upgrading_twice_changes_nothing(engine: sa.Engine) -> None:
    upgrade(engine)
    assert pending(engine) == []


def test_several_processes_may_upgrade_at_once(empty_database_url: str) -> None:
    program = (
        "import sys; from service.store.database import open_engine, upgrade;"
        "engine = open_engine(sys.argv[1]); print('ready', flush=True); sys.stdin.readline();"
        "upgrade(engine)"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [(process.communicate()[1], process.returncode) for process in processes]
    assert [result for result in results if result[1] != 0] == []
    engine = open_engine(empty_database_url)
    assert pending(engine) == []
    engine.dispose()


def test_a_revision_from_the_future_is_told(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UnknownRevision, match="not known to this version"):
        pending(engine)
    with pytest.raises(UnknownRevision, match="not known to this version"):
        upgrade(engine)


def test_sqlite_keeps_every_promise_it_can(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new' / 'folder' / 'store.sqlite3'}")
    with engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    engine.dispose()
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


def test_an_error_says_nothing_of_the_values_in_a_statement(engine: sa.Engine) -> None:
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as failure:
        connection.execute(sa.text("SELECT * FROM nothing_like_it WHERE customer_id = :id"), {"id": "Ada Lovelace"})
    assert "Ada" not in str(failure.value)


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true", "sqlite:///file::memory:?uri=true"],
)
def test_sqlite_in_memory_is_refused_with_the_reason(url: str) -> None:
    with pytest.raises(UnusableDatabaseUrl, match="its own empty database"):
        open_engine(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_each_way_to_write_postgresql_is_understood(scheme: str) -> None:
    engine = open_engine(f"{scheme}://me:secret@host/name")
    assert engine.url.drivername == "postgresql+psycopg"
    assert engine.url.password == "secret"
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://me:secret@host/name", "secret", "", "postgresql+asyncpg://me:secret@h/n"])
def test_another_database_is_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(UnusableDatabaseUrl) as refusal:
        open_engine(url)
    assert "secret" not in str(refusal.value)


def test_postgresql_sessions_are_bounded_and_named(postgresql_url: str) -> None:
    engine = open_engine(postgresql_url)
    with engine.connect() as connection:
        shown = [
            connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("application_name", "statement_timeout", "TimeZone")
        ]
    engine.dispose()
    assert shown == ["customer-segmentation", "10s", "UTC"]


def test_a_server_that_is_not_there_is_unavailable() -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailable, match="cannot be used just now"):
        upgrade(engine)
    with pytest.raises(StoreUnavailable, match="cannot be used just now"):
        pending(engine)
    engine.dispose()
