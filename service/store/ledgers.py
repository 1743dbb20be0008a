"""The ledger of each kind of database."""

from typing import Any

import sqlalchemy as sa

from service.store.ledger import Ledger
from service.store.trouble import unavailable


def open_ledger(engine: sa.Engine) -> Ledger:
    """A ledger over a new connection of its own. Raises StoreUnavailable."""
    try:
        pooled = engine.raw_connection()
    # The pool passes the driver's own errors on as they are.
    except (engine.dialect.loaded_dbapi.Error, sa.exc.SQLAlchemyError) as error:
        raise unavailable(error) from error
    connection: Any = pooled.driver_connection
    # Out of the pool: the readers' connections are not fewer for it.
    pooled.detach()
    # Imported where they are used: SQLite does without 12 MB and 100 ms for PostgreSQL's driver and dialect.
    if engine.dialect.name == "sqlite":
        from service.store.sqlite_ledger import SqliteLedger

        return SqliteLedger(connection, engine.dialect)
    from service.store.postgresql_ledger import PostgresqlLedger

    return PostgresqlLedger(connection, engine.dialect)
