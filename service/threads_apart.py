"""Threads for what must go on while those of the framework all wait for a database that hangs."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread

P = ParamSpec("P")
T = TypeVar("T")


class ThreadsApart:
    """At most `count` at a time; more wait in the event loop."""

    def __init__(self, count: int) -> None:
        self._limiter = anyio.CapacityLimiter(count)

    async def run(self, work: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """The outcome of blocking work. Whoever is cancelled goes on; the work ends by itself."""
        return await anyio.to_thread.run_sync(
            lambda: work(*arguments, **options), limiter=self._limiter, abandon_on_cancel=True
        )
