"""What is done in the store while nobody asks: old answers are removed, and what was erased is wiped out."""

import contextlib
import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from service.store.audit import SERVICE
from service.store.chores import claim
from service.store.erasing import scrub
from service.store.errors import StoreError, StoreUnavailable
from service.store.purging import purge

logger = logging.getLogger("segmentation.caretaker")
EVERY = timedelta(days=1)
LOOK_SECONDS = 60.0  # for the moment to come at which the day is over


class Caretaker:
    """Of several processes one removes each day what is older than `retention_days`; 0 keeps all."""

    def __init__(self, engine: sa.Engine, retention_days: int, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._days = retention_days
        self._clock = clock
        self._unscrubbed = True  # the process before may have been killed
        self._stopping = threading.Event()
        self._next_look = -math.inf  # on the monotonic clock

    def scrub(self) -> None:
        """Empties the log of what was erased; where somebody reads it now, `look` does it soon. Blocking."""
        self._unscrubbed = True  # until it is known to be done, whatever happens
        with contextlib.suppress(StoreUnavailable):
            self._unscrubbed = not scrub(self._engine)

    def purge(self) -> None:
        """Removes what is too old if nobody did in the last day. Blocking; raises StoreUnavailable."""
        now = self._clock()
        if not self._days or not claim(self._engine, "purge", now, EVERY):
            return
        purged = purge(self._engine, now - timedelta(days=self._days), SERVICE, now, self._stopping.wait)
        logger.info("removed %s answers given more than %s days ago", purged.answers, self._days)
        self.scrub()

    def look(self) -> None:
        """Does what is to be done now; that it cannot be is written to the log. Blocking."""
        if self._unscrubbed:
            self.scrub()
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            try:
                self.purge()
            except StoreError as error:
                logger.warning("what is too old cannot be removed now: %s", error.report)

    def end(self) -> None:
        """What is being removed is left for another day."""
        self._stopping.set()
