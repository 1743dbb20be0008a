"""A request's body as it comes: taken in ahead of whoever works on it, but never much."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.requests import Request

AHEAD = 1_048_576  # bytes


class Intake:
    """Holds at most about `AHEAD` bytes that nobody has taken; beyond that the sender has to wait.

    To be entered: it then reads on its own, and after the body's end looks whether the client is still there.
    """

    def __init__(self, request: Request) -> None:
        self.gone = False
        self._request = request
        self._held = bytearray()
        self._error: Exception | None = None
        self._ended = False
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def take(self) -> bytes:
        """What has come, at most `AHEAD` bytes, as soon as there is anything; nothing at the end.

        Raises what reading raised, after all that came before it.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._held or self._ended)
            if not self._held and self._error is not None:
                raise self._error
            with memoryview(self._held) as held:
                taken = bytes(held[:AHEAD])
            del self._held[: len(taken)]
            self._changed.notify_all()
            return taken

    async def _read(self) -> None:
        try:
            async for piece in self._request.stream():
                async with self._changed:
                    self._held += piece
                    self._changed.notify_all()
                    await self._changed.wait_for(lambda: len(self._held) < AHEAD)
        except Exception as error:  # told to whoever takes
            self._error = error
        async with self._changed:
            self._ended = True
            self._changed.notify_all()
        while self._error is None and not self.gone:
            message = await self._request.receive()
            self.gone = message["type"] == "http.disconnect"
