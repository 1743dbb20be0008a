"""The limit on the time until an answer begins."""

import asyncio
from collections.abc import Callable, Collection
from time import perf_counter

from starlette.types import Scope

from service.errors import TimedOut, TooSlow
from service.exchange import Exchange, headers_of

LONGEST_PAUSE = 1.0  # seconds between two looks


class Deadline:
    """Cancels what has not begun to be answered after `seconds`, and says why.

    One timer looks at all of them: a timer for each would cost each request more than all else that is looked at.
    `unlimited` tells of a request whether it has no such limit, because it goes on for as long as it is sent.
    """

    def __init__(self, seconds: float, unlimited: Callable[[Scope], bool]) -> None:
        self._seconds = seconds
        self._unlimited = unlimited
        self._pause = min(LONGEST_PAUSE, seconds / 4)
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, running: Collection[Exchange]) -> None:
        """Sees to it that those that are running are looked at, for as long as there are some."""
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._pause, self._look, running, loop)

    def refusal(self, exchange: Exchange) -> Exception:
        """What is wrong with a request that took too long: its body has not come, or the answer was not ready."""
        if exchange.body_complete or not _has_body(exchange.scope):
            return TimedOut(
                f"the answer took more than {self._seconds:g} s; what was asked for may have been done, "
                "and it is safe to send it again"
            )
        exchange.headers.append((b"connection", b"close"))
        return TooSlow(f"the body did not come within {self._seconds:g} s; send it again, without pauses")

    def _look(self, running: Collection[Exchange], loop: asyncio.AbstractEventLoop) -> None:
        latest = perf_counter() - self._seconds
        for exchange in running:
            late = exchange.began < latest and exchange.status is None and not exchange.overdue
            if late and exchange.task is not None and not self._unlimited(exchange.scope):
                exchange.overdue = True
                exchange.task.cancel()
        self._timer = loop.call_later(self._pause, self._look, running, loop) if running else None


def _has_body(scope: Scope) -> bool:
    sent = headers_of(scope)
    return b"transfer-encoding" in sent or sent.get(b"content-length", b"0") != b"0"
