"""What one of several processes does every so often."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from service.store.engine_trouble import told
from service.store.schema import chores
from service.store.upsert import insert_into


def claim(engine: sa.Engine, name: str, now: datetime, every: timedelta) -> bool:
    """Whether the chore is the caller's to do now: nobody began it in the time before. Raises StoreUnavailable."""
    insert = insert_into(chores, engine.dialect.name).values(name=name, begun_at=now)
    due = chores.c.begun_at <= now - every
    mine = insert.on_conflict_do_update(index_elements=["name"], set_={"begun_at": now}, where=due)
    with told(), engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        return connection.execute(mine.returning(chores.c.name)).first() is not None
