"""Work that is done every so often beside the answering, by a thread of its own."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable

logger = logging.getLogger("segmentation.pulse")


class Pulse:
    """Does blocking work every so many seconds, or at once where it is asked to. What fails is tried again.

    The thread is a daemon and none of the event loop's: a database that never answers must not keep the process from
    ending. `last` is done when all is over. All methods belong to the event loop in which `start` was called.
    """

    def __init__(self, work: Callable[[], None], seconds: float, last: Callable[[], None] | None = None) -> None:
        self._work = work
        self._seconds = seconds
        self._last = last
        self._wake = threading.Event()
        self._stopping = False
        self._asking = threading.Lock()
        self._asked: list[asyncio.Future[None]] = []
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """To be called once, inside the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def now(self) -> asyncio.Future[None]:
        """Asks for the work at once; done when a round that began after this is over."""
        future = asyncio.get_running_loop().create_future()
        with self._asking:
            self._asked.append(future)
        self._wake.set()
        return future

    async def close(self, patience: float) -> None:
        """Ends the thread; whatever does not end within `patience` seconds is left alone."""
        self._stopping = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join, patience)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._seconds)
            self._wake.clear()
            if self._stopping:
                break
            with self._asking:
                asked, self._asked = self._asked, []
            self._do(self._work)
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now: nobody waits any more
                for future in asked:
                    assert self._loop is not None  # noqa: S101 (the thread was started with it)
                    self._loop.call_soon_threadsafe(_settle, future)
        if self._last is not None:
            self._do(self._last)

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:
            logger.exception("what is done every %g s failed; it is tried again", self._seconds)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
