"""Every request has an id, which its answer carries, and is told of once, however it ends."""

import asyncio
import gc
import re
import weakref
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from service.concurrency import Concurrency
from service.deadline import Deadline
from service.exchange import Exchange
from service.observed import Observed
from service.problem import response_to
from service.store.reader import Reader
from service.templates import Templates
from tests.service.requests import by_features
from tests.service.serving import TestClient, serving, settings_for

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def client(sqlite_url: str, models_dir: Path) -> Any:
    with serving(settings_for(sqlite_url, models_dir)) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "address", "others", "status"),
    [
        ("POST", "/segment", {"json": by_features()}, 200),
        ("POST", "/segment?dry_run=true", {"json": by_features()}, 200),
        ("POST", "/segment/batch", {"json": [by_features()]}, 200),
        ("GET", "/segments", {}, 200),
        ("GET", "/health/live", {}, 200),
        ("GET", "/docs", {}, 200),
        ("POST", "/segment", {"content": b"{"}, 422),
        ("GET", "/nowhere", {}, 404),
        ("OPTIONS", "/segment", {}, 405),
        ("HEAD", "/segments", {}, 405),
        ("POST", "/segment", {"content": b"x", "headers": {"content-encoding": "br"}}, 415),
    ],
)
def test_every_answer_carries_the_id_that_was_sent_and_continues_the_trace(
    client: TestClient, method: str, address: str, others: dict[str, Any], status: int
) -> None:
    headers = {**others.get("headers", {}), "X-Request-ID": "mine-1", "traceparent": PARENT}
    response = client.request(method, address, **{**others, "headers": headers})
    assert response.status_code == status
    assert response.headers.get_list("x-request-id") == ["mine-1"]
    assert re.fullmatch(rf"00-{TRACE}-(?!00f067aa0ba902b7)[0-9a-f]{{16}}-01", response.headers["traceparent"])
    if status >= 400 and method != "HEAD":
        assert response.json()["request_id"] == "mine-1"


def test_items_of_a_batch_that_failed_have_the_id_of_their_request(client: TestClient) -> None:
    response = client.post("/segment/batch", json=[{}], headers={"X-Request-ID": "mine-2"})
    assert response.json()["results"][0]["problem"]["request_id"] == "mine-2"


def test_an_answer_without_an_id_sent_has_one_of_its_own(client: TestClient) -> None:
    first, second = (client.post("/segment", json=by_features()).headers for _ in range(2))
    assert first["x-request-id"] != second["x-request-id"]
    assert "traceparent" not in first


def test_a_fault_of_our_own_is_answered_under_the_id_that_was_sent(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(Reader, "current", fail)
    response = client.get("/customers/1", headers={"X-Request-ID": "mine-3"})
    assert (response.status_code, response.json()["request_id"]) == (500, "mine-3")


# How it ends ---------------------------------------------------------------------------------------


async def good(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"abc", "more_body": True})
    await send({"type": "http.response.body", "body": b"de"})


async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body"})


async def raising(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError


async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"abc", "more_body": True})
    raise RuntimeError


async def left(scope: Scope, receive: Receive, send: Send) -> None:
    await response_to(ClientDisconnect())(scope, receive, send)


@pytest.mark.parametrize(
    ("app", "status", "outcome", "sent"),
    [
        (good, 200, "answered", 5),
        (refusing, 404, "refused", 0),
        (breaking, 200, "broken-off", 3),
        (left, 499, "gone", 0),
    ],
)
def test_a_request_is_told_of_once_however_it_ends(app: Any, status: int, outcome: str, sent: int) -> None:
    told, messages = observed(app)
    assert [(one.status, one.outcome, one.sent, one.route) for one in told] == [(status, outcome, sent, "unmatched")]
    assert (b"x-request-id", told[0].correlation.request_id.encode()) in messages[0]["headers"]


def test_what_nobody_answered_is_answered_with_a_problem() -> None:
    told, messages = observed(raising)
    assert [(one.status, one.outcome) for one in told] == [(500, "failed")]
    assert b"urn:segmentation:problem:internal" in messages[1]["body"]


def test_an_observer_that_fails_harms_nobody() -> None:
    def failing(exchange: Exchange) -> None:
        raise RuntimeError

    told, messages = observed(good, failing)
    assert len(told) == 1
    assert messages[-1]["body"] == b"de"


def test_what_is_known_of_a_request_goes_with_it_and_waits_for_no_collector() -> None:
    ends: list[weakref.finalize[Any, Any]] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        token = Token()
        ends.append(weakref.finalize(token, int))
        scope["token"] = token
        await good(scope, receive, send)

    gc.collect()
    gc.disable()
    try:
        observed(noting)
        assert [one.alive for one in ends] == [False]
    finally:
        gc.enable()


class Token:
    """Is gone when what holds it is."""


def observed(app: Any, *others: Any) -> tuple[list[Exchange], list[MutableMapping[str, Any]]]:
    told: list[Exchange] = []
    messages: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        messages.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.disconnect"}

    layer = Observed(
        app, Templates([]), [*others, told.append], Concurrency(1), Deadline(60.0, unlimited=lambda scope: False)
    )
    scope = {"type": "http", "method": "GET", "path": "/customers/17850", "headers": []}
    asyncio.run(layer(scope, receive, send))
    assert layer.running == set()
    return told, messages
