import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from service.store import postgresql_ledger
from service.store.assignment import Assignment
from service.store.channel import Inbox, packed, receive
from service.store.database import ledger_spec, open_engine
from service.store.errors import RowRefused, StoreBusy, StoreClosed, StoreError, StoreUnavailable
from service.store.ledger import Entry
from service.store.postgresql_ledger import PostgresqlLedger
from service.store.reader import Reader
from service.store.schema import assignments, customers
from service.store.scribe_process import ScribeProcess
from service.store.writer import GroupCommit
from tests.service.store.records import NOON, assignment

Engine = sa.Engine

# SQLite has no connection that could be lost or refused.
ON_POSTGRESQL = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)


@pytest.fixture(params=["by a thread", "by a process"], autouse=True)
def scribe(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes in the tests of this module."""
    monkeypatch.setattr("tests.service.store.test_writer.BY_A_PROCESS", request.param == "by a process")


BY_A_PROCESS = False


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@asynccontextmanager
async def running(engine: Engine, **options: Any) -> AsyncIterator[GroupCommit]:
    writer = GroupCommit(ledger_spec(engine), **options)
    if BY_A_PROCESS:
        writer.written_by(ScribeProcess().writes_to(ledger_spec(engine)))
    writer.start()
    try:
        yield writer
    finally:
        await writer.close()


@asynccontextmanager
async def locked(engine: Engine) -> AsyncIterator[None]:
    """Keeps every other writer waiting: another process's long transaction."""
    with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("LOCK TABLE assignments, customers IN EXCLUSIVE MODE"))
        yield


async def until_taken(writer: GroupCommit) -> None:
    """Returns when what was queued is on its way to the database, whatever becomes of it."""
    while writer._pending:  # noqa: ASYNC110 (nobody is told)
        await asyncio.sleep(0)


def stored(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(sa.select(assignments.c.id)).scalars())


def test_an_acknowledged_row_is_in_both_tables(engine: Engine, reader: Reader) -> None:
    row = assignment()

    async def run() -> None:
        async with running(engine) as writer:
            await writer.commit([row])
            assert await asyncio.to_thread(reader.current, row.customer_id) == row
            assert await asyncio.to_thread(reader.find, row.id) == row

    asyncio.run(run())


def test_those_who_wait_together_share_a_transaction(engine: Engine) -> None:
    rows = [assignment(str(number)) for number in range(200)]

    async def run() -> GroupCommit:
        async with running(engine) as writer:
            async with locked(engine):
                first = asyncio.ensure_future(writer.commit(rows[:1]))
                await asyncio.sleep(0)
                await until_taken(writer)
                rest = [asyncio.ensure_future(writer.commit([row])) for row in rows[1:]]
                await asyncio.sleep(0)
                assert writer.queued_rows == 200
            await asyncio.gather(first, *rest)
            return writer

    writer = asyncio.run(run())
    assert writer.commits <= 2  # one, where the writer had not begun when the others came
    assert (writer.rows, writer.queued_rows) == (200, 0)
    assert writer.last_commit_seconds > 0
    assert stored(engine) == {row.id for row in rows}


def test_a_large_group_is_stored_exactly(engine: Engine, reader: Reader) -> None:
    rows = [
        assignment(f"customer \\ \t\n{number % 700}", as_of=NOON + timedelta(hours=number % 5))
        for number in range(3000)
    ]

    async def run() -> None:
        async with running(engine) as writer:
            await asyncio.gather(*[writer.commit(rows[start : start + 500]) for start in range(0, 3000, 500)])

    asyncio.run(run())
    assert {row.id: row for row in rows} == {row.id: row for name in names(rows) for row in history(reader, name)}


def names(rows: list[Assignment]) -> set[str]:
    return {row.customer_id for row in rows}


def history(reader: Reader, customer_id: str) -> list[Assignment]:
    return reader.history(customer_id, None, 100)


