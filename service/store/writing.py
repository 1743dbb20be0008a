"""A transaction that writes beside the writer of answers."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from service.store.trouble import told
from service.store.turn import Turn


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection whose transaction is committed at the end; on SQLite it waits in the writers' line.

    Blocking; raises StoreUnavailable.
    """
    immediate = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
    with told(), immediate.connect() as connection, _turn(connection), connection.begin():
        yield connection


@contextmanager
def _turn(connection: sa.Connection) -> Iterator[None]:
    if connection.dialect.name != "sqlite":
        yield
        return
    turn = Turn(connection.connection.driver_connection)  # type: ignore[arg-type]
    try:
        turn.take()
        yield
    finally:
        turn.close()  # which gives it up too
