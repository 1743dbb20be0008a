"""Removing what was stored, so that nothing stored beside it is missed and nothing of it remains in SQLite's files."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from service.store.engine_trouble import told
from service.store.schema import assignments, customers
from service.store.writing import turn_of

# Stands in the migration too: whoever stores answers holds this lock shared.
STORING_LOCK = 7_395_174_022
# So long the writers may wait while the log is emptied, and readers keep it from being so.
SCRUB_MILLISECONDS = 100


@contextmanager
def erasing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction beside which nobody stores answers: it sees all that were acknowledged before, others come after.

    Raises StoreUnavailable.
    """
    with told(), engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").connect() as connection:
        if engine.dialect.name == "sqlite":
            with turn_of(connection), connection.begin():
                yield connection
            return
        with connection.begin():
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(STORING_LOCK)))
            yield connection


def hold_off_erasing(connection: sa.Connection) -> None:
    """Has erasures wait for the end of this transaction, as they do for those that store answers. On SQLite whoever
    writes does so anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(STORING_LOCK)))


def scrub(engine: sa.Engine) -> bool:
    """Carries SQLite's log, which has what was there before, over into the file and empties it.

    False where somebody still reads what was there before; then it is to be done again. Raises StoreUnavailable.
    """
    if engine.dialect.name != "sqlite":
        return True  # the server sees to its own log
    with _outside_transactions(engine) as connection, turn_of(connection):
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {SCRUB_MILLISECONDS}")
        busy: int = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
    return not busy


def vacuum(engine: sa.Engine) -> None:
    """Gives space back. On SQLite the file is written anew, and writers wait: only then is nothing that was erased left
    in parts of pages that are not in use. Raises StoreUnavailable."""
    with _outside_transactions(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET statement_timeout = 0")
        tables = "" if engine.dialect.name == "sqlite" else ", ".join(table.name for table in (assignments, customers))
        connection.exec_driver_sql(f"VACUUM {tables}")
    scrub(engine)


@contextmanager
def _outside_transactions(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that is thrown away afterwards, with whatever was set on it."""
    alone = engine.execution_options(isolation_level="AUTOCOMMIT", sqlite_begin="")
    with told(), alone.connect() as connection:
        try:
            yield connection
        finally:
            connection.invalidate()
