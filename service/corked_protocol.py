"""uvicorn's HTTP protocol with the head and the body of an answer sent to the network at once."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


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


class CorkedProtocol(HttpToolsProtocol):
    """To be named to uvicorn as its `http`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(cast(asyncio.Transport, CorkedTransport(transport, self.loop)))
