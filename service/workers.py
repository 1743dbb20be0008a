"""Several processes that answer on one port: started, watched, replaced and stopped together."""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess

from service.metrics.board import Board

logger = logging.getLogger("segmentation.workers")
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SETTLED_SECONDS = 10.0  # a worker that ends sooner had no good start; the next one waits
SHORTEST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
# What a worker may need beyond the requests under way: to write what waits, and to close.
CLOSING_SECONDS = 25.0


@dataclass(slots=True)
class Pause:
    """How long to wait before a worker is started again: longer each time it ends soon after its start."""

    seconds: float = 0.0

    def after(self, lived: float) -> float:
        """The seconds to wait after a worker that lived so long."""
        ended_soon = lived < SETTLED_SECONDS
        self.seconds = min(max(2 * self.seconds, SHORTEST_PAUSE), LONGEST_PAUSE) if ended_soon else 0.0
        return self.seconds


@dataclass(slots=True)
class Workers:
    """`count` processes that each do `work` with the listening socket, until SIGTERM or SIGINT. Each has a seat on the
    board, which the one that replaces it takes over.

    They are forked, so what this process has imported is in memory once; it must have no threads and no connections
    open. A worker that ends is replaced. Workers end by themselves when this process is gone, however it ended.
    """

    listening: socket.socket
    count: int
    work: Callable[[socket.socket, Board, int], None]
    patience: float
    board: Board
    _started: dict[ForkProcess, float] = field(default_factory=dict)
    _seats: dict[ForkProcess, int] = field(default_factory=dict)
    _due: list[float] = field(default_factory=list)
    _pause: Pause = field(default_factory=Pause)
    _stopping: bool = False
    # Nothing is ever sent: a worker reads its end, which ends when nobody holds the other any more.
    _lifeline: tuple[int, int] = field(default_factory=os.pipe)
    _wake: tuple[socket.socket, socket.socket] = field(default_factory=socket.socketpair)

    def run(self) -> int:
        """The exit code: 0 where all workers ended by themselves after the stop signal."""
        for end in self._wake:
            end.setblocking(False)
        signal.set_wakeup_fd(self._wake[1].fileno(), warn_on_full_buffer=False)
        for number in STOP_SIGNALS:
            signal.signal(number, self._told_to_stop)
        for _ in range(self.count):
            self._start()
        while not self._stopping:
            self._watch()
        return self._stop()

    def _told_to_stop(self, number: int, frame: object) -> None:
        self._stopping = True

    def _start(self) -> None:
        seat = min(set(range(self.count)) - set(self._seats.values()))
        process = multiprocessing.get_context("fork").Process(target=self._live, args=(seat,), daemon=True)
        # A signal between the fork and the worker's own handlers would be told to the wrong one, and lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        self._started[process] = time.monotonic()
        self._seats[process] = seat

    def _watch(self) -> None:
        """Waits until a worker ends, one is to be started, or a signal comes; replaces those that ended."""
        timeout = max(min(self._due) - time.monotonic(), 0.0) if self._due else None
        wait([self._wake[0], *(process.sentinel for process in self._started)], timeout)
        for process in [one for one in self._started if one.exitcode is not None]:
            self._bury(process)
        while not self._stopping and self._due and min(self._due) <= time.monotonic():
            self._due.remove(min(self._due))
            self._start()

    def _bury(self, process: ForkProcess) -> None:
        now = time.monotonic()
        pause = self._pause.after(now - self._started.pop(process))
        when = f"in {pause:g} s" if pause else "at once"
        logger.error("worker [%s] ended %s; another is started %s", process.pid, _how(process.exitcode), when)
        self.board.clear(self._seats.pop(process))
        self._due.append(now + pause)
        process.close()

    def _stop(self) -> int:
        logger.info("stopping %s workers; requests under way may take %g s", len(self._started), self.patience)
        # First of all this copy: else callers would go on to connect to what nobody takes up any more.
        self.listening.close()
        for process in self._started:
            process.terminate()
        deadline = time.monotonic() + self.patience + CLOSING_SECONDS
        for process in self._started:
            process.join(max(deadline - time.monotonic(), 0.0))
        stuck = [process for process in self._started if process.exitcode is None]
        for process in stuck:
            logger.error("worker [%s] did not end and is killed; what it had acknowledged is stored", process.pid)
            process.kill()
            process.join()
        return 1 if stuck else 0

    # In the worker --------------------------------------------------------------------------------

    def _live(self, seat: int) -> None:
        signal.set_wakeup_fd(-1)
        for number in STOP_SIGNALS:
            signal.signal(number, _stopped)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        for end in self._wake:
            end.close()
        reading, writing = self._lifeline
        os.close(writing)
        threading.Thread(target=_end_with, args=(reading,), name="lifeline", daemon=True).start()
        self.work(self.listening, self.board, seat)


def _stopped(number: int, frame: object) -> None:
    raise SystemExit(0)


def _end_with(lifeline: int) -> None:
    """Stops this process, as a stop signal would, once the process that watches over it is gone."""
    os.read(lifeline, 1)
    logger.error("the process that started this worker is gone; ending")
    os.kill(os.getpid(), signal.SIGTERM)


def _how(code: int | None) -> str:
    """An exit code in words."""
    if code is None or code >= 0:
        return f"with exit code {code}"
    return f"by {signal.Signals(-code).name}"
