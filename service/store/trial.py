"""Whether the database takes what is written, tried without leaving anything."""

from datetime import datetime

import sqlalchemy as sa

from service.store.engine_trouble import told
from service.store.schema import verified_models


def try_writing(engine: sa.Engine, at: datetime) -> None:
    """Writes a row and takes it back. Raises StoreUnavailable, as where the database is read-only, full or locked."""
    row = {"digest": "a trial", "version": "a trial", "verified_at": at, "libraries": ""}
    with told(), engine.connect() as connection:
        transaction = connection.begin()
        try:
            connection.execute(verified_models.insert().values(row))
        finally:
            transaction.rollback()
