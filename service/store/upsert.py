"""An INSERT that knows what to do with a row that is there already, in the words of either database."""

from typing import Any

import sqlalchemy as sa


def insert_into(table: sa.Table, dialect: str) -> Any:
    """The statement of the dialect of this name, with `on_conflict_do_update` and `on_conflict_do_nothing`."""
    # Imported where it is used: a process has one database, and the other's dialect takes 2 MB.
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
