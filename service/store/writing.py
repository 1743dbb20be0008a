"""A transaction that writes beside the writer of answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from service.store.engine_trouble import told
from service.store.turn import Turn


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection whose transaction is committed at the end; on SQLite it waits in the writers' line.

    Blocking; raises StoreUnavailable.
    """
    immediate = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
    with told(), immediate.connect() as connection, turn_of(connection), connection.begin():
        yield connection


@contextmanager
def turn_of(connection: sa.Connection) -> Iterator[None]:
    """The turn of a connection's writing: on SQLite beside no other process, else no matter."""
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    turn = Turn(driver)
    try:
        turn.take()
        yield
    finally:
        turn.close()  # which gives it up too