@pytest.mark.parametrize("size", [1, 600])
@pytest.mark.parametrize(
    "fault",
    [
        {"confidence": 1.5},
        {"confidence": float("nan")},
        {"customer_id": ""},
        {"customer_id": "x" * 257},
        {"customer_id": "\ud800"},
        {"segment_id": None},
        {"segment_id": 2**70},
        {"as_of": NOON.replace(tzinfo=None)},
    ],
    ids=str,
)
def test_a_failing_row_fails_only_its_own_submission(engine: Engine, fault: dict[str, Any], size: int) -> None:
    good = [[assignment(f"good {number} {row}") for row in range(size)] for number in range(3)]
    bad = [assignment("good 0 0"), assignment(**{"customer_id": "bad", **fault})]

    async def run() -> list[BaseException | None]:
        async with running(engine) as writer:
            async with locked(engine):
                asyncio.ensure_future(writer.commit([assignment("first")]))  # noqa: RUF006 (awaited by close)
                await asyncio.sleep(0)
                await until_taken(writer)
                waiters = [asyncio.ensure_future(writer.commit(rows)) for rows in (*good[:2], bad, good[2])]
                await asyncio.sleep(0)
            return await asyncio.gather(*waiters, return_exceptions=True)

    outcomes = asyncio.run(run())
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), RowRefused, type(None)]
    assert "correct the row" in str(outcomes[2])
    assert stored(engine) >= {row.id for rows in good for row in rows}
    assert not stored(engine) & {row.id for row in bad}


def test_the_same_id_twice_is_refused_and_the_first_stays(engine: Engine, reader: Reader) -> None:
    row = assignment()

    async def run() -> None:
        async with running(engine) as writer:
            await writer.commit([row])
            with pytest.raises(RowRefused, match="none of the rows"):
                await writer.commit([row._replace(customer_id="somebody else")])

    asyncio.run(run())
    assert reader.find(row.id) == row
    assert reader.current("somebody else") is None


def test_a_full_queue_refuses_and_what_was_taken_is_stored(engine: Engine) -> None:
    rows = [assignment(str(number)) for number in range(12)]

    async def run() -> None:
        async with running(engine, capacity=10) as writer:
            async with locked(engine):
                waiters = [
                    asyncio.ensure_future(writer.commit(rows[:4])),
                    asyncio.ensure_future(writer.commit(rows[4:9])),
                ]
                await asyncio.sleep(0)
                with pytest.raises(StoreBusy, match="9 rows are waiting") as busy:
                    await writer.commit(rows[9:])
                assert busy.value.retry_after > 0
                waiters.append(asyncio.ensure_future(writer.commit(rows[9:10])))
                await asyncio.sleep(0)
            await asyncio.gather(*waiters)
            await writer.commit(rows[10:])
            with pytest.raises(ValueError, match="send them in parts"):
                await writer.commit([assignment() for _ in range(11)])

    asyncio.run(run())
    assert stored(engine) == {row.id for row in rows}


def test_a_cancelled_waiter_changes_nothing_for_others(engine: Engine) -> None:
    rows = [assignment(str(number)) for number in range(5)]

    async def run() -> None:
        async with running(engine) as writer:
            async with locked(engine):
                waiters = [asyncio.ensure_future(writer.commit([row])) for row in rows]
                await asyncio.sleep(0)
                waiters[0].cancel()
                waiters[3].cancel()
                await asyncio.sleep(0)
            outcomes = await asyncio.gather(*waiters, return_exceptions=True)
            assert [type(outcome) for outcome in outcomes].count(asyncio.CancelledError) == 2
            await writer.commit([assignment("later")])
            assert writer.queued_rows == 0

    asyncio.run(run())
    assert stored(engine) >= {row.id for row in (rows[1], rows[2], rows[4])}


def test_closing_stores_what_waits_and_takes_no_more(engine: Engine) -> None:
    rows = [assignment(str(number)) for number in range(50)]

    async def run() -> None:
        writer = GroupCommit(ledger_spec(engine))
        with pytest.raises(StoreClosed, match="not running"):
            await writer.commit(rows)
        writer.start()
        waiters = [asyncio.ensure_future(writer.commit([row])) for row in rows]
        await asyncio.sleep(0)
        await writer.close()
        await asyncio.gather(*waiters)
        with pytest.raises(StoreClosed, match="not running"):
            await writer.commit(rows)
        await writer.close()

    asyncio.run(run())
    assert stored(engine) == {row.id for row in rows}


