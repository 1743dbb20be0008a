"""Clients that keep a connection waiting, or send too much of a head, are dropped: over sockets, by a real process."""

import asyncio
import json
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service.http_connection import HttpConnection
from service.patience import Patience, Wait
from service.refusals import Refusals
from tests.service.requests import by_features
from tests.service.server import Server, server
from tests.service.serving import until

BODY = json.dumps(by_features()).encode()
POST = b"POST /segment HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
WHOLE = POST + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
STREAM = (
    POST.replace(b"/segment", b"/segment/batch").replace(b"/json", b"/x-ndjson") + b"transfer-encoding: chunked\r\n\r\n"
)
PATIENT = 60.0


@pytest.fixture(scope="module")
def running(shared_url: str, models_dir: Path) -> Iterator[Server]:
    """A service without patience."""
    short = {"head_seconds": 0.5, "body_idle_seconds": 0.5, "answer_idle_seconds": 0.5}
    with server(database_url=shared_url, models_dir=models_dir, **short) as running:
        yield running
        assert httpx.post(f"{running.url}/segment", json=by_features(), timeout=PATIENT).status_code == 200
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert not any("Traceback" in said for said in running.log)


def connected(running: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=PATIENT)


def answer_to(running: Server, sent: bytes) -> tuple[int, dict[str, object], dict[str, str]]:
    """What is answered before the service closes the connection."""
    with connected(running) as client:
        client.sendall(sent)
        return read(client)


def read(client: socket.socket) -> tuple[int, dict[str, object], dict[str, str]]:
    head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    named = dict(line.lower().split(": ", 1) for line in headers)
    return int(status.split()[1]), json.loads(body), named


def send_without_end(client: socket.socket, piece: bytes) -> None:
    while True:
        client.sendall(piece)


def check_is_problem(found: tuple[int, dict[str, object], dict[str, str]], status: int, kind: str) -> None:
    assert found[0] == found[1]["status"] == status
    assert found[1]["type"] == f"urn:segmentation:problem:{kind}"
    assert found[2]["content-type"] == "application/problem+json"
    assert found[2]["x-request-id"] == found[1]["request_id"]
    assert found[2]["connection"] == "close"


def test_one_who_connects_and_says_nothing_is_dropped(running: Server) -> None:
    with connected(running) as client:
        assert client.recv(1) == b""


@pytest.mark.parametrize("before", [b"", WHOLE])
def test_one_whose_headers_come_bit_by_bit_is_dropped(running: Server, before: bytes) -> None:
    with connected(running) as client:
        if before:
            client.sendall(before)
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        client.sendall(b"GET /segments HTTP/1.1\r\nhost: x\r\n")
        client.settimeout(0.1)
        came = b""
        while not came:  # until it is told off
            try:
                came = client.recv(65_536)
            except TimeoutError:
                client.sendall(b"x: y\r\n")
        assert came.startswith(b"HTTP/1.1 408 ")
        assert b"urn:segmentation:problem:request-timeout" in came


@pytest.mark.parametrize("begun", [POST + b"content-length: 1000\r\n\r\n{", STREAM, STREAM + b"1\r\n{\r\n"])
def test_one_whose_body_stops_is_told_and_dropped(running: Server, begun: bytes) -> None:
    check_is_problem(answer_to(running, begun), 408, "request-timeout")


def test_one_whose_stream_stops_in_the_middle_of_its_answer_is_dropped(running: Server) -> None:
    line = BODY + b"\n"
    with connected(running) as client:
        client.sendall(STREAM + b"%x\r\n%b\r\n" % (len(line) * 3000, line * 3000))
        received = client.makefile("rb").read()
    assert received.startswith(b"HTTP/1.1 200")
    assert not received.endswith(b"0\r\n\r\n")


def test_one_who_takes_nothing_of_an_answer_is_dropped(running: Server) -> None:
    with connected(running) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n"
        with pytest.raises(ConnectionError):
            send_without_end(client, request * 100)
    until(lambda: any("kept its connection waiting: answer" in said for said in running.log))


def test_a_connection_that_cannot_be_looked_at_does_not_keep_others_from_it() -> None:
    class Wrong:
        def waits(self) -> Wait | None:
            if looking:
                raise AttributeError
            return None

        def give_up(self, wait: Wait) -> None:
            raise AssertionError

    class Silent:
        def waits(self) -> Wait | None:
            return Wait("head", 0)

        def give_up(self, wait: Wait) -> None:
            loop.stop()

    looking, loop, patience = False, asyncio.new_event_loop(), Patience(0.05, 0.05, 0.05, 0.05)
    for one in (Wrong(), Silent()):
        patience.watch(one, loop)
    looking = True
    loop.run_forever()  # until the silent one is given up
    loop.close()


def test_a_connection_that_nobody_uses_any_more_is_closed_after_its_answer(caplog: pytest.LogCaptureFixture) -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def ask_once() -> bytes:
        config = uvicorn.Config(answer, log_config=None)
        config.load()
        patience, state, loop = Patience(60, 60, 60, another=0.1), ServerState(), asyncio.get_running_loop()
        protocol: Any = partial(HttpConnection, config, state, {}, patience=patience, refusals=Refusals([]))
        server = await loop.create_server(protocol, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            received = await asyncio.wait_for(reader.read(), PATIENT)
            writer.close()
            await writer.wait_closed()
        return received

    with caplog.at_level("INFO", "segmentation.connection"):
        assert asyncio.run(ask_once()).startswith(b"HTTP/1.1 204")
    assert caplog.records == []  # it is no fault of the client


def test_one_who_waits_between_requests_is_not_in_the_way(running: Server) -> None:
    with connected(running) as client, connected(running) as silent:
        client.sendall(WHOLE)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        assert silent.recv(1) == b""  # another was dropped meanwhile
        client.sendall(WHOLE)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /%b HTTP/1.1\r\nhost: x\r\n\r\n" % (b"a" * 40_000),
        b"GET / HTTP/1.1\r\nhost: x\r\na: %b\r\n\r\n" % (b"a" * 40_000),
        b"GET / HTTP/1.1\r\nhost: x\r\na: %b" % (b"a" * 400_000),
        b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 101 + b"\r\n",
        STREAM + b"0\r\na: " + b"a" * 400_000,
    ],
)
def test_a_head_that_is_too_large_is_refused(running: Server, sent: bytes) -> None:
    with connected(running) as client:
        try:
            client.sendall(sent)
        except OSError:  # it was refused before all of it was sent
            return
        try:
            found = read(client)
        except OSError:
            return
    check_is_problem(found, 431, "head-too-large")


def test_a_head_within_the_limits_is_taken(running: Server) -> None:
    headers = b"".join(b"a%d: %b\r\n" % (number, b"x" * 300) for number in range(90))
    with connected(running) as client:
        client.sendall(WHOLE.replace(b"host: x\r\n", b"host: x\r\n" + headers))
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x00" * 100,
        b"POST /segment HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        b"POST /segment HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\na\x00b: c\r\n\r\n",
        STREAM + b"zz\r\n",
    ],
)
def test_what_is_not_http_is_told_so_as_any_other_error(running: Server, sent: bytes) -> None:
    check_is_problem(answer_to(running, sent), 400, "bad-request")


def test_rubbish_after_a_request_does_not_spoil_its_answer(running: Server) -> None:
    with connected(running) as client:
        client.sendall(WHOLE + b"\x00\x01\r\n\r\n")
        received = client.makefile("rb").read()
    assert received.startswith(b"HTTP/1.1 200 OK")
    assert received.count(b"HTTP/1.1 ") == 1
