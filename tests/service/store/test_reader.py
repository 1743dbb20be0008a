import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.store.assignment import Assignment
from service.store.database import ledger_spec, open_engine
from service.store.errors import StoreUnavailable
from service.store.reader import Reader
from service.store.writer import GroupCommit
from tests.service.store.records import NOON, PRODUCTS, assignment


def store(engine: sa.Engine, rows: Sequence[Assignment]) -> None:
    async def run() -> None:
        writer = GroupCommit(ledger_spec(engine))
        writer.start()
        await writer.commit(rows)
        await writer.close()

    asyncio.run(run())


def test_what_was_stored_is_read_back_exactly(engine: sa.Engine, reader: Reader) -> None:
    row = assignment("Zoë; DROP TABLE \\ \t\n “x”", products=PRODUCTS)
    store(engine, [row])
    assert reader.current(row.customer_id) == row
    assert reader.find(row.id) == row


def test_nobody_knows_an_unknown_customer(reader: Reader) -> None:
    assert reader.current("nobody") is None
    assert reader.find("nothing") is None
    assert reader.history("nobody", None, 10) == []


@pytest.mark.parametrize("impossible", ["a\0b", "\ud800"])
def test_an_id_no_database_can_hold_is_merely_unknown(reader: Reader, impossible: str) -> None:
    assert reader.current(impossible) is None
    assert reader.history(impossible, None, 1) == []
    assert reader.audience(1, impossible, 1) == []


def test_history_is_paged_from_the_newest(engine: sa.Engine, reader: Reader) -> None:
    rows = [assignment(as_of=NOON - timedelta(days=day)) for day in range(5)]
    store(engine, [*rows, assignment("another")])
    newest_first = rows[::-1]
    first = reader.history("17850", None, 2)
    second = reader.history("17850", first[-1].id, 2)
    third = reader.history("17850", second[-1].id, 2)
    assert [first, second, third] == [newest_first[:2], newest_first[2:4], newest_first[4:]]


def test_an_audience_is_paged_in_the_same_order_on_every_database(engine: sa.Engine, reader: Reader) -> None:
    names = ["b", "B", "a", "_", "10", "9", "é", "Ż"]
    store(engine, [assignment(name, segment_id=3) for name in names] + [assignment("other", segment_id=4)])
    pages: list[str] = []
    after = None
    while page := reader.audience(3, after, 3):
        pages += [row.customer_id for row in page]
        after = pages[-1]
    assert pages == sorted(names)
    assert reader.audience_size(3) == len(names)
    assert reader.audience_size(99) == 0


def test_a_customer_who_moved_leaves_the_old_audience(engine: sa.Engine, reader: Reader) -> None:
    store(engine, [assignment(segment_id=1)])
    moved = assignment(segment_id=2)
    store(engine, [moved])
    assert reader.audience(1, None, 10) == []
    assert reader.audience(2, None, 10) == [moved]


def test_a_ping_takes_some_time(reader: Reader) -> None:
    assert 0 < reader.ping() < 5


def test_a_store_without_tables_is_unavailable(empty_engine: sa.Engine) -> None:
    with pytest.raises(StoreUnavailable, match="cannot be used just now"):
        Reader(empty_engine).ping()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    engine = open_engine("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StoreUnavailable, match="try again") as trouble:
        Reader(engine).current("17850")
    assert trouble.value.retry_after > 0
    engine.dispose()
