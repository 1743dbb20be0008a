"""What the database has of answers, as answers have it."""

from typing import Any

import sqlalchemy as sa

from service.answer import StoredRecord
from service.store.assignment import Assignment
from service.store.database import open_engine
from service.store.schema import assignments, metadata


def stored(url: str) -> dict[str, dict[str, Any]]:
    """All answers in the database, by id."""
    engine = open_engine(url)
    columns = [sa.cast(column, sa.Text) if column.name == "features" else column for column in assignments.c]
    with engine.connect() as connection:
        rows = [Assignment.from_row(row) for row in connection.execute(sa.select(*columns))]
    engine.dispose()
    return {row.id: StoredRecord.of(row).model_dump(mode="json", exclude={"assigned_at"}) for row in rows}


def as_stored(answer: dict[str, Any]) -> dict[str, Any]:
    """What the database keeps of an answer."""
    return {name: answer[name] for name in StoredRecord.model_fields if name != "assigned_at"}


def drop_tables(url: str) -> None:
    """Takes the tables away from under a service. In one transaction that writes from its beginning: one that read
    before would be refused where the service wrote in between."""
    engine = open_engine(url)
    metadata.drop_all(engine.execution_options(sqlite_begin="BEGIN IMMEDIATE"))
    engine.dispose()
