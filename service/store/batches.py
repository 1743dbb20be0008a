"""The memory of which batches have begun under which key."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from service.store.schema import batches
from service.store.trouble import told

INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
KEPT = timedelta(hours=24)


class BegunBatch(NamedTuple):
    """A batch: the id of the answer to its first item, when it began, and whether it had begun before."""

    first_id: str
    started_at: datetime
    before: bool


def begin(engine: sa.Engine, digest: str, first_id: str, now: datetime) -> BegunBatch:
    """The batch under the key of this digest; where there is none yet it begins now, with this id.

    Keys older than `KEPT` are forgotten. Raises StoreUnavailable.
    """
    insert = INSERTS[engine.dialect.name](batches).values(digest=digest, first_id=first_id, started_at=now)
    known = sa.select(batches.c.first_id, batches.c.started_at).where(batches.c.digest == digest)
    writing = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
    with told(), writing.begin() as connection:
        connection.execute(sa.delete(batches).where(batches.c.started_at < now - KEPT))
        connection.execute(insert.on_conflict_do_nothing(index_elements=["digest"]))
        found, started_at = connection.execute(known).one()
    return BegunBatch(found, started_at, found != first_id)
