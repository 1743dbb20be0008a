"""A connection to a client, by whom requests come as HTTP/1.1, with limits."""

import asyncio
import re
from collections import deque
from typing import Any, ClassVar, Final, cast
from urllib.parse import unquote

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from starlette.types import Scope
from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl
from uvicorn.server import ServerState

from service.cycle import Cycle, Preset
from service.errors import HeadTooLarge, NotHttp, TooSlow
from service.patience import ANOTHER, Patience, Wait
from service.refusals import Refusals

MOST_HEADERS: Final = 100
LARGEST_HEAD: Final = 32_768  # bytes of the address and the headers; of trailers too
LARGEST_REST: Final = 64 * 1024 * 1024  # bytes of a body that are passed over once it was answered
# RFC 3986, section 3.2: a name or an IPv4 address, or an IPv6 address in brackets; RFC 9110 has none that is empty.
HOST: Final = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+(?::[0-9]*)?|\[[0-9A-Za-z:.%_~-]+\](?::[0-9]*)?"
)
BAD_HOST: Final = (
    "the request must have one Host header, with a host name and perhaps a port, such as: Host: localhost:8000"
)
NOT_HTTP = "this is not HTTP/1.1, or breaks its rules; send a well-formed request"
OF_ANOTHER_PROTOCOL = {b"connection", b"upgrade", b"http2-settings"}  # headers
TOO_LARGE = f"the address and the headers have more than {LARGEST_HEAD:,} bytes, or more than {MOST_HEADERS} headers"
# what of a request is to come next
IDLE: Final = 0
HEAD: Final = 1
BODY: Final = 2


