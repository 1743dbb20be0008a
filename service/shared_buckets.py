"""How many requests each caller may send, counted in the database by all workers and instances together."""

import asyncio
import logging
from time import monotonic

from service.buckets import MINUTE, Allowance
from service.store.breaker import Breaker
from service.store.errors import StoreUnavailable
from service.store.quotas import Quotas
from service.threads_apart import ThreadsApart

logger = logging.getLogger("segmentation.rate_limit")
AT_ONCE = 4  # requests of this process that the database counts at a time
PATIENCE = 2.0  # seconds for the database to count one


class SharedBuckets:
    """Who was refused is refused from memory until the next request may pass: nobody else grants one before, and a
    flood of what is refused costs the database nothing."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._threads = ThreadsApart(AT_ONCE)
        self._turns = asyncio.Semaphore(AT_ONCE)  # outside of the patience: a crowd is no trouble of the database's
        self._breaker = Breaker()
        self._trouble: str | None = None
        # By caller and limit, until when it is refused, and when it has all back: seconds of the monotonic clock.
        self._refused: dict[tuple[str, int], tuple[float, float]] = {}

    async def take(self, caller: str, per_minute: int) -> Allowance | None:
        """Counts a request of the caller, where it may pass. None where the database does not count it in time."""
        refused = self._refusal(caller, per_minute)
        if refused is not None:
            return refused
        try:
            async with self._turns:
                allowance = self._refusal(caller, per_minute) or await self._count(caller, per_minute)
        except StoreUnavailable as error:
            if self._trouble != str(error):  # once, and not for each request
                logger.warning("each worker grants its share of the rate limit for now: %s", error)
            self._trouble = str(error)
            return None
        self._trouble = None
        return allowance

    async def _count(self, caller: str, per_minute: int) -> Allowance:
        began = monotonic()
        with self._breaker.closed():
            try:
                async with asyncio.timeout(PATIENCE):
                    passes, reset = await self._threads.run(self._quotas.take, caller, per_minute)
            except TimeoutError as error:
                raise StoreUnavailable(f"The database has not answered for {PATIENCE:g} s.", lost=True) from error
            except StoreUnavailable as error:  # whatever it is, the next one should not wait to see it again
                raise StoreUnavailable(str(error), lost=True) from error
        each = MINUTE / per_minute
        if passes:
            return Allowance(True, int((MINUTE - reset) / each + 1e-6), reset, 0.0)
        retry_after = max(reset + each - MINUTE, 0.0)
        self._refused[caller, per_minute] = began + retry_after, began + reset
        return Allowance(False, 0, reset, retry_after)

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
