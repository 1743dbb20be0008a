"""A scribe in a process of its own, so that it and who answers do not wait for each other's turn in Python."""

import os
import signal
import socket
import time
from contextlib import suppress

from service.store.database import open_engine
from service.store.scribe import write

PIECE = 65_536  # bytes that are read at once
FIRST = 3  # after standard input, output and error


class ScribeProcess:
    """A process that writes until `end`, or the process that has it, is gone.

    It is a copy of this process that opens a connection of its own. To be made before there are threads, which might
    hold a lock for ever in the copy, and before a database is open: SQLite's files must not be open across a fork
    (sqlite.org/howtocorrupt.html, 2.6); where one was, workers told 503 of a file that was fine.
    """

    def __init__(self, url: str) -> None:
        self.end, theirs = socket.socketpair()
        self.pid = os.fork()
        if not self.pid:
            _write(url, theirs.detach())
        theirs.close()

    def finish(self, patience: float) -> None:
        """Tells it that no more comes, and returns when it has ended; where that takes longer than these seconds, it is
        ended."""
        with self.end:
            self.end.settimeout(patience)
            try:
                self.end.shutdown(socket.SHUT_WR)
                while self.end.recv(PIECE):  # reports that nobody waits for
                    pass
            except (TimeoutError, BlockingIOError):
                os.kill(self.pid, signal.SIGKILL)
            except OSError:  # it is gone already
                pass
        with suppress(ChildProcessError):  # somebody else has waited for it
            os.waitpid(self.pid, 0)


def _write(url: str, end: int) -> None:
    """All that the copy does."""
    status = 1
    try:
        # Whoever stops the service stops the process that answers, which closes the channel once all is written.
        for asked in (signal.SIGTERM, signal.SIGINT):
            signal.signal(asked, signal.SIG_IGN)
        # The port, the lifeline and whatever else was open are not this process's to keep open.
        for number in map(int, os.listdir("/dev/fd")):  # noqa: PTH208 (numbers and no paths)
            if number >= FIRST and number != end:
                with suppress(OSError):  # it was for the listing
                    os.close(number)
        write(socket.socket(fileno=end), open_engine(url), time.process_time)
        status = 0
    finally:
        os._exit(status)
