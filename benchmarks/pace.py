"""How fast callers send, all of them together."""

import threading
import time


class Pace:
    """Moments to send at, evenly spread and handed out one by one, whether or not what was sent before is answered.

    Before `slow_to` everybody sends at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gap = self._next = 0.0

    def slow_to(self, per_second: float) -> None:
        """So many moments a second from now on."""
        with self._lock:
            self._gap, self._next = 1 / per_second, time.monotonic()

    def wait(self, stopped: threading.Event) -> None:
        """Until the next moment, or until stopped. A moment that is past is used at once."""
        with self._lock:
            due = self._next
            self._next += self._gap
        left = due - time.monotonic()
        if left > 0:
            stopped.wait(left)
