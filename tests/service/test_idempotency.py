"""What is sent again under the same Idempotency-Key is done once and answered the same, to the byte."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from models.registry import Registry
from service.errors import InvalidRequest, KeyReused, RequestInProgress
from service.idempotency import LEASE, Answer, Claim, Idempotency, KeyedRequest
from service.store.database import open_engine
from service.store.idempotency import IdempotencyKeys, digest_of_customer
from service.store.schema import assignments, idempotency_keys
from service.store.ulid import UlidFactory
from tests.published import Published
from tests.service.requests import by_features, by_transactions, line
from tests.service.server import server
from tests.service.serving import NOW, TestClient, serving, settings_for, until
from tests.service.stored import as_stored, stored

DAY = timedelta(hours=24)
SECOND = timedelta(seconds=1)
BUYER = by_transactions(line(), line(stock_code="POST"), line(invoice_no="C9", quantity=-1), as_of=None)
REQUEST = KeyedRequest.of("anyone", "POST", "/segment", b"", "k").with_body(b"body")


def post(client: TestClient | httpx.Client, sent: Any, key: str, path: str = "/segment") -> httpx.Response:
    content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    headers = {"content-type": "application/json", "idempotency-key": key}
    response: httpx.Response = client.post(path, content=content, headers=headers)
    return response


def is_replayed(response: httpx.Response) -> bool:
    return bool(response.headers.get("idempotency-replayed") == "true")


def problem(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rpartition(":")[2]


def count(url: str, table: sa.Table = assignments) -> int:
    engine = open_engine(url)
    with engine.connect() as connection:
        found: int = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    engine.dispose()
    return found


# One customer --------------------------------------------------------------------------------------


def test_the_same_request_is_answered_the_same_and_stored_once(client: TestClient, store_url: str) -> None:
    first, again = post(client, BUYER, "a"), post(client, BUYER, "a")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.content == first.content
    assert (is_replayed(first), is_replayed(again)) == (False, True)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert count(store_url) == 1
    plain = client.post("/segment", json=BUYER).json()
    assert {**plain, "assignment_id": first.json()["assignment_id"]} == first.json()
    assert first.json()["ignored"] == {"non_product": 1}


def test_other_keys_and_other_calls_are_other_requests(client: TestClient, store_url: str) -> None:
    answers = {post(client, BUYER, "a").content, post(client, BUYER, "b").content}
    assert len(answers) == 2
    assert post(client, [BUYER], "a", "/segment/batch").json()["assigned"] == 1
    assert count(store_url) == 3


def test_another_body_is_refused_and_harms_nothing(client: TestClient, store_url: str) -> None:
    first = post(client, by_features("1"), "a")
    assert problem(post(client, by_features("2"), "a")) == (422, "idempotency-key-reused")
    assert post(client, by_features("1"), "a").content == first.content
    assert count(store_url) == 1


@pytest.mark.parametrize("wrong", [by_features(recency=-1.0), b"no json", {}])
def test_failed_validation_is_not_kept(client: TestClient, store_url: str, wrong: Any) -> None:
    for _ in range(2):
        refused = post(client, wrong, "a")
        assert problem(refused) == (422, "invalid-request")
        assert not is_replayed(refused)
    assert count(store_url, idempotency_keys) == 0
    assert post(client, by_features(), "a").status_code == 200


def test_a_record_is_of_its_customer_and_forgotten_after_a_day(store_url: str, models_dir: Path) -> None:
    now = NOW
    with serving(settings_for(store_url, models_dir), lambda: now) as client:
        first = post(client, by_features(" 7 ", as_of=None), "a").content
        now = NOW + DAY - SECOND
        assert post(client, by_features(" 7 ", as_of=None), "a").content == first
        engine = open_engine(store_url)
        with engine.connect() as connection:
            (record,) = connection.execute(sa.select(idempotency_keys)).all()
        engine.dispose()
        assert (record.customer_digest, record.answer) == (digest_of_customer("7"), first)
        now = NOW + DAY
        later = post(client, by_features(" 7 ", as_of=None), "a")
    assert not is_replayed(later)
    assert later.json()["as_of"] == "2011-12-11T09:30:00Z"
    assert count(store_url) == 2


def test_a_dry_run_knows_no_keys(client: TestClient, store_url: str) -> None:
    for name in ("1", "2"):
        response = post(client, by_features(name), "a", "/segment?dry_run=true")
        assert response.json()["customer_id"] == name
    assert count(store_url, idempotency_keys) == 0


@pytest.mark.parametrize("key", ["", "a b", "ä".encode(), "x" * 256])
@pytest.mark.parametrize("path", ["/segment", "/models/any/activate"])
def test_what_is_no_key_is_refused(shared_client: TestClient, path: str, key: str | bytes) -> None:
    headers = {b"idempotency-key": key if isinstance(key, bytes) else key.encode()}
    response = shared_client.post(path, content=json.dumps(by_features()), headers=headers)
    assert problem(response) == (422, "invalid-request")
    assert response.json()["errors"][0]["pointer"] == "Idempotency-Key"


def test_two_keys_are_refused(shared_client: TestClient) -> None:
    headers = [("idempotency-key", "a"), ("idempotency-key", "a")]
    assert shared_client.post("/segment", json=by_features(), headers=headers).status_code == 422


def test_every_post_in_the_document_takes_a_key(shared_client: TestClient) -> None:
    paths = shared_client.get("/openapi.json").json()["paths"]
    posts = {path: calls["post"] for path, calls in paths.items() if "post" in calls}
    assert set(posts) >= {"/segment", "/segment/batch", "/models/{version}/activate"}
    for path, call in posts.items():
        assert "Idempotency-Key" in {one["name"] for one in call["parameters"] if one["in"] == "header"}, path
        assert {"409", "422"} <= set(call["responses"]), path


# Restarts, kills, several processes ----------------------------------------------------------------


def test_after_a_restart_the_answer_is_still_the_same(store_url: str, models_dir: Path) -> None:
    answers = []
    for end in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        with server(database_url=store_url, models_dir=models_dir) as running:
            with httpx.Client(base_url=running.url, timeout=60) as client:
                answers.append(post(client, BUYER, "a").content)
                assert post(client, by_features(), "a").status_code == 422
            running.signal(end)
            running.wait()
    assert len(set(answers)) == 1
    assert count(store_url) == 1


def killed_once_stored(store_url: str, models_dir: Path, sent: Any, path: str = "/segment") -> str:
    """A process that stored the answer is killed before it told anyone; the answer's id."""
    command = [sys.executable, "-m", "tests.service.keyed_child", store_url, str(models_dir), path, "kill"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(sent).encode())
        child.stdin.close()
        said = child.stdout.readline().decode().strip()
        child.kill()
        assert child.wait() == -signal.SIGKILL
    return said


