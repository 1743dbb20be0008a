"""What is said over and over while trouble lasts, said now and then."""

import logging
import time
from collections.abc import Callable

EVERY_SECONDS = 60.0
MOST = 100  # different things that are remembered


class Repetition(logging.Filter):
    """Lets a record whose `repeats` was there in the last EVERY_SECONDS not pass; one without `repeats` passes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        repeats: str | None = getattr(record, "repeats", None)
        if repeats is None:
            return True
        now = self._clock()
        if now - self._said.get(repeats, now - EVERY_SECONDS) < EVERY_SECONDS:
            return False
        if len(self._said) >= MOST:
            self._said.clear()
        self._said[repeats] = now
        return True
