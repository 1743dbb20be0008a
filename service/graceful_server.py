"""uvicorn's server, made to stop so that nobody who still sends to it is failed."""

import asyncio
import socket
import time
from types import FrameType

import uvicorn

from service.http_connection import HttpConnection
from service.readiness import Readiness

TICK_SECONDS = 0.05
# A client that uses its connection without a pause sends again within this, and is then told to close it.
LAST_CHANCE_SECONDS = 0.5
CLOSE = (b"connection", b"close")


class GracefulServer(uvicorn.Server):
    """At a stop signal: unready at once; for `drain` seconds connections are taken up as ever, while every answer asks
    its client to close; then nothing new is taken up, and requests under way are answered.

    uvicorn by itself closes what is kept alive and idle at once. A request that was sent a moment before meets a closed
    connection then, and its sender cannot know what became of it.
    """

    def __init__(self, config: uvicorn.Config, readiness: Readiness, drain: float) -> None:
        super().__init__(config)
        self._readiness = readiness
        self._drain = drain

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not self._readiness.stopping:
            self._readiness.stop()
            self._ask_to_close()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._until(time.monotonic() + self._drain)
        for server in self.servers:
            server.close()
        await self._until(time.monotonic() + LAST_CHANCE_SECONDS, nobody_is_idle=True)
        await super().shutdown(sockets)

    async def _until(self, moment: float, *, nobody_is_idle: bool = False) -> None:
        counter = 0
        while time.monotonic() < moment and not self.force_exit:
            if nobody_is_idle and not any(one.is_idle() for one in self._connections()):
                return
            await asyncio.sleep(TICK_SECONDS)
            counter += 1
            await self.on_tick(counter % 10)

    def _ask_to_close(self) -> None:
        """On every answer from now on."""
        # The second are what each answer gets beside its own headers; they are made anew from the first every second.
        self.config.encoded_headers = [*self.config.encoded_headers, CLOSE]
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        for connection in self._connections():
            cycle = connection.cycle
            if cycle is not None and not cycle.response_started:
                cycle.keep_alive = False  # it has the headers of before already

    def _connections(self) -> list[HttpConnection]:
        return [one for one in self.server_state.connections if isinstance(one, HttpConnection)]
