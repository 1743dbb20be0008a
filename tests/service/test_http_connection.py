"""How answers of an ASGI application go over a connection, and how requests come to it: by a real socket."""

import asyncio
import gc
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from service.cycle import Cycle
from service.http_connection import HttpConnection
from service.patience import Patience
from service.refusals import Refusals

PATIENT = 30.0  # seconds
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
FAILED = b"HTTP/1.1 500 "


def talk(app: ASGIApp, *sent: bytes, state: ServerState | None = None) -> bytes:
    """All that comes back for what is sent, until the server closes. Where there is more than one piece, each is sent
    once something came back for the one before."""

    async def over(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        received = b""
        for index, piece in enumerate(sent):
            writer.write(piece)
            if index + 1 < len(sent):
                received += await asyncio.wait_for(reader.read(65_536), PATIENT)
        received += await asyncio.wait_for(reader.read(), PATIENT)
        writer.close()
        await writer.wait_closed()
        return received

    return asyncio.run(_serving(app, over, state or ServerState()))


async def _serving(app: ASGIApp, use: Callable[[int], Coroutine[Any, Any, bytes]], state: ServerState) -> bytes:
    config = uvicorn.Config(app, log_config=None)
    config.load()
    patience = Patience(60, 60, 60, another=60)
    connection: Any = partial(HttpConnection, config, state, {}, patience=patience, refusals=Refusals([]))
    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    async with server:
        return await use(server.sockets[0].getsockname()[1])


def answering(*bodies: bytes, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for index, body in enumerate(bodies):
            await send({"type": "http.response.body", "body": body, "more_body": index + 1 < len(bodies)})

    return app


def sized(size: int) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"content-length", b"%d" % size),)


def test_an_answer_of_known_length_has_its_headers_and_its_body() -> None:
    assert talk(answering(b"hello", headers=(*sized(5), (b"x-one", b"1"))), LAST) == (
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-one: 1\r\nconnection: close\r\n\r\nhello"
    )


def test_an_answer_of_unknown_length_is_sent_in_chunks() -> None:
    head, _, body = talk(answering(b"one", b"", b"two", b""), LAST).partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


def test_to_head_no_body_is_sent() -> None:
    head, _, body = talk(answering(b"hello", headers=sized(5)), LAST.replace(b"GET", b"HEAD")).partition(b"\r\n\r\n")
    assert b"content-length: 5" in head
    assert body == b""


def test_an_answer_without_content_has_no_chunks() -> None:
    assert talk(answering(b"", status=204), LAST) == b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"


def test_the_headers_every_answer_has_come_first_and_may_close_the_connection() -> None:
    state = ServerState()
    state.default_headers = [(b"date", b"today"), (b"connection", b"close")]
    answer = talk(answering(b"hi", headers=sized(2)), GET, state=state)
    assert answer == b"HTTP/1.1 200 OK\r\ndate: today\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi"


def test_an_application_may_close_the_connection() -> None:
    answer = talk(answering(b"hi", headers=(*sized(2), (b"connection", b"Close"))), GET)
    assert answer.lower().count(b"connection: close") == 1