def test_no_rows_are_no_work(engine: Engine) -> None:
    async def run() -> GroupCommit:
        async with running(engine) as writer:
            await writer.commit([])
            return writer

    assert asyncio.run(run()).commits == 0


@ON_POSTGRESQL
def test_a_lost_connection_is_replaced_without_anyone_noticing(engine: Engine) -> None:
    rows = [assignment(str(number)) for number in range(2)]

    async def run() -> None:
        async with running(engine) as writer:
            await writer.commit(rows[:1])
            end_other_sessions(engine)
            await writer.commit(rows[1:])

    asyncio.run(run())
    assert stored(engine) == {row.id for row in rows}


@ON_POSTGRESQL
def test_a_commit_whose_answer_was_lost_is_not_made_twice(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    class LosesItsFirstAnswer(PostgresqlLedger):
        def write(self, appended: Sequence[Entry]) -> None:
            super().write(appended)
            monkeypatch.undo()
            self._connection.close()
            raise StoreUnavailable("The connection was lost after the COMMIT.")

    monkeypatch.setattr(postgresql_ledger, "PostgresqlLedger", LosesItsFirstAnswer)
    rows = [assignment(str(number)) for number in range(2)]

    async def run() -> None:
        async with running(engine) as writer:
            await writer.commit(rows)

    asyncio.run(run())
    assert stored(engine) == {row.id for row in rows}


def end_other_sessions(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


@ON_POSTGRESQL
def test_an_unreachable_database_is_told_at_once_and_recovered_from(
    postgresql_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.store.writer.RETRY_AFTER", 0.05)
    engine = open_engine(database_url)
    row = assignment()

    async def run() -> None:
        async with running(engine) as writer:
            await writer.commit([assignment("before")])
            allow_connections(postgresql_url, engine, "false")
            end_sessions(postgresql_url, engine)
            for _ in range(3):
                with pytest.raises(StoreUnavailable, match="try again") as trouble:
                    await writer.commit([row])
                assert trouble.value.retry_after > 0
            allow_connections(postgresql_url, engine, "true")
            await stored_in_the_end(writer, row)

    asyncio.run(run())
    assert row.id in stored(engine)
    engine.dispose()


async def stored_in_the_end(writer: GroupCommit, row: Assignment) -> None:
    """Does what a caller is told to do: tries again after the seconds given."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await writer.commit([row])
            except StoreUnavailable as trouble:
                await asyncio.sleep(trouble.retry_after)


def administer(server: str, statement: str) -> None:
    with psycopg.connect(server.replace("postgresql+psycopg://", "postgresql://"), autocommit=True) as connection:
        connection.execute(statement.encode())


def allow_connections(server: str, engine: Engine, allowed: str) -> None:
    administer(server, f"ALTER DATABASE {engine.url.database} WITH ALLOW_CONNECTIONS {allowed}")


def end_sessions(server: str, engine: Engine) -> None:
    administer(
        server,
        f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{engine.url.database}'",
    )


def test_nobody_waits_longer_than_the_patience_for_a_stuck_database(engine: Engine) -> None:
    rows = [assignment(str(number)) for number in range(3)]

    async def run() -> None:
        async with running(engine, patience=0.2) as writer:
            async with locked(engine):
                waiters = [asyncio.ensure_future(writer.commit([row])) for row in rows[:2]]
                async with asyncio.timeout(2):
                    outcomes = await asyncio.gather(*waiters, return_exceptions=True)
                assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 2
                assert "has not answered for 0.2 s" in str(outcomes[0])
                with pytest.raises(StoreUnavailable, match="has not answered"):
                    await writer.commit(rows[2:])
            await stored_in_the_end(writer, rows[2])

    asyncio.run(run())
    assert rows[2].id in stored(engine)


def test_a_missing_schema_is_unavailable_not_the_rows_fault(empty_engine: Engine) -> None:
    async def run() -> StoreError:
        async with running(empty_engine) as writer:
            with pytest.raises(StoreUnavailable) as trouble:
                await writer.commit([assignment()])
            return trouble.value

    assert "assignments" in asyncio.run(run()).reason


def test_writers_side_by_side_neither_deadlock_nor_lose_rows(database_url: str) -> None:
    """Two writers with engines of their own, as two processes have, on the same few customers."""
    engines = [open_engine(database_url) for _ in range(2)]
    rows = [[assignment(str(number % 20)) for number in range(800)] for _ in engines]

    async def run() -> None:
        async with running(engines[0]) as one, running(engines[1]) as other:
            await asyncio.gather(
                *[
                    writer.commit(mine[start : start + 40][:: 1 if writer is one else -1])
                    for start in range(0, 800, 40)
                    for writer, mine in zip((one, other), rows, strict=True)
                ]
            )

    asyncio.run(run())
    assert stored(engines[0]) == {row.id for mine in rows for row in mine}
    with engines[0].connect() as connection:
        current = {row.customer_id: row.assignment_id for row in connection.execute(sa.select(customers))}
    newest = {name: max(row.id for mine in rows for row in mine if row.customer_id == name) for name in current}
    assert current == newest
    assert len(current) == 20
    for engine in engines:
        engine.dispose()


def scribes() -> set[int]:
    """The processes that write for this one."""
    return {child.pid for child in psutil.Process().children() if "service.store.scribe_main" in child.cmdline()}


def test_a_scribe_that_was_killed_is_replaced_and_who_waited_is_told(engine: Engine) -> None:
    """What it was at may be stored or not; whoever comes next is answered. Another process writes, until one ends that
    has written nothing: then a thread does."""
    rows = [assignment(str(number)) for number in range(5)]

    async def killed_while_writing(writer: GroupCommit, row: Assignment) -> None:
        (scribe,) = scribes()
        async with locked(engine):
            waiter = asyncio.ensure_future(writer.commit([row]))
            await asyncio.sleep(0)
            await until_taken(writer)
            os.kill(scribe, signal.SIGKILL)
            with pytest.raises(StoreUnavailable, match="may be stored or not"):
                await waiter

    async def run() -> None:
        writer = GroupCommit(ledger_spec(engine))
        writer.written_by(ScribeProcess().writes_to(ledger_spec(engine)))
        writer.start()
        await writer.commit(rows[:1])
        first = scribes()
        await killed_while_writing(writer, rows[1])
        await writer.commit(rows[2:3])
        second = scribes()
        assert len(second) == 1
        assert second != first
        spent = writer.scribe_cpu
        await killed_while_writing(writer, rows[3])
        await killed_while_writing(writer, rows[3])
        assert scribes() == set()
        await writer.commit(rows[4:])
        assert writer.scribe_cpu == spent > 0
        await writer.close()

    asyncio.run(run())
    assert {rows[0].id, rows[2].id, rows[4].id} <= stored(engine)


def test_a_scribe_keeps_nothing_open_that_was_and_ends_when_no_more_comes(engine: Engine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)), (tmp_path / "opened").open("w") as opened:
        process = ScribeProcess().writes_to(ledger_spec(engine))
        try:
            process.end.sendall(packed([]))
            assert receive(process.end, Inbox())[0] == []
            watched = psutil.Process(process.pid)
            assert opened.name not in [one.path for one in watched.open_files()]
            assert psutil.CONN_LISTEN not in [one.status for one in watched.net_connections()]
        finally:
            process.finish(10.0)
    assert not psutil.pid_exists(process.pid)


def test_a_scribe_that_does_not_end_by_itself_is_ended(engine: Engine) -> None:
    process = ScribeProcess().writes_to(ledger_spec(engine))
    os.kill(process.pid, signal.SIGSTOP)
    process.finish(0.05)
    assert not psutil.pid_exists(process.pid)


def test_an_observer_that_fails_keeps_nobody_waiting(engine: Engine) -> None:
    class Failing:
        def committed(self, group: object, seconds: float) -> None:
            raise LookupError

        def failed(self) -> None:
            raise LookupError

    rows = [assignment("1"), assignment("2")]

    async def run() -> None:
        async with running(engine, observer=Failing()) as writer, asyncio.timeout(10):
            for row in rows:
                await writer.commit([row])

    asyncio.run(run())
    assert stored(engine) == {row.id for row in rows}
