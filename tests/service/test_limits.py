"""How many requests are answered at a time, and for how long each."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.settings import Settings
from service.store.database import open_engine
from service.store.reader import Reader
from tests.service.requests import by_features
from tests.service.server import server
from tests.service.serving import TestClient, serving, settings_for

DEEP = 100_000
LISTS, OBJECTS = b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP
NESTED = (
    b"[" * DEEP,
    b'{"a":' * DEEP,
    LISTS,
    b'{"customer_id":%b,"features":{}}' % LISTS,
    b'{"customer_id":"1","features":%b}' % OBJECTS,
    b'{"customer_id":"1","transactions":%b}' % LISTS,
)


class Gate:
    """Holds the service's reads until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self._open = threading.Event(), threading.Event()
        monkeypatch.setattr(Reader, "current", self._wait)

    def open(self) -> None:
        self._open.set()

    def _wait(self, *_: object) -> None:
        self.reached.set()
        assert self._open.wait(60)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.open()


def settings(url: str, models_dir: Path, **others: object) -> Settings:
    return settings_for(url, models_dir, **others)


def test_more_requests_than_may_be_answered_at_a_time_are_told_to_come_back(
    sqlite_url: str, models_dir: Path, gate: Gate
) -> None:
    with serving(settings(sqlite_url, models_dir, max_concurrent=1)) as client, ThreadPoolExecutor(1) as other:
        first = other.submit(client.get, "/customers/1")
        assert gate.reached.wait(60)
        refused = client.post("/segment", json=by_features())
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:segmentation:problem:busy")
        assert int(refused.headers["retry-after"]) >= 1
        assert client.get("/health/live").status_code == client.get("/health/ready").status_code == 200
        gate.open()
        assert first.result().status_code == 404
        assert client.post("/segment", json=by_features()).status_code == 200


def test_what_is_not_answered_in_time_is_told_so(sqlite_url: str, models_dir: Path, gate: Gate) -> None:
    with serving(settings(sqlite_url, models_dir, request_seconds=0.2)) as client:
        late = client.get("/customers/1")
        assert (late.status_code, late.json()["type"]) == (503, "urn:segmentation:problem:timed-out")
        assert int(late.headers["retry-after"]) >= 1
        assert late.headers["x-request-id"] == late.json()["request_id"]
        gate.open()
        assert client.get("/segments").status_code == 200


def test_whoever_waits_too_long_for_an_answer_to_be_stored_is_not_told_that_the_body_did_not_come(
    sqlite_url: str, models_dir: Path
) -> None:
    with serving(settings(sqlite_url, models_dir, request_seconds=0.2)) as client:
        engine = open_engine(sqlite_url)
        with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin():  # nobody else can write meanwhile
            late = client.post("/segment", json=by_features())
        engine.dispose()
        assert (late.status_code, late.json()["type"]) == (503, "urn:segmentation:problem:timed-out")


def test_a_body_that_does_not_come_in_time_is_told_so(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, request_seconds=0.3) as running:
        head = b"POST /segment HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n"
        with socket.create_connection(("127.0.0.1", running.port), timeout=60) as client:
            client.sendall(head + b"{")
            received = client.makefile("rb").read()
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"urn:segmentation:problem:request-timeout" in received


def slowly(body: bytes) -> Iterator[bytes]:
    for byte in body:
        time.sleep(0.05)
        yield bytes([byte])


def test_a_stream_may_take_longer_than_a_request(sqlite_url: str, models_dir: Path) -> None:
    with serving(settings(sqlite_url, models_dir, request_seconds=0.05)) as client:
        headers = {"content-type": "application/x-ndjson"}
        assert client.post("/segment/batch", content=slowly(b"{}\n" * 4), headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/segment", "/segment?dry_run=true", "/segment/batch", "/models/x/activate"])
@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson"])
def test_nesting_of_any_depth_is_an_error_of_the_client(
    shared_client: TestClient, path: str, nested: bytes, kind: str
) -> None:
    response = shared_client.post(path, content=nested, headers={"content-type": kind})
    expected = {"/models/x/activate": 404}.get(path, 422 if kind == "application/json" else 415)
    if path == "/segment/batch" and kind != "application/json":
        expected = 200
        assert response.json() is not None
        assert b"internal" not in response.content
    assert response.status_code == expected
