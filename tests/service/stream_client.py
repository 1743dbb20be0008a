"""A client that sends a body piece by piece and reads the answer beside it, over a connection of its own."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress

import httpx

PATIENCE = 120.0  # seconds after which what is waited for is not going to come


class StreamClient:
    """One request under way. The pieces are sent when `send` is called, or by `sending` in a thread."""

    def __init__(self, url: str, kind: str, query: str = "", **headers: str) -> None:
        address = httpx.URL(url)
        self.connection = http.client.HTTPConnection(address.host, address.port or 80, timeout=PATIENCE)
        self.connection.putrequest("POST", f"/segment/batch{query}")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in {"Content-Type": kind, "Transfer-Encoding": "chunked", **named}.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()
        self._answer: http.client.HTTPResponse | None = None
        self.sent = 0

    def send(self, piece: bytes) -> None:
        self.connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b"0\r\n\r\n")
        self.sent += len(piece)

    @contextmanager
    def sending(self, pieces: Iterable[bytes]) -> Iterator[threading.Thread]:
        """Sends the pieces in a thread, and then the end."""

        def work() -> None:
            with suppress(OSError):  # the service is gone, or the test is over
                for piece in pieces:
                    self.send(piece)
                self.send(b"")

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield thread
        finally:
            self.close()
            thread.join()

    @property
    def answer(self) -> http.client.HTTPResponse:
        """The answer, once its head has come."""
        if self._answer is None:
            self._answer = self.connection.getresponse()
        return self._answer

    def lines(self) -> Iterator[bytes]:
        """The lines of the answer as they come; they end where the connection does."""
        with suppress(OSError, http.client.IncompleteRead):
            while line := self.answer.readline():
                if not line.endswith(b"\n"):
                    return
                yield line

    def drained(self, look: Callable[[], None]) -> int:
        """Reads the answer to its end, and looks at something now and then; how many bytes it was."""
        received = 0
        while taken := self.answer.read1(1 << 20):
            received += len(taken)
            look()
        return received

    def close(self) -> None:
        sock = self.connection.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        if self._answer is not None:
            self._answer.close()
        self.connection.close()


@contextmanager
def stream(url: str, kind: str, query: str = "", **headers: str) -> Iterator[StreamClient]:
    with closing(StreamClient(url, kind, query, **headers)) as client:
        yield client
