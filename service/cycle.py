"""One request on a connection and its answer, between HTTP/1.1 and ASGI."""

import asyncio
import logging
from collections.abc import Callable, Iterable

from starlette.types import ASGIApp, Message, Scope, Send
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

WITHOUT_BODY = (204, 304)
# for an application that ends without an answer, which this one does not
FAILED = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n"
    b"connection: close\r\n\r\nInternal Server Error"
)
logger = logging.getLogger("uvicorn.error")


class Preset:
    """The headers every answer has, made bytes once. `closes` tells whether they end the connection."""

    def __init__(self, headers: list[tuple[bytes, bytes]]) -> None:
        self.headers = headers
        self.encoded = b"".join([b"%b: %b\r\n" % header for header in headers])
        self.closes = any(_closes(name, value) for name, value in headers)


class Cycle:
    """What uvicorn's own `RequestResponseCycle` is, for half its time: a person waits for it.

    The head of an answer waits for the first of its body, as ASGI has it, and goes with it: sent apart they are two
    system calls here and two wake-ups at the client. `on_response` is called once the answer is complete.
    """

    def __init__(
        self,
        scope: Scope,
        transport: asyncio.Transport,
        flow: FlowControl,
        preset: Preset,
        waiting_for_100_continue: bool,
        keep_alive: bool,
        on_response: Callable[[], None],
    ) -> None:
        self.scope = scope
        self.body = b""  # what came of the request's body and was not taken yet
        self.more_body = True
        self.disconnected = False
        self.keep_alive = keep_alive
        self.waiting_for_100_continue = waiting_for_100_continue
        self.response_started = False
        self.response_complete = False
        self.followed = False  # another request waits for this one's answer
        self.task: asyncio.Task[None] | None = None
        self.overruled: Send | None = None  # takes the answer where the client got another one
        self._transport = transport
        self._flow = flow
        self._preset = preset
        self._on_response = on_response
        self._news = False
        self._heard: asyncio.Event | None = None  # made for those who must wait for news
        self._head = b""
        self._chunked = False
        self._missing = 0  # bytes of the body that were promised

    async def run(self, app: ASGIApp, tasks: "set[asyncio.Task[None]]") -> None:
        """Has the application answer. Its own task is taken out of `tasks` at the end."""
        try:
            await app(self.scope, self.receive, self.overruled or self.send)
        except BaseException as error:
            logger.error("Exception in ASGI application\n", exc_info=error)
            self._fail()
        else:
            if not self.response_complete and not self.disconnected:
                logger.error("ASGI callable returned without completing response.")
                self._fail()
        finally:
            self._on_response = _nobody  # they hold one another, and would be kept in memory until garbage is collected
            if self.task is not None:
                tasks.discard(self.task)
                self.task = None

    def take(self, body: bytes) -> None:
        """More of the request's body."""
        self.body = self.body + body if self.body else body
        if len(self.body) > HIGH_WATER_LIMIT:
            self._flow.pause_reading()
        self.wake()

    def end(self) -> None:
        """The request's body is whole."""
        self.more_body = False
        self.wake()

    def drop(self) -> None:
        """The client is gone, or treated as if it were."""
        if not self.response_complete:
            self.disconnected = True
        self.wake()

    def wake(self) -> None:
        """Whoever waits to receive something."""
        self._news = True
        if self._heard is not None:
            self._heard.set()

    async def receive(self) -> Message:
        """As ASGI has it."""
        if self.waiting_for_100_continue and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            # what is sent behind a request that waits can wait too: else clients could have any number of them wait
            if self._flow.read_paused and not self.followed:
                self._flow.resume_reading()
            if not self._news:
                if self._heard is None:
                    self._heard = asyncio.Event()
                await self._heard.wait()
            self._news = False
            if self._heard is not None:
                self._heard.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        body, self.body = self.body, b""
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """As ASGI has it. Raises RuntimeError for what is not, or must not be, an answer."""
        if self._flow.write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        if self.response_complete:
            raise RuntimeError(f"the message {message['type']!r} comes after the end of the answer")
        expected = "http.response.body" if self.response_started else "http.response.start"
        if message["type"] != expected:
            raise RuntimeError(f"the message {message['type']!r} comes where {expected!r} belongs")
        if self.response_started:
            self._go_on(message.get("body", b""), message.get("more_body", False))
        else:
            self._begin(message["status"], message.get("headers", ()))

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.response_started = True
        self.waiting_for_100_continue = False
        closes = self._preset.closes
        measured = False
        lines = 0
        parts = [STATUS_LINE[status], self._preset.encoded]
        for name, value in headers:
            if name == b"content-length" and not measured:
                self._missing = int(value)
                measured = True
            elif name == b"transfer-encoding" and value.lower() == b"chunked":
                self._missing = 0
                self._chunked = measured = True
            elif name == b"connection" and _closes(name, value):
                closes = True
            lines += 1
            parts += (name, b": ", value, b"\r\n")
        own = b"".join(parts[2:])
        if own.count(b"\n") != lines or own.count(b"\r") != lines or b"\0" in own:
            raise RuntimeError("a header of the answer has a line break in it")
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            parts.append(b"connection: close\r\n")
        if not measured and self.scope["method"] != "HEAD" and status not in WITHOUT_BODY:
            self._chunked = True
            parts.append(b"transfer-encoding: chunked\r\n")
        parts.append(b"\r\n")
        self._head = b"".join(parts)

    def _go_on(self, body: bytes, more_body: bool) -> None:
        if self.scope["method"] == "HEAD":
            self._missing = 0
            body = b""
        elif self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more_body:
                body += b"0\r\n\r\n"
        else:
            self._missing -= len(body)
            if self._missing < 0:
                raise RuntimeError("the body of the answer is longer than its Content-Length")
        if self._head:
            body = self._head + body
            self._head = b""
        if body and not self._transport.is_closing():  # to a client who went away nothing is written
            self._transport.write(body)
        if more_body:
            return
        if self._missing:
            raise RuntimeError("the body of the answer is shorter than its Content-Length")
        self.response_complete = True
        self.wake()
        if not self.keep_alive:
            self._transport.close()
        self._on_response()

    def _fail(self) -> None:
        """Tells the client that there is no answer, or where some of it was sent no more of it."""
        if not self.response_started and not self.disconnected:
            self.response_started = self.response_complete = True
            self._transport.write(FAILED)
        self._transport.close()


def _nobody() -> None:
    """Nobody waits for the end of the answer any more."""


def _closes(name: bytes, value: bytes) -> bool:
    return name == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]
