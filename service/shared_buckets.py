"""How many requests each caller may send, counted in the database by all workers and instances together."""

import asyncio
import logging
from time import monotonic
from typing import TypeAlias

from service.buckets import MINUTE, Allowance
from service.store.breaker import Breaker
from service.store.errors import StoreUnavailable
from service.store.quotas import Quotas, Taken
from service.threads_apart import ThreadsApart

logger = logging.getLogger("segmentation.rate_limit")
AT_ONCE = 4  # callers of this process whose requests the database counts at a time
PATIENCE = 2.0  # seconds for the database to do so
Line: TypeAlias = list[asyncio.Future[Allowance | None]]


class SharedBuckets:
    """Of each caller, whoever comes while requests are being counted waits, and then all of them are counted together.

    Who was refused is refused from memory until the next request may pass: nobody else grants one before, and a flood
    of what is refused costs the database nothing. All methods belong to one event loop.
    """

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._threads = ThreadsApart(AT_ONCE)
        self._turns = asyncio.Semaphore(AT_ONCE)  # outside of the patience: a crowd is no trouble of the database's
        self._breaker = Breaker()
        self._trouble: str | None = None
        # By caller and limit: who waits to be counted, and the task that has them counted.
        self._lines: dict[tuple[str, int], tuple[Line, asyncio.Task[None]]] = {}
        # Until when they are refused, and when they have all back: seconds of the monotonic clock.
        self._refused: dict[tuple[str, int], tuple[float, float]] = {}

    async def take(self, caller: str, per_minute: int) -> Allowance | None:
        """Counts a request of the caller, where it may pass. None where the database does not count it in time."""
        refused = self._refusal(caller, per_minute)
        if refused is not None:
            return refused
        future = asyncio.get_running_loop().create_future()
        found = self._lines.get((caller, per_minute))
        if found is not None:
            found[0].append(future)
        else:
            line: Line = [future]
            self._lines[caller, per_minute] = line, asyncio.create_task(self._serve(line, caller, per_minute))
        allowance: Allowance | None = await future
        return allowance

    async def _serve(self, line: Line, caller: str, per_minute: int) -> None:
        """Has all counted who wait, and who come meanwhile."""
        waiting: Line = []
        try:
            while line:
                async with self._turns:
                    waiting = [one for one in line if not one.done()]  # who went away is not counted
                    line.clear()
                    refused = self._refusal(caller, per_minute)
                    count = len(waiting)
                    told = [refused] * count if refused else await self._count(caller, per_minute, count)
                for future, allowance in zip(waiting, told, strict=True):
                    if not future.done():
                        future.set_result(allowance)
        finally:
            del self._lines[caller, per_minute]
            for future in waiting + line:  # none waits any more, unless this is cancelled or at fault
                if not future.done():
                    future.set_result(None)

    async def _count(self, caller: str, per_minute: int, count: int) -> list[Allowance | None]:
        if not count:
            return []
        began = monotonic()
        try:
            taken = await self._ask(caller, per_minute, count)
        except StoreUnavailable as error:
            if self._trouble != error.report:  # once, and not for each request
                logger.warning("each worker grants its share of the rate limit for now: %s", error.report)
            self._trouble = error.report
            return [None] * count
        self._trouble = None
        told = [_allowance(one, MINUTE / per_minute) for one in taken]
        if not told[-1].passes:
            self._refused[caller, per_minute] = began + told[-1].retry_after, began + told[-1].reset
        return list(told)

    async def _ask(self, caller: str, per_minute: int, count: int) -> list[Taken]:
        with self._breaker.closed():
            try:
                async with asyncio.timeout(PATIENCE):
                    return await self._threads.run(self._quotas.take, caller, per_minute, count)
            except TimeoutError as error:
                raise StoreUnavailable(f"The database has not answered for {PATIENCE:g} s.", lost=True) from error
            except StoreUnavailable as error:  # whatever it is, the next one should not wait to see it again
                raise StoreUnavailable(str(error), lost=True, kind=error.kind, reason=error.reason) from error

    def _refusal(self, caller: str, per_minute: int) -> Allowance | None:
        """What is known without asking."""
        known = self._refused.get((caller, per_minute))
        if known is None:
            return None
        now, (until, full_at) = monotonic(), known
        if now < until:
            return Allowance(False, 0, full_at - now, until - now)
        del self._refused[caller, per_minute]
        return None


def _allowance(taken: Taken, each: float) -> Allowance:
    if not taken.passes:
        return Allowance(False, 0, taken.reset, max(taken.reset + each - MINUTE, 0.0))
    return Allowance(True, int((MINUTE - taken.reset) / each + 1e-6), taken.reset, 0.0)
