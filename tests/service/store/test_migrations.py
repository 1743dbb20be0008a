"""Each migration, down and up again, with rows in the tables."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from service.store.database import VERSIONS, downgrade, ledger_spec, pending, upgrade
from service.store.writer import GroupCommit
from tests.service.store.records import PRODUCTS, assignment

REVISIONS = sorted(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))
EARLIER = REVISIONS[:-1]


def by_name(row: dict[str, Any]) -> list[tuple[str, str]]:
    """An order that does not hang on that of the columns."""
    return sorted((name, str(value)) for name, value in row.items())


def rows_of(engine: sa.Engine, table: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(sa.text(f"SELECT * FROM {table}")).mappings()
        return sorted((dict(row) for row in found), key=by_name)


def without(rows: list[dict[str, Any]], columns: set[str]) -> list[dict[str, Any]]:
    """With those columns alone that the others have too."""
    return [{name: row[name] for name in columns} for row in rows]


async def store(engine: sa.Engine, count: int) -> None:
    writer = GroupCommit(ledger_spec(engine))
    writer.start()
    await writer.commit([assignment(str(number % 7), products=PRODUCTS) for number in range(count)])
    await writer.close()


@pytest.mark.parametrize("revision", EARLIER)
def test_history_and_current_rows_outlast_a_way_down_and_up_again(engine: sa.Engine, revision: str) -> None:
    asyncio.run(store(engine, 30))
    history, current = rows_of(engine, "assignments"), rows_of(engine, "customers")
    downgrade(engine, revision)
    assert pending(engine) == REVISIONS[REVISIONS.index(revision) + 1 :]
    kept = rows_of(engine, "assignments")
    assert kept == without(history, set(kept[0]))
    assert rows_of(engine, "customers") == current

    upgrade(engine)
    assert pending(engine) == []
    assert without(rows_of(engine, "assignments"), set(kept[0])) == kept
    assert rows_of(engine, "customers") == current
    asyncio.run(store(engine, 10))  # and it is written to as before
    assert len(rows_of(engine, "assignments")) == 40


@pytest.mark.parametrize("revision", EARLIER)
def test_one_step_at_a_time_is_the_same_as_all_at_once(engine: sa.Engine, revision: str) -> None:
    asyncio.run(store(engine, 5))
    downgrade(engine, revision)
    for step in REVISIONS[REVISIONS.index(revision) + 1 :]:
        upgrade(engine, step)
        assert len(rows_of(engine, "assignments")) == 5
    assert pending(engine) == []


def test_the_table_of_the_shared_rate_limit_is_dropped_with_its_rows_and_comes_back_empty(engine: sa.Engine) -> None:
    assert not sa.inspect(engine).has_table("quotas")
    downgrade(engine, "0009")
    assert rows_of(engine, "quotas") == []
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO quotas (caller, full_at) VALUES ('anyone', 1)"))
    upgrade(engine)
    assert not sa.inspect(engine).has_table("quotas")