class HttpConnection:
    """To be named to uvicorn as its `http`, with a `patience` for clients who keep it waiting, and the `refusals` that
    they and others get.

    uvicorn's own waits for the rest of a head without end, keeps however much of it comes, tells what is not HTTP in
    plain text, sets and takes back a timer for each request, and takes as much time as the answer does. What it does
    beside that, connections do here too, but for WebSockets.
    """

    _preset: ClassVar[Preset] = Preset([])

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        patience: Patience,
        refusals: Refusals,
    ) -> None:
        if not config.loaded:
            config.load()
        self.loop = _loop or asyncio.get_event_loop()
        self.cycle: Cycle | None = None
        self._app = config.loaded_app
        self._root_path = config.root_path
        self._asgi = {"version": config.asgi_version, "spec_version": "2.3"}
        self._state = app_state
        self._server_state = server_state
        self._patience = patience
        self._refusals = refusals
        self._parser = _parser(self)
        self._later: deque[Cycle] = deque()  # sent before the answers to those before them
        self._server: tuple[str, int | None] | None = None
        self._client: tuple[str, int] | None = None
        self._scheme = "http"
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._expects_100 = False
        self._begun = False  # whether ever a request began
        self._phase = IDLE
        self._chunk = 0  # bytes that are being parsed
        self._arrived = 0  # bytes of this connection
        self._unkept = 0  # bytes of the message that are none of its body
        self._refusal: Exception | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Of asyncio."""
        self._transport = transport
        self._flow = FlowControl(transport)
        self._server = get_local_addr(transport)
        self._client = get_remote_addr(transport)
        self._scheme = "https" if is_ssl(transport) else "http"
        cast(set[Any], self._server_state.connections).add(self)
        self._patience.watch(self, self.loop)

    def connection_lost(self, error: Exception | None) -> None:
        """Of asyncio."""
        self._patience.forget(self)
        cast(set[Any], self._server_state.connections).discard(self)
        if self.cycle is not None:
            self.cycle.drop()
        self._flow.resume_writing()
        if error is None:
            self._transport.close()
        self._parser = None

    def data_received(self, data: bytes) -> None:
        """Of asyncio."""
        self._chunk = len(data)
        self._arrived += self._chunk
        cycle = self.cycle
        held = len(cycle.body) if self._phase == BODY and cycle is not None else -1
        self._parse(data)
        cycle = self.cycle
        rests = held >= 0 and self._phase == BODY and cycle is not None and len(cycle.body) == held
        if self._phase == HEAD or rests:
            self._unkept += self._chunk
            most = LARGEST_REST if rests and cycle is not None and cycle.response_complete else LARGEST_HEAD
            if self._unkept > most:
                self.refuse(HeadTooLarge(TOO_LARGE))

    def eof_received(self) -> None:
        """Of asyncio: a client that has sent all may still wait for answers."""

    def pause_writing(self) -> None:
        """Of asyncio."""
        self._flow.pause_writing()

    def resume_writing(self) -> None:
        """Of asyncio."""
        self._flow.resume_writing()

    def shutdown(self) -> None:
        """Of uvicorn: the server stops."""
        if self.is_idle():
            self._transport.close()
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def is_idle(self) -> bool:
        """Whether no request is under way on it; one may have been sent and not have arrived."""
        return self.cycle is None or self.cycle.response_complete

    def on_message_begin(self) -> None:
        """Of the parser."""
        self._begun = True
        self._phase = HEAD
        self._unkept = -self._chunk  # what else came with its beginning is not its own
        self._url = b""
        self._headers = []
        self._expects_100 = False

    def on_url(self, url: bytes) -> None:
        """Of the parser."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of the parser."""
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self._expects_100 = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Of the parser."""
        parser = self._parser
        if parser.should_upgrade():  # it comes again without that
            return
        large = self._unkept + self._chunk > LARGEST_HEAD or self._chunk > LARGEST_HEAD
        if len(self._headers) > MOST_HEADERS or (large and self._head_size() > LARGEST_HEAD):
            self._refusal = HeadTooLarge(TOO_LARGE)
            raise self._refusal  # the parser stops
        version: str = parser.get_http_version()
        if not self._has_valid_host(version):
            self._refusal = NotHttp(BAD_HOST)
            raise self._refusal
        self._phase = BODY
        self._unkept = 0
        before = self.cycle
        cycle = Cycle(
            self._scope(parser.get_method().decode("ascii"), version),
            self._transport,
            self._flow,
            self._headers_of_all(),
            self._expects_100,
            version != "1.0" and parser.should_keep_alive(),
            self._answered,
        )
        self.cycle = cycle
        if before is None or before.response_complete:
            self._start(cycle)
        else:
            before.followed = True
            self._flow.pause_reading()
            self._later.append(cycle)

    def on_body(self, body: bytes) -> None:
        """Of the parser."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete and not self._parser.should_upgrade():
            cycle.take(body)

    def on_message_complete(self) -> None:
        """Of the parser."""
        if self._parser.should_upgrade():
            return
        self._phase = IDLE
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.end()

    def refuse(self, error: Exception) -> None:
        """Tells the client what is wrong, where nothing was answered yet, and closes the connection."""
        if self._transport.is_closing():
            return
        cycle = None if self.is_idle() else self.cycle
        if cycle is not None and self._phase != BODY:  # the answer to the request before is not to be mixed up
            cycle.keep_alive = False
            self._flow.pause_reading()
            return
        if not (self._later or (cycle is not None and cycle.response_started)):
            self._transport.write(self._refusals.answer(error, cycle))
        if cycle is not None:  # whoever works on the request is told as if the client had gone
            cycle.drop()
        self._transport.close()

    def waits(self) -> Wait | None:
        """What the client keeps this connection waiting for, and what changes as it goes on; None for nothing."""
        unsent = self._transport.get_write_buffer_size()
        if unsent:
            return Wait("answer", unsent)
        cycle = self.cycle
        if self._phase == HEAD or not self._begun:
            return Wait("head", id(self._headers))
        if cycle is None:  # a first request was refused
            return None
        if self._phase == IDLE:
            return Wait(ANOTHER, self._arrived) if cycle.response_complete else None
        if self._flow.read_paused or cycle.waiting_for_100_continue:
            return None
        return Wait("rest", id(cycle)) if cycle.response_complete else Wait("body", self._arrived)

    def give_up(self, wait: Wait) -> None:
        """The client has kept it waiting for too long."""
        if wait.what == "answer":
            self._transport.abort()
        elif wait.what in ("rest", ANOTHER) or not self._begun:
            self._transport.close()
        else:
            self.refuse(TooSlow(f"the {wait.what} of the request did not come in time; send it again, without pauses"))

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            self.refuse(self._refusal or NotHttp(NOT_HTTP))
        except HttpParserUpgrade as offer:
            self._pass_over_offer(bytes(data[offer.args[0] :]))

    def _pass_over_offer(self, following: bytes) -> None:
        """Reads the request that has just been read as one that offers no other protocol, and what follows.

        Some clients offer `h2c` with every request. RFC 9110 lets a server pass over it; httptools takes such a request
        to have no body, and all that follows to be of that protocol.
        """
        method = self._parser.get_method()
        if method == b"CONNECT":
            self.refuse(NotHttp(NOT_HTTP))
            return
        connection = b",".join([value for name, value in self._headers if name == b"connection"]).lower()
        kept = [(name, value) for name, value in self._headers if name not in OF_ANOTHER_PROTOCOL]
        if b"close" in connection:
            kept.append((b"connection", b"close"))
        line = b"%b %b HTTP/%b\r\n" % (method, self._url, self._parser.get_http_version().encode())
        self._parser = _parser(self)
        self._parse(b"%b%b\r\n%b" % (line, b"".join([b"%b: %b\r\n" % one for one in kept]), following))

    def _scope(self, method: str, version: str) -> Scope:
        url: Any = parse_url(self._url)  # not as its stubs have it: what is not there is None
        raw_path: bytes = url.path
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": self._asgi,
            "http_version": version,
            "server": self._server,
            "client": self._client,
            "scheme": self._scheme,
            "root_path": self._root_path,
            "headers": self._headers,
            "state": self._state.copy(),
            "method": method,
            "path": self._root_path + (unquote(path) if "%" in path else path),
            "raw_path": self._root_path.encode("ascii") + raw_path,
            "query_string": url.query or b"",
        }

    def _has_valid_host(self, version: str) -> bool:
        """RFC 9112, section 3.2."""
        hosts = [value for name, value in self._headers if name == b"host"]
        if not hosts:
            return version == "1.0"
        return len(hosts) == 1 and HOST.fullmatch(hosts[0].strip(b" \t")) is not None

    def _headers_of_all(self) -> Preset:
        """uvicorn makes them anew every second, as they have the time."""
        headers = self._server_state.default_headers
        if HttpConnection._preset.headers is not headers:
            HttpConnection._preset = Preset(headers)
        return HttpConnection._preset

    def _start(self, cycle: Cycle) -> None:
        tasks = self._server_state.tasks
        task = self.loop.create_task(cycle.run(self._app, tasks))
        cycle.task = task
        tasks.add(task)

    def _answered(self) -> None:
        self._server_state.total_requests += 1
        if self._transport.is_closing():
            return
        if self._later:
            self._start(self._later.popleft())
        elif self._flow.read_paused:
            self._flow.resume_reading()

    def _head_size(self) -> int:
        return len(self._url) + sum([len(name) + len(value) + 4 for name, value in self._headers])


def _parser(connection: HttpConnection) -> Any:
    parser = HttpRequestParser(connection)
    # so that a request is answered after which the client closes and yet sends more
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser
