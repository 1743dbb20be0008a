"""A scribe in a process of its own, so that it and who answers do not wait for each other's turn in Python."""

import os
import signal
import socket
import time

from service.store.database import open_engine
from service.store.scribe import write

FIRST = 3  # after standard input, output and error


class ScribeProcess:
    """A process that writes until `end`, or the process that has it, is gone. To be made before there are threads,
    connections and an event loop, as it is a copy of this process."""

    def __init__(self, url: str) -> None:
        self.end, theirs = socket.socketpair()
        self.pid = os.fork()
        if not self.pid:
            _write(url, theirs.detach())
        theirs.close()

    def wait(self, patience: float) -> None:
        """Waits until it has ended after `end` was closed; one that has not within these seconds is ended."""
        deadline = time.monotonic() + patience
        while not self._ended():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                return
            time.sleep(0.005)

    def _ended(self) -> bool:
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:  # somebody else has waited for it
            return True


def _write(url: str, end: int) -> None:
    """All that the copy does."""
    status = 1
    try:
        # Whoever stops the service stops the process that answers, which closes the channel once all is written.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        # The port, the lifeline and whatever else was open are not this process's to keep open.
        os.closerange(FIRST, end)
        os.closerange(end + 1, os.sysconf("SC_OPEN_MAX"))
        write(socket.socket(fileno=end), open_engine(url), time.process_time)
        status = 0
    finally:
        os._exit(status)
