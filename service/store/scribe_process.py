"""A scribe in a process of its own, so that it and who answers do not wait for each other's turn in Python."""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from service.store import scribe_main
from service.store.channel import packed
from service.store.ledger_spec import LedgerSpec

CODE = Path(__file__).parent.parent.parent
PIECE = 65_536  # bytes that are read at once
LAST_SECONDS = 1.0  # in which a process ends that has closed its channel


class ScribeProcess:
    """A process that writes until `end`, or the process that has it, is gone.

    It is one of few modules and no SQLAlchemy, which makes it a third of the size of a copy of this one. What it needs
    to know is sent to it (`writes_to`), and not given as an argument: there may be a password in it.
    """

    def __init__(self) -> None:
        self.end, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module, no shell)
                [sys.executable, "-P", "-m", scribe_main.__name__, str(theirs.fileno())],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(CODE), *filter(None, [os.environ.get("PYTHONPATH")])]),
                },
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                # Who stops the service from a terminal does not mean this one, which ends when all is written.
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def writes_to(self, spec: LedgerSpec) -> Self:
        """To be called once, before anything else is sent."""
        with suppress(OSError):  # it is gone, which whoever sends it something finds out
            self.end.sendall(packed(tuple(spec)))
        return self

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
                self._process.kill()
            except OSError:  # it is gone already
                pass
        try:
            self._process.wait(max(patience, LAST_SECONDS))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
