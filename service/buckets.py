"""How many requests each of many callers may send: exact, one number a caller, no timer and no lock.

Every request asks, so it is the generic cell rate algorithm of ITU-T I.371 and not the library `limits`: that takes 6
to 9 µs to count a request and tell how the limit stands, where this takes 2, and 0.4 s to import.
"""

import math
from typing import NamedTuple

MINUTE = 60.0
MOST_CALLERS = 100_000  # that are remembered; who was let go of begins anew


class Allowance(NamedTuple):
    """Whether a request may pass, how many more may at once, and the seconds until all may again, or the next one."""

    passes: bool
    remaining: int
    reset: float
    retry_after: float


class Buckets:
    """A caller may send its `per_minute` requests at once, and gets them back evenly over a minute."""

    def __init__(self, most_callers: int = MOST_CALLERS) -> None:
        self._full_at: dict[str, float] = {}  # the moment at which a caller has all its requests back
        self._most_callers = most_callers

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, caller: str, per_minute: int, now: float) -> Allowance:
        """Counts a request of the caller, where it may pass; `now` is of a monotonic clock."""
        allowance = self.look(caller, per_minute, now)
        if allowance.passes:
            if caller not in self._full_at and len(self._full_at) >= self._most_callers:
                self._make_room(now)
            self._full_at[caller] = now + allowance.reset
        return allowance

    def look(self, caller: str, per_minute: int, now: float) -> Allowance:
        """What `take` would say, without counting."""
        each = MINUTE / per_minute
        owed = max(self._full_at.get(caller, now) - now, 0.0) + each
        if owed > MINUTE + 1e-6:
            return Allowance(False, 0, owed - each, owed - MINUTE)
        return Allowance(True, int((MINUTE - owed) / each + 1e-6), owed, 0.0)

    def _make_room(self, now: float) -> None:
        """Forgets whoever has all back, which changes nothing, and at least a tenth."""
        kept = sorted(((full, caller) for caller, full in self._full_at.items() if full > now), reverse=True)
        self._full_at = {caller: full for full, caller in kept[: math.floor(self._most_callers * 0.9)]}
