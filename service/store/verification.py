"""The memory of which models were proved."""

from datetime import datetime

import sqlalchemy as sa

from service.store.engine_trouble import told
from service.store.schema import verified_models
from service.store.upsert import insert_into


def remember_verified(engine: sa.Engine, digest: str, version: str, at: datetime, libraries: str) -> None:
    """Remembers that the model of this digest was proved at `at` with `libraries`; once more replaces it.

    Raises StoreUnavailable.
    """
    fact = {"version": version, "verified_at": at, "libraries": libraries}
    insert = insert_into(verified_models, engine.dialect.name).values(digest=digest, **fact)
    with told(), engine.begin() as connection:
        connection.execute(insert.on_conflict_do_update(index_elements=["digest"], set_=fact))
