"""Removing what was stored, so that nothing stored beside it is missed and nothing of it remains in SQLite's files."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from service.store.trouble import told
from service.store.turn import Turn

# Stands in the migration too: whoever stores answers holds this lock shared.
STORING_LOCK = 7_395_174_022


@contextmanager
def erasing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction beside which nobody stores answers: it sees all that were acknowledged before, others come after.

    Raises StoreUnavailable.
    """
    with told(), engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").connect() as connection:
        if engine.dialect.name == "sqlite":
            with _turn(connection), connection.begin():
                yield connection
            return
        with connection.begin():
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(STORING_LOCK)))
            yield connection


def scrub(engine: sa.Engine) -> bool:
    """Carries SQLite's log over and empties it, so that what was erased is in none of its files any more.

    False where somebody still reads what was there before; then it is to be done again. Raises StoreUnavailable.
    """
    if engine.dialect.name != "sqlite":
        return True  # VACUUM does it there, by itself or when told
    with told(), engine.execution_options(sqlite_begin="").connect() as connection, _turn(connection):
        busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
    return not busy


@contextmanager
def _turn(connection: sa.Connection) -> Iterator[None]:
    driver: Any = connection.connection.driver_connection
    turn = Turn(driver)
    try:
        turn.take()
        yield
    finally:
        turn.give()
        turn.close()
