"""One limit on requests per key for all workers and instances of a database."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from service import shared_buckets
from service.key_token import new_token
from service.settings import Settings
from service.shared_buckets import SharedBuckets
from service.store.database import open_engine
from service.store.keys import KeyStore
from service.store.quotas import Quotas, Taken
from service.store.schema import quotas
from tests.service.callers import made, sent
from tests.service.server import Server, server
from tests.service.serving import NOW, serving, settings_for, until

LIMIT = "ratelimit-limit"


class Noting(Quotas):
    """Notes how many requests it counted each time."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self.counts: list[int] = []

    def take(self, caller: str, per_minute: int, count: int = 1) -> list[Taken]:
        self.counts.append(count)
        return super().take(caller, per_minute, count)


@pytest.fixture
def engine(store_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(store_url)
    yield engine
    engine.dispose()


@contextmanager
def held(engine: sa.Engine) -> Iterator[None]:
    """Nobody can count for as long as this lasts."""
    sqlite = engine.dialect.name == "sqlite"
    with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        connection.exec_driver_sql("SELECT 1" if sqlite else "LOCK TABLE quotas IN ACCESS EXCLUSIVE MODE")
        yield


def shared(url: str, models_dir: Path, **others: object) -> Settings:
    return settings_for(url, models_dir, rate_limit_shared=True, **others)


def granted_in(seconds: float, limit: int) -> float:
    """The most that may pass: a minute's requests, and those that came back."""
    return limit + seconds * limit / 60


def statuses(ask: Callable[[int], int], count: int, limit: int) -> list[int]:
    """What as many requests as that at the same time were answered, of which as many as may passed."""
    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, range(count)))
        passed = found.count(200)
    assert set(found) == {200, 429}
    assert limit <= passed <= granted_in(time.monotonic() - began, limit)
    return found


def test_two_services_share_one_limit_and_a_restart_does_not_reset_it(store_url: str, models_dir: Path) -> None:
    began = time.monotonic()
    settings = shared(store_url, models_dir, rate_limit=2, workers=2)
    with serving(settings) as one, serving(settings) as other:
        answers = [each.get("/segments") for each in (one, other, one, other)]
    with serving(settings) as later:
        answers.append(later.get("/segments"))
        health = later.get("/health/live")
    passed = [answer.status_code for answer in answers].count(200)
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert passed <= granted_in(time.monotonic() - began, 2)
    assert {answer.headers[LIMIT] for answer in answers} == {"2"}
    assert [answer.headers["ratelimit-remaining"] for answer in answers[:2]] == ["1", "0"]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["type"] == "urn:segmentation:problem:too-many-requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert 1 <= int(refused.headers["ratelimit-reset"]) <= 60
    assert LIMIT not in health.headers


def test_workers_of_two_instances_share_one_limit(store_url: str, models_dir: Path) -> None:
    settings = {"models_dir": models_dir, "rate_limit": 10, "rate_limit_shared": True, "workers": 2}
    with ExitStack() as running:
        both: list[Server] = [running.enter_context(server(database_url=store_url, **settings)) for _ in range(2)]

        def ask(number: int) -> int:  # each by a connection of its own, which any worker may take up
            return httpx.get(f"{both[number % 2].url}/segments", timeout=60).status_code

        statuses(ask, 60, 10)


def test_many_requests_at_a_time_are_granted_exactly_the_limit(store_url: str, models_dir: Path) -> None:
    settings = shared(store_url, models_dir, rate_limit=1)
    with serving(settings) as one, serving(settings) as other:
        statuses(lambda number: (one, other)[number % 2].get("/segments").status_code, 40, 1)


def test_a_key_with_another_secret_is_the_same_caller(store_url: str, engine: sa.Engine, models_dir: Path) -> None:
    token, unlimited = made(store_url, "read", requests_per_minute=1), made(store_url, "read")
    with serving(shared(store_url, models_dir)) as client:
        assert client.get("/segments", headers=sent(token)).status_code == 200
        new = new_token(token.id)
        KeyStore(engine).rotate(token.id, new.digest, NOW + timedelta(days=1), NOW)
        until(lambda: client.get("/segments", headers=sent(new)).status_code != 401)
        assert client.get("/segments", headers=sent(new)).status_code == 429
        assert client.get("/segments", headers=sent(unlimited)).status_code == 200
    with engine.connect() as connection:
        assert connection.execute(sa.select(quotas.c.caller)).scalars().all() == [token.id]