def test_a_kill_between_commit_and_answer_neither_loses_nor_doubles_it(store_url: str, models_dir: Path) -> None:
    known = killed_once_stored(store_url, models_dir, BUYER)
    assert list(stored(store_url)) == [known]
    now = NOW
    with serving(settings_for(store_url, models_dir), lambda: now) as client:
        early = post(client, BUYER, "kill")
        assert problem(early) == (409, "request-in-progress")
        assert int(early.headers["retry-after"]) >= 1
        now = NOW + LEASE
        found, again = post(client, BUYER, "kill"), post(client, BUYER, "kill")
        plain = client.post("/segment", json={**BUYER, "as_of": NOW.isoformat()}).json()
    assert again.content == found.content
    assert found.json() == {**plain, "assignment_id": known}
    assert stored(store_url)[known] == as_stored(found.json())
    assert count(store_url) == 2


def test_where_the_model_changed_since_the_kill_the_one_that_answered_words_it(
    store_url: str, own_models_dir: Path, published: Published
) -> None:
    known = killed_once_stored(store_url, own_models_dir, BUYER)
    Registry(own_models_dir).activate(published.second)
    with serving(settings_for(store_url, own_models_dir), lambda: NOW + LEASE) as client:
        found = post(client, BUYER, "kill").json()
    assert (found["assignment_id"], found["model_version"]) == (known, published.first)
    assert found["ignored"] == {"non_product": 1}
    assert found["reasons"]


def test_where_the_model_is_gone_since_the_kill_what_is_stored_is_told(
    store_url: str, own_models_dir: Path, published: Published
) -> None:
    known = killed_once_stored(store_url, own_models_dir, BUYER)
    Registry(own_models_dir).activate(published.second)
    (own_models_dir / published.first).rename(own_models_dir.parent / "gone")
    with serving(settings_for(store_url, own_models_dir), lambda: NOW + LEASE) as client:
        found = post(client, BUYER, "kill").json()
    assert (found["assignment_id"], found["recommendation"]) == (known, None)
    assert stored(store_url)[known] == as_stored(found)


