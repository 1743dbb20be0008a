"""The limit on the time until an answer begins."""

import asyncio
from collections.abc import Callable
from time import perf_counter

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import TimedOut, TooSlow
from service.exchange import Exchange, exchange_of
from service.problem import response_to

LONGEST_PAUSE = 1.0  # seconds between two looks


class Deadline:
    """Answers 503 to what has not begun to be answered after `seconds`, and 408 where its body has not come by then.

    One timer looks at all of them: a timer for each would cost each request more than the rest of this layer.
    `unlimited` tells of a request whether it has no such limit, because it goes on for as long as it is sent.
    """

    def __init__(self, app: ASGIApp, seconds: float, unlimited: Callable[[Scope], bool]) -> None:
        self._app = app
        self._seconds = seconds
        self._unlimited = unlimited
        self._pause = min(LONGEST_PAUSE, seconds / 4)
        self._running: dict[Exchange, asyncio.Task[object]] = {}
        self._overdue: set[Exchange] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange, task = exchange_of(scope), asyncio.current_task()
        if exchange is None or task is None or self._unlimited(scope):
            await self._app(scope, receive, send)
            return
        self._running[exchange] = task
        if self._timer is None:
            self._timer = task.get_loop().call_later(self._pause, self._look, task.get_loop())
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if exchange not in self._overdue:
                raise
            task.uncancel()
            await self._tell(exchange, scope, receive, send)
        finally:
            del self._running[exchange]
            self._overdue.discard(exchange)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        latest = perf_counter() - self._seconds
        for exchange, task in self._running.items():
            if exchange.began < latest and exchange.status is None and exchange not in self._overdue:
                self._overdue.add(exchange)
                task.cancel()
        self._timer = loop.call_later(self._pause, self._look, loop) if self._running else None

    async def _tell(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        if exchange.body_complete or not _has_body(scope):
            error: Exception = TimedOut(
                f"the answer took more than {self._seconds:g} s; what was asked for may have been done, "
                "and it is safe to send it again"
            )
        else:
            error = TooSlow(f"the body did not come within {self._seconds:g} s; send it again, without pauses")
            exchange.headers.append((b"connection", b"close"))
        await response_to(error)(scope, receive, send)


def _has_body(scope: Scope) -> bool:
    sent = dict(scope["headers"])
    return b"transfer-encoding" in sent or sent.get(b"content-length", b"0") != b"0"
