"""Which keys were used, and how much was refused: gathered by the door, told to the store beside the answering."""

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from service.caller import Caller
from service.pulse import Pulse
from service.store.errors import StoreError
from service.store.keys import KeyStore

logger = logging.getLogger("segmentation.keys")
CLOSING_PATIENCE = 2.0  # how long the end waits for a database that does not answer
MINUTE = timedelta(minutes=1)
INVALID = "without a valid key"
BEYOND = "beyond the key's scopes"


class KeyUse:
    """The log gets one entry per key and day, and at most one a minute and process for all that was refused."""

    def __init__(self, store: KeyStore, clock: Callable[[], datetime]) -> None:
        self.used: dict[str, Caller] = {}
        self._store = store
        self._clock = clock
        self._refused: Counter[str] = Counter()
        self._last_use: dict[str, datetime] = {}
        self._days: dict[str, object] = {}
        self._told_use: datetime | None = None
        self._told_refused: datetime | None = None
        self._pulse: Pulse | None = None

    def start(self, seconds: float) -> None:
        """Tells the store every so often from now on; to be called once, inside the running event loop."""
        self._pulse = Pulse(self.tell, seconds, self.tell_all)
        self._pulse.start()

    async def close(self) -> None:
        """Tells the rest, if the database takes it soon."""
        if self._pulse is not None:
            await self._pulse.close(CLOSING_PATIENCE)

    def refuse(self, why: str) -> None:
        """Counts a refused request."""
        self._refused[why] += 1

    def tell(self) -> None:
        """Tells the store what is due. Blocking; what it does not take is told the next time."""
        try:
            self._tell(self._clock(), everything=False)
        except StoreError as error:
            logger.warning("the use of keys is told later: %s", error)

    def tell_all(self) -> None:
        """The same for everything, before the end. Blocking."""
        try:
            self._tell(self._clock(), everything=True)
        except StoreError as error:
            logger.warning("the last use of keys is not told: %s", error)

    def _tell(self, now: datetime, everything: bool) -> None:
        used, self.used = self.used, {}
        self._last_use |= dict.fromkeys(used, now)
        who = {key: caller.who for key, caller in used.items() if self._days.get(key) != now.date()}
        if who:
            try:
                self._store.tell_used(who, now)
            except StoreError:
                self.used = used | self.used
                raise
            self._days |= dict.fromkeys(who, now.date())
        if self._last_use and (everything or _due(self._told_use, now)):
            self._store.tell_last_use(self._last_use)
            self._last_use, self._told_use = {}, now
        if self._refused and (everything or _due(self._told_refused, now)):
            self._tell_refused(now)

    def _tell_refused(self, now: datetime) -> None:
        refused, self._refused = self._refused, Counter()
        counts = ", ".join(f"{count} {why}" for why, count in sorted(refused.items()))
        try:
            self._store.tell_refused(f"requests refused: {counts}", now)
        except StoreError:
            self._refused += refused
            raise
        self._told_refused = now


def _due(last: datetime | None, now: datetime) -> bool:
    return last is None or abs(now - last) >= MINUTE
