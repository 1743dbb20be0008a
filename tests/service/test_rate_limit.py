"""Requests per key and minute, and wrong keys per address."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from service.caller import KEY, Caller
from service.correlation import Correlation
from service.errors import TooManyRequests
from service.exchange import KEY as EXCHANGE
from service.exchange import Exchange
from service.rate_limit import RateLimit, WrongKeys
from tests.service.requests import by_features
from tests.service.server import server
from tests.service.serving import serving, settings_for

SECRET = "k" * 32
RIGHT = {"authorization": f"Bearer {SECRET}"}
WRONG = {"authorization": "Bearer wrong"}


def test_every_answer_tells_how_the_limit_stands_and_beyond_it_is_refused(sqlite_url: str, models_dir: Path) -> None:
    with serving(settings_for(sqlite_url, models_dir, rate_limit=4)) as client:
        answers = [
            client.post("/segment", json=by_features()),
            client.get("/segments"),
            client.post("/segment", content=b"{"),
            client.get("/nowhere"),
            client.post("/segment", json=by_features()),
        ]
        assert [one.status_code for one in answers] == [200, 200, 422, 404, 429]
        assert [one.headers["ratelimit-limit"] for one in answers] == ["4"] * 5
        assert [one.headers["ratelimit-remaining"] for one in answers] == ["3", "2", "1", "0", "0"]
        assert all(1 <= int(one.headers["ratelimit-reset"]) <= 60 for one in answers)
        assert answers[-1].json()["type"] == "urn:segmentation:problem:too-many-requests"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 15
        assert "retry-after" not in answers[0].headers
        health = client.get("/health/live")
        assert health.status_code == 200
        assert "ratelimit-limit" not in health.headers


def test_without_a_limit_nothing_is_told_of_one(sqlite_url: str, models_dir: Path) -> None:
    with serving(settings_for(sqlite_url, models_dir)) as client:
        assert not [name for name in client.get("/segments").headers if name.startswith("ratelimit")]


def test_workers_share_a_limit_out(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, rate_limit=5, workers=2) as running:
        with httpx.Client(base_url=running.url, timeout=60) as client:  # one connection, so one worker
            answers = [client.get("/segments") for _ in range(4)]
        assert [one.status_code for one in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-limit"] == "3"


def test_wrong_keys_are_limited_by_address_and_right_ones_pass_all_the_same(sqlite_url: str, models_dir: Path) -> None:
    settings = settings_for(sqlite_url, models_dir, api_key=SECRET, wrong_keys=3)
    with serving(settings) as client:
        assert [client.get("/segments", headers=WRONG).status_code for _ in range(5)] == [401, 401, 401, 429, 429]
        refused = client.get("/segments", headers=WRONG)
        assert refused.json()["type"] == "urn:segmentation:problem:too-many-requests"
        assert int(refused.headers["retry-after"]) >= 1
        assert "www-authenticate" not in refused.headers
        assert client.get("/segments", headers=RIGHT).status_code == 200


# The layers by themselves --------------------------------------------------------------------------


async def answering(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": scope["answer"], "headers": []})
    await send({"type": "http.response.body"})


def status_of(app: Any, answer: int = 200, client: str = "10.0.0.1", caller: Caller | None = None) -> int:
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/segments", "headers": [], "answer": answer}
    scope["client"] = (client, 1)
    if caller is not None:
        scope[KEY] = caller
    exchange = scope[EXCHANGE] = Exchange(scope, _ignore, Correlation("x"), 0.0)
    asyncio.run(app(scope, None, exchange.send))
    assert exchange.status is not None
    return exchange.status


async def _ignore(message: Any) -> None:
    pass


def test_each_key_has_its_own_count_and_may_have_its_own_limit() -> None:
    limit = RateLimit(answering, per_minute=1, workers=1)
    one, other = Caller("one", "", frozenset()), Caller("other", "", frozenset(), requests_per_minute=2)
    free = Caller("free", "", frozenset(), requests_per_minute=0)
    assert [status_of(limit, caller=one) for _ in range(2)] == [200, 429]
    assert [status_of(limit, caller=other) for _ in range(3)] == [200, 200, 429]
    assert [status_of(limit, caller=free) for _ in range(3)] == [200, 200, 200]


def test_another_address_is_not_held_to_account_but_its_neighbour_in_ipv6_is() -> None:
    wrong = WrongKeys(1)

    def refused(client: str) -> bool:
        try:
            wrong.count({"client": (client, 1)})
        except TooManyRequests:
            return True
        return False

    assert [refused(one) for one in ("10.0.0.1", "10.0.0.1", "10.0.0.2")] == [False, True, False]
    assert [refused(one) for one in ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")] == [False, True, False]
    assert [refused(one) for one in ("::ffff:10.0.0.3", "::ffff:10.0.0.4")] == [False, False]
