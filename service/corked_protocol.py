"""uvicorn's HTTP protocol with the head and the body of an answer sent to the network at once, and with limits."""

import asyncio
from array import array
from enum import Enum, auto
from typing import Any, cast

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.errors import HeadTooLarge, NotHttp, TooSlow
from service.patience import ANOTHER, Patience, Wait
from service.refusals import Cycle, Refusals

MOST_HEADERS = 100
LARGEST_HEAD = 32_768  # bytes of the address and the headers; of trailers too
LARGEST_REST = 64 * 1024 * 1024  # bytes of a body that are passed over once it was answered
NOT_HTTP = "this is not HTTP/1.1, or breaks its rules; send a well-formed request"
OF_ANOTHER_PROTOCOL = {b"connection", b"upgrade", b"http2-settings"}  # headers
TOO_LARGE = f"the address and the headers have more than {LARGEST_HEAD:,} bytes, or more than {MOST_HEADERS} headers"


class Phase(Enum):
    """What of a request is to come next."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()


class CorkedTransport:
    """A transport that keeps what is written until the event loop's next turn, and then writes it in one piece.

    uvicorn writes the head of an answer and its body one after the other. Sent apart they are two system calls here
    and two wake-ups at the client, for one answer of a few kilobytes.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._kept: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._kept:
            self._loop.call_soon(self._flush)
        self._kept.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        kept = self._kept
        if kept:
            self._kept = []
            if not self._transport.is_closing():  # to a client who went away nothing is written
                self._transport.write(b"".join(kept))


class PlainParser(HttpRequestParser):
    """A parser for which requests do not end where they offer to go on in another protocol, such as `h2c`.

    Some clients offer that with every request. RFC 9110 lets a server pass over it; httptools takes such a request to
    have no body, and all that follows to be of that protocol.
    """

    def __init__(self, protocol: "CorkedProtocol") -> None:
        super().__init__(protocol)
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self._protocol = protocol

    def feed_data(self, data: "bytes | bytearray | memoryview[int] | array[int]") -> None:
        try:
            super().feed_data(data)
        except HttpParserUpgrade as offer:
            self._protocol.pass_over_offer(bytes(data[offer.args[0] :]))


class CorkedProtocol(HttpToolsProtocol):
    """To be named to uvicorn as its `http`, with a `patience` for clients who keep it waiting, and the `refusals` that
    they and others get.

    uvicorn by itself waits for the rest of a head without end, keeps however much of it comes, and tells what is not
    HTTP in plain text.
    """

    def __init__(self, *given: Any, patience: Patience, refusals: Refusals, **named: Any) -> None:
        super().__init__(*given, **named)
        self._patience = patience
        self._refusals = refusals
        self._phase = Phase.IDLE
        self._chunk = 0  # bytes that are being parsed
        self._arrived = 0  # bytes of this connection
        self._unkept = 0  # bytes of the message that are none of its body
        self._refusal: Exception | None = None
        self.parser = PlainParser(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(cast(asyncio.Transport, CorkedTransport(transport, self.loop)))
        self._patience.watch(self, self.loop)

    def connection_lost(self, exc: Exception | None) -> None:
        self._patience.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._chunk = len(data)
        self._arrived += self._chunk
        held = len(self.cycle.body) if self._phase is Phase.BODY and self.cycle is not None else -1
        super().data_received(data)
        if self._phase is Phase.HEAD or (held >= 0 and self._phase is Phase.BODY and len(self.cycle.body) == held):
            self._unkept += self._chunk
            most = LARGEST_REST if self._phase is Phase.BODY and self.cycle.response_complete else LARGEST_HEAD
            if self._unkept > most:
                self.refuse(HeadTooLarge(TOO_LARGE))

    def on_message_begin(self) -> None:
        self._phase = Phase.HEAD
        self._unkept = -self._chunk  # what else came with its beginning is not its own
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():  # it comes again without that
            return
        self._phase = Phase.BODY
        large = self._unkept + self._chunk > LARGEST_HEAD or self._chunk > LARGEST_HEAD
        if len(self.headers) > MOST_HEADERS or (large and self._head_size() > LARGEST_HEAD):
            self._refusal = HeadTooLarge(TOO_LARGE)
            raise self._refusal  # the parser stops, and has send_400_response called
        self._unkept = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._phase = Phase.IDLE
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """As uvicorn has it, but for the timer that closes an unused connection, which would be set and taken back for
        each request: `patience` sees to that."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        self.refuse(self._refusal or NotHttp(NOT_HTTP))

    def pass_over_offer(self, following: bytes) -> None:
        """Reads the request that has just been read as one that offers no other protocol, and what follows."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            self.refuse(NotHttp(NOT_HTTP))
            return
        connection = b",".join(value for name, value in self.headers if name == b"connection").lower()
        kept = [(name, value) for name, value in self.headers if name not in OF_ANOTHER_PROTOCOL]
        if b"close" in connection:
            kept.append((b"connection", b"close"))
        line = b"%b %b HTTP/%b\r\n" % (method, self.url, self.parser.get_http_version().encode())
        self.parser = PlainParser(self)
        self.parser.feed_data(b"%b%b\r\n%b" % (line, b"".join(b"%b: %b\r\n" % one for one in kept), following))

    def refuse(self, error: Exception) -> None:
        """Tells the client what is wrong, where nothing was answered yet, and closes the connection."""
        if self.transport.is_closing():
            return
        cycle = self.cycle
        answering = cycle is not None and not cycle.response_complete
        if answering and self._phase is not Phase.BODY:  # the answer to the request before is not to be mixed up
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        if not (self.pipeline or (answering and cycle.response_started)):
            self.transport.write(self._refusals.answer(error, cast("Cycle | None", cycle if answering else None)))
        if answering:  # whoever works on the request is told as if the client had gone
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    def waits(self) -> Wait | None:
        """What the client keeps this connection waiting for, and what changes as it goes on; None for nothing."""
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            return Wait("answer", unsent)
        if self._phase is Phase.HEAD or self.scope is None:
            return Wait("head", id(self.scope))
        if self.cycle is None:  # a first request was refused
            return None
        if self._phase is Phase.IDLE:
            return Wait(ANOTHER, self._arrived) if self.cycle.response_complete else None
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            return None
        return Wait("rest", id(self.cycle)) if self.cycle.response_complete else Wait("body", self._arrived)

    def give_up(self, wait: Wait) -> None:
        """The client has kept it waiting for too long."""
        if wait.what == "answer":
            self.transport.abort()
        elif wait.what in ("rest", ANOTHER) or self.scope is None:
            self.transport.close()
        else:
            self.refuse(TooSlow(f"the {wait.what} of the request did not come in time; send it again, without pauses"))

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
