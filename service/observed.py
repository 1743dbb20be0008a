"""The outermost layer: every request is known by an id here, and is told of once it is over."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TypeAlias

from starlette.types import ASGIApp, Receive, Scope, Send

from service.concurrency import Concurrency
from service.correlation import CURRENT, Correlator
from service.deadline import Deadline
from service.exchange import KEY, Exchange, headers_of
from service.problem import response_to
from service.templates import Templates

Observer: TypeAlias = Callable[[Exchange], None]
logger = logging.getLogger("segmentation.observed")


class Observed:
    """Tells each observer of every request once, however it ended. `running` are those that are under way: so many may
    be as `concurrency` says, and each for as long as `deadline` does."""

    def __init__(
        self,
        app: ASGIApp,
        templates: Templates,
        observers: Sequence[Observer],
        concurrency: Concurrency,
        deadline: Deadline,
    ) -> None:
        self.running: set[Exchange] = set()
        self._app = app
        self._templates = templates
        self._observers = tuple(observers)
        self._concurrency = concurrency
        self._deadline = deadline
        self._correlate = Correlator().of
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        correlation = self._correlate(scope["headers"], headers_of(scope))
        exchange = Exchange(scope, send, correlation, perf_counter(), self._task())
        scope[KEY] = exchange
        CURRENT.set(correlation)
        running = self.running
        running.add(exchange)
        self._deadline.watch(running)
        try:
            self._concurrency.check(scope["path"], len(running))
            await self._app(scope, receive, exchange.send)
        except Exception as error:
            await _fail(exchange, error, receive)
        except asyncio.CancelledError:
            if not exchange.overdue or exchange.task is None:
                raise
            exchange.task.uncancel()
            await _fail(exchange, self._deadline.refusal(exchange), receive)
        finally:
            running.discard(exchange)
            exchange.ended = perf_counter()
            self._tell(exchange)
            del scope[KEY]  # they hold one another, and would be kept in memory until garbage is collected

    def _task(self) -> "asyncio.Task[object] | None":
        """The one that works on this request."""
        task = asyncio.current_task(self._loop) if self._loop is not None else None
        if task is None:  # to ask for the loop is a system call
            self._loop = asyncio.get_running_loop()
            task = asyncio.current_task(self._loop)
        return task

    def _tell(self, exchange: Exchange) -> None:
        exchange.route = self._templates.of(exchange.scope["path"])
        tell(self._observers, exchange)


def tell(observers: Sequence[Observer], exchange: Exchange) -> None:
    """Tells each of them of a request that is over; whoever looks on does no harm to what is looked at."""
    for observer in observers:
        try:
            observer(exchange)
        except Exception:
            logger.exception("a request was answered and could not be told of")


async def _fail(exchange: Exchange, error: Exception, receive: Receive) -> None:
    """Answers, where nothing has been answered; the framework raises again what it has answered and logged."""
    if exchange.status is None:
        await response_to(error)(exchange.scope, receive, exchange.send)
    elif exchange.status < 500:
        logger.error("an answer broke off", exc_info=error)
