"""While the database does not work, one question at a time tries it, and the others are told at once."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.store.errors import StoreUnavailable

PAUSE_SECONDS = 1.0


class Breaker:
    """Keeps questions to a database that hangs from taking up every thread there is, each for as long as it waits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._trouble: StoreUnavailable | None = None
        self._next = 0.0

    @contextmanager
    def closed(self) -> Iterator[None]:
        """Around a question. Raises StoreUnavailable, without asking, after one failed and while another one tries."""
        if self._trouble is not None:
            self._let_one_try()
        lost: StoreUnavailable | None = None
        try:
            yield
        except StoreUnavailable as error:
            lost = error.again(PAUSE_SECONDS) if error.lost else None
            raise
        finally:
            if lost is not None or self._trouble is not None:
                with self._lock:
                    self._trouble, self._next = lost, self._clock() + PAUSE_SECONDS

    def _let_one_try(self) -> None:
        with self._lock:
            if self._trouble is None:
                return
            if self._clock() < self._next:
                raise self._trouble.again(PAUSE_SECONDS)
            self._next = float("inf")  # until this one has its answer