def test_while_the_database_cannot_count_each_worker_grants_its_share(
    store_url: str, engine: sa.Engine, models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(shared(store_url, models_dir, rate_limit=3, workers=2)) as client:
        assert client.get("/segments").headers[LIMIT] == "3"
        with held(engine):
            answers = [client.get("/segments") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert {answer.headers[LIMIT] for answer in answers} == {"2"}
        until(lambda: client.get("/segments").headers[LIMIT] == "3")
    assert (
        "each worker grants its share of the rate limit for now: The database has not answered for 2 s" in caplog.text
    )


def test_without_the_table_each_worker_grants_its_share(store_url: str, engine: sa.Engine, models_dir: Path) -> None:
    with serving(shared(store_url, models_dir, rate_limit=3, workers=2)) as client:
        quotas.drop(engine)
        assert client.get("/segments").headers[LIMIT] == "2"
        quotas.create(engine)
        until(lambda: client.get("/segments").headers[LIMIT] == "3")


def test_of_several_who_wait_one_sees_that_the_database_hangs(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared_buckets, "AT_ONCE", 1)
    monkeypatch.setattr(shared_buckets, "PATIENCE", 0.3)
    noting = Noting(engine)

    async def ask() -> None:
        buckets = SharedBuckets(noting)
        with held(engine):
            assert set(await asyncio.gather(*(buckets.take(str(number), 1) for number in range(20)))) == {None}
            assert len(noting.counts) == 1

    with caplog.at_level(logging.WARNING):
        asyncio.run(ask())
    assert len([one for one in caplog.records if one.name == "segmentation.rate_limit"]) == 1


def test_whoever_comes_meanwhile_is_counted_together(engine: sa.Engine) -> None:
    noting = Noting(engine)

    async def ask() -> None:
        buckets = SharedBuckets(noting)
        gone = [asyncio.create_task(buckets.take("a", 60)) for _ in range(5)]
        with held(engine):
            waiting = [asyncio.create_task(buckets.take("a", 60)) for _ in range(30)]
            await asyncio.sleep(0)
            for task in gone[1:]:  # the first is being counted
                task.cancel()
        told = await asyncio.gather(gone[0], *waiting)
        assert [one is not None and one.passes for one in told] == [True] * 31
        assert sum(noting.counts) == 31
        assert len(noting.counts) <= 2

    asyncio.run(ask())


def test_who_is_refused_does_not_trouble_the_database(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_buckets, "PATIENCE", 0.3)

    async def ask() -> None:
        buckets = SharedBuckets(Quotas(engine))
        first, second = [await buckets.take("a", 1) for _ in range(2)]
        assert first is not None
        assert second is not None
        assert (first.passes, second.passes) == (True, False)
        with held(engine):
            again = await buckets.take("a", 1)
            assert again is not None
            assert not again.passes
            assert 0 < again.retry_after <= second.retry_after
            assert again.reset <= second.reset
            assert await buckets.take("a", 2) is None  # with another limit it may be otherwise
            assert await buckets.take("b", 1) is None

    asyncio.run(ask())


def test_a_refusal_ends_when_it_was_told_to(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask() -> None:
        buckets = SharedBuckets(Quotas(engine))
        while (allowance := await buckets.take("a", 1)) is not None and allowance.passes:
            pass
        assert allowance is not None
        with engine.begin() as connection:  # as if the time had passed
            connection.execute(quotas.delete())
        moment = time.monotonic() + allowance.retry_after
        monkeypatch.setattr(shared_buckets, "monotonic", lambda: moment)
        again = await buckets.take("a", 1)
        assert again is not None
        assert again.passes

    asyncio.run(ask())


def test_callers_who_have_all_requests_back_are_forgotten_meanwhile(
    store_url: str, engine: sa.Engine, models_dir: Path
) -> None:
    def callers() -> list[str]:
        with engine.connect() as connection:
            return list(connection.execute(sa.select(quotas.c.caller)).scalars())

    with engine.begin() as connection:
        connection.execute(quotas.insert(), [{"caller": "old", "full_at": 1}])
    Quotas(engine).take("busy", 1)
    with serving(shared(store_url, models_dir)):
        until(lambda: callers() == ["busy"])