@pytest.mark.parametrize("value", [b"1\r\nset-cookie: a", b"1\n2", b"1\r2", b"1\0"])
def test_a_header_cannot_bring_in_another_one(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    answer = talk(answering(b"hi", headers=(*sized(2), (b"x-one", value))), GET)
    assert b"set-cookie" not in answer
    assert b"x-one" not in answer
    assert "line break" in str(caplog.records[0].exc_info)


@pytest.mark.parametrize("size", [4, 6])
def test_a_body_of_another_length_than_promised_ends_the_connection(
    size: int, caplog: pytest.LogCaptureFixture
) -> None:
    talk(answering(b"hello", headers=sized(size)), GET)
    assert "than its Content-Length" in str(caplog.records[0].exc_info)


async def no_answer(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()


async def half_an_answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("not here")


async def broken_half_way(scope: Scope, receive: Receive, send: Send) -> None:
    await half_an_answer(scope, receive, send)
    raise LookupError("not here")


@pytest.mark.parametrize("app", [no_answer, broken])
def test_a_request_that_gets_no_answer_gets_500_and_the_connection_ends(
    app: ASGIApp, caplog: pytest.LogCaptureFixture
) -> None:
    assert talk(app, GET).startswith(FAILED)
    assert [one.levelno for one in caplog.records] == [logging.ERROR]


@pytest.mark.parametrize("app", [half_an_answer, broken_half_way])
def test_an_answer_that_breaks_off_is_not_ended_as_if_it_were_whole(
    app: ASGIApp, caplog: pytest.LogCaptureFixture
) -> None:
    answer = talk(app, GET)
    assert answer.endswith(b"4\r\nhalf\r\n")  # and no last chunk
    assert [one.levelno for one in caplog.records] == [logging.ERROR]


MESSAGES: list[list[Message]] = [
    [{"type": "http.response.body", "body": b""}],
    [{"type": "http.response.start", "status": 200}, {"type": "http.response.start", "status": 200}],
]


@pytest.mark.parametrize("messages", MESSAGES)
def test_messages_out_of_order_are_refused(messages: list[Message], caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    talk(app, GET)
    assert "belongs" in str(caplog.records[0].exc_info)


def test_after_the_end_of_an_answer_nothing_more_can_be_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(b"hi", headers=sized(2))(scope, receive, send)
        await send({"type": "http.response.body", "body": b"more"})

    assert talk(app, GET).endswith(b"hi")
    assert "after the end" in str(caplog.records[0].exc_info)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while True:
        message = await receive()
        assert message["type"] == "http.request"
        body += message["body"]
        if not message["more_body"]:
            break
    await answering(body, headers=sized(len(body)))(scope, receive, send)


def test_a_long_body_comes_whole_though_reading_is_paused() -> None:
    sent = bytes(range(256)) * 20_000
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(sent)
    assert talk(echo, head + sent).partition(b"\r\n\r\n")[2] == sent


def test_who_asks_first_is_told_to_go_on_before_the_body_is_sent() -> None:
    head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    answer = talk(echo, head, b"hi")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"hi")


def test_requests_sent_at_once_are_answered_in_their_order() -> None:
    running = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        path = scope["path"].encode()
        await answering(path, headers=sized(len(path)))(scope, receive, send)

    sent = b"".join(GET.replace(b"/ ", b"/%d " % one) for one in range(5)) + LAST.replace(b"/ ", b"/last ")
    answer = talk(app, sent)
    assert [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"/0", b"/1", b"/2", b"/3", b"/4", b"/last"
    ]  # fmt: skip


def test_however_many_requests_are_sent_at_once_few_wait() -> None:
    """A read of the socket brings some 250 of these; they are answered before there is another one."""
    count, most, state = 4_000, 0, ServerState()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal most
        await receive()
        await asyncio.sleep(0)  # a turn of the loop, in which more could be read
        most = max(most, *[len(one._later) for one in state.connections if isinstance(one, HttpConnection)])
        await answering(b"hi", headers=sized(2))(scope, receive, send)

    padded = GET.replace(b"host: x", b"host: x\r\nx-padding: " + b"x" * 1_000)
    answer = talk(app, padded * count + LAST, state=state)
    assert answer.count(b"\r\n\r\nhi") == count + 1
    assert 0 < most <= 600


def test_the_application_knows_what_was_asked_for_and_by_whom() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        await answering(b"", status=204)(scope, receive, send)

    talk(app, b"GET /caf%C3%A9/a?b=%20&c HTTP/1.0\r\nHost: x\r\n\r\n")
    (scope,) = scopes
    assert scope["path"] == "/café/a"
    assert scope["raw_path"] == b"/caf%C3%A9/a"
    assert scope["query_string"] == b"b=%20&c"
    assert scope["http_version"] == "1.0"
    assert scope["headers"] == [(b"host", b"x")]
    assert scope["client"][0] == scope["server"][0] == "127.0.0.1"
    assert (scope["type"], scope["method"], scope["scheme"], scope["root_path"]) == ("http", "GET", "http", "")


def test_who_waits_for_a_client_hears_that_it_is_gone_and_no_task_is_left() -> None:
    state = ServerState()
    heard: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # the request
        started.set()
        heard.append((await receive())["type"])
        await send({"type": "http.response.start", "status": 200})  # to nobody
        ended.set()

    async def over(port: int) -> bytes:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await asyncio.wait_for(started.wait(), PATIENT)
        assert len(state.tasks) == 1
        writer.close()
        await asyncio.wait_for(ended.wait(), PATIENT)
        return b""

    started, ended = asyncio.Event(), asyncio.Event()
    asyncio.run(_serving(app, over, state))
    assert heard == ["http.disconnect"]
    assert not state.tasks
    assert not state.connections


def test_nothing_of_a_connection_is_left_for_the_garbage_collector() -> None:
    async def over(port: int) -> bytes:
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(2):
                writer.write(GET)
                await asyncio.wait_for(reader.readuntil(b"hi"), PATIENT)
            writer.close()
            await writer.wait_closed()
        while state.connections:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0)
        left.extend(one for one in gc.get_objects() if isinstance(one, Cycle | HttpConnection))
        return b""

    left: list[object] = []
    state = ServerState()
    gc.collect()
    gc.disable()
    try:
        asyncio.run(_serving(answering(b"hi", headers=sized(2)), over, state))
    finally:
        gc.enable()
    assert left == []