def test_of_several_processes_one_works_and_all_answer_the_same(store_url: str, models_dir: Path) -> None:
    callers = 8
    with (
        server(database_url=store_url, models_dir=models_dir, workers=2) as first,
        server(database_url=store_url, models_dir=models_dir) as second,
        ThreadPoolExecutor(callers) as pool,
    ):
        addresses, together = [first.url, second.url], threading.Barrier(callers)

        def send(caller: int, key: str) -> httpx.Response:
            with httpx.Client(base_url=addresses[caller % 2], timeout=60) as client:
                together.wait()
                return post(client, BUYER, key)

        for key in ("a", "b", "c"):
            sent = [pool.submit(send, caller, key) for caller in range(callers)]
            answers = [one.result() for one in sent]
            done = [one for one in answers if one.status_code == 200]
            assert len({one.content for one in done}) == 1
            assert sum(not is_replayed(one) for one in done) == 1
            assert {problem(one) for one in answers if one not in done} <= {(409, "request-in-progress")}
    assert count(store_url) == 3


@contextmanager
def without_history(url: str) -> Iterator[None]:
    """A database that cannot store an answer for a while."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE assignments RENAME TO away"))
    try:
        yield
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE away RENAME TO assignments"))
        engine.dispose()


def test_what_the_database_could_not_store_is_stored_when_it_is_sent_again(client: TestClient, store_url: str) -> None:
    with without_history(store_url):
        assert problem(post(client, BUYER, "a")) == (503, "store-unavailable")
        assert problem(post(client, by_features(), "a")) == (422, "idempotency-key-reused")
    until(lambda: post(client, BUYER, "a").status_code == 200)
    assert is_replayed(post(client, BUYER, "a"))
    assert count(store_url) == 1


def test_a_batch_that_could_not_all_be_stored_goes_on_when_it_is_sent_again(client: TestClient, store_url: str) -> None:
    items = [by_features("1"), by_features("2")]
    with without_history(store_url):
        assert post(client, items, "a", "/segment/batch").status_code == 503
    until(lambda: post(client, items, "a", "/segment/batch").status_code == 200)
    again = post(client, items, "a", "/segment/batch")
    assert (is_replayed(again), again.json()["assigned"]) == (True, 2)
    assert count(store_url) == 2


def test_a_database_that_does_not_answer_is_not_waited_for_for_ever(
    client: TestClient, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(store_url)
    with monkeypatch.context() as hurried:
        hurried.setattr("service.idempotency.PATIENCE", 0.05)
        with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            held = "SELECT 1" if engine.dialect.name == "sqlite" else "LOCK TABLE idempotency_keys"
            connection.execute(sa.text(held))
            refused = post(client, BUYER, "a")
    engine.dispose()
    assert problem(refused) == (503, "store-unavailable")
    assert int(refused.headers["retry-after"]) >= 1


# Claims --------------------------------------------------------------------------------------------


class TestClaims:
    """Two services over one database, as two processes have them, and work that ends when it is told to."""

    @pytest.fixture
    def two(self, database_url: str) -> Any:
        engines = [open_engine(database_url) for _ in range(2)]
        yield [Idempotency(IdempotencyKeys(engine), UlidFactory(), lambda: NOW) for engine in engines]
        for engine in engines:
            engine.dispose()

    def test_while_one_works_the_other_is_told(self, two: list[Idempotency]) -> None:
        async def scenario() -> None:
            begun, end = asyncio.Event(), asyncio.Event()

            async def work(claim: Claim) -> Answer:
                begun.set()
                await end.wait()
                return Answer(200, b"done")

            working = asyncio.create_task(two[0].once(REQUEST, work))
            await begun.wait()
            for one in two:
                with pytest.raises(RequestInProgress):
                    await one.once(REQUEST, work)
                with pytest.raises(KeyReused):
                    await one.once(REQUEST.with_body(b"another"), work)
            end.set()
            assert await working == (b"done", False)
            for one in two:
                assert await one.once(REQUEST, work) == (b"done", True)

        asyncio.run(scenario())

    def test_a_claim_is_renewed_for_as_long_as_the_work_takes(
        self, two: list[Idempotency], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("service.idempotency.RENEWED_EVERY", timedelta(0))
        now = NOW
        for one in two:
            one._clock = lambda: now

        async def scenario() -> None:
            nonlocal now
            begun, end = asyncio.Event(), asyncio.Event()
            renewed = asyncio.Event()
            keys = two[0]._keys
            loop, renew = asyncio.get_running_loop(), keys.renew

            def seen(*about: Any) -> None:
                renew(*about)
                if about[1] >= NOW + 3 * LEASE:
                    loop.call_soon_threadsafe(renewed.set)

            monkeypatch.setattr(keys, "renew", seen)

            async def work(claim: Claim) -> Answer:
                begun.set()
                await end.wait()
                return Answer(200, b"done")

            working = asyncio.create_task(two[0].once(REQUEST, work))
            await begun.wait()
            now = NOW + 2 * LEASE
            await renewed.wait()
            with pytest.raises(RequestInProgress):
                await two[1].once(REQUEST, work)
            end.set()
            assert await working == (b"done", False)

        asyncio.run(scenario())

    @pytest.mark.parametrize(("error", "free"), [(InvalidRequest([]), True), (RuntimeError("broken"), False)])
    def test_after_a_failure_the_key_is_free_where_nothing_can_be_stored_and_else_gone_on_with(
        self, two: list[Idempotency], error: Exception, free: bool
    ) -> None:
        claims: list[Claim] = []

        async def fail(claim: Claim) -> Answer:
            claims.append(claim)
            raise error

        async def work(claim: Claim) -> Answer:
            claims.append(claim)
            return Answer(200, b"done")

        async def scenario() -> None:
            with pytest.raises(type(error)):
                await two[0].once(REQUEST, fail)
            if not free:
                with pytest.raises(KeyReused):
                    await two[1].once(REQUEST.with_body(b"another"), work)
            assert await two[1].once(REQUEST, work) == (b"done", False)

        asyncio.run(scenario())
        assert claims[1].again is not free
        assert (claims[0].record.first_id == claims[1].record.first_id) is not free

    def test_a_request_that_is_cancelled_lets_go_of_its_key(self, two: list[Idempotency]) -> None:
        async def scenario() -> None:
            begun = asyncio.Event()

            async def never(claim: Claim) -> Answer:
                begun.set()
                await asyncio.Event().wait()
                raise AssertionError

            async def work(claim: Claim) -> Answer:
                return Answer(200, b"done")

            working = asyncio.create_task(two[0].once(REQUEST, never))
            await begun.wait()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            assert await two[1].once(REQUEST, work) == (b"done", False)

        asyncio.run(scenario())

    def test_the_keys_of_one_caller_are_not_those_of_another(self) -> None:
        kinds = [
            ("anyone", "POST", "/segment", b"", "k"),
            ("other", "POST", "/segment", b"", "k"),
            ("anyone", "POST", "/segment/batch", b"", "k"),
            ("anyone", "POST", "/segment", b"x=1", "k"),
            ("anyone", "POST", "/segment", b"", "l"),
        ]
        assert len({KeyedRequest.of(*kind).digest for kind in kinds}) == len(kinds)


# Activation ----------------------------------------------------------------------------------------


def test_an_activation_is_done_once_however_often_it_is_sent(
    store_url: str, own_models_dir: Path, published: Published
) -> None:
    registry = Registry(own_models_dir)
    with serving(settings_for(store_url, own_models_dir)) as client:
        path = f"/models/{published.second}/activate"
        first = post(client, b"", "swap", path)
        assert first.json() == {"active": published.second}
        assert client.post(f"/models/{published.first}/activate").status_code == 200
        again = post(client, b"", "swap", path)
        assert (again.content, is_replayed(again)) == (first.content, True)
        assert registry.active() == published.first
        assert problem(post(client, b"{}", "swap", path)) == (422, "idempotency-key-reused")
        for _ in range(2):
            assert problem(post(client, b"", "none", "/models/20000101-0000000000000000/activate"))[0] == 404
    assert count(store_url, idempotency_keys) == 1


def test_without_a_key_a_model_is_activated_each_time(
    sqlite_url: str, own_models_dir: Path, published: Published
) -> None:
    with serving(settings_for(sqlite_url, own_models_dir)) as client:
        for version in (published.second, published.first, published.second):
            response = client.post(f"/models/{version}/activate")
            assert response.json() == {"active": version}
            until(lambda version=version: client.get("/models").json()["serving"] == version)  # type: ignore[misc]
