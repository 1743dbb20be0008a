"""How long a client may keep a connection waiting before it is dropped."""

import asyncio
import logging
from time import monotonic
from typing import NamedTuple, Protocol

logger = logging.getLogger("segmentation.connection")
LONGEST_PAUSE = 1.0  # seconds between two looks
ANOTHER = "another"  # a client may keep a connection for it, and is not to blame


class Wait(NamedTuple):
    """What a client is waited for (another request, head, body, rest or answer), and a mark that changes as it goes
    on."""

    what: str
    mark: int


class Connection(Protocol):
    """What is watched."""

    def waits(self) -> Wait | None:
        """What its client is waited for."""

    def give_up(self, wait: Wait) -> None:
        """Drops the client."""


class Patience:
    """Looks at all connections now and then, so that no request pays for a timer of its own.

    A head must be whole within `head` seconds. Of a body something must come, and of an answer something be taken,
    every `body` and `answer` seconds. After an answer the connection is kept for another request for `another` seconds.
    """

    def __init__(self, head: float, body: float, answer: float, another: float) -> None:
        self._limits = {"head": head, "body": body, "rest": body, "answer": answer, ANOTHER: another}
        self._pause = min(LONGEST_PAUSE, *(limit / 4 for limit in self._limits.values()))
        self._since: dict[Connection, tuple[Wait | None, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """From now on, until it is forgotten."""
        self._since[connection] = (connection.waits(), monotonic())
        if self._timer is None:
            self._timer = loop.call_later(self._pause, self._look, loop)

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        self._since.pop(connection, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = monotonic()
        for connection in list(self._since):
            try:
                self._look_at(connection, now)
            except Exception:  # of one connection; all the others are to be looked at for ever
                logger.exception("a connection cannot be looked at, and is not any more")
                self.forget(connection)
        self._timer = loop.call_later(self._pause, self._look, loop) if self._since else None

    def _look_at(self, connection: Connection, now: float) -> None:
        before, since = self._since[connection]
        wait = connection.waits()
        if wait is None or wait != before:
            self._since[connection] = (wait, now)
        elif now - since >= self._limits[wait.what]:
            if wait.what != ANOTHER:
                logger.info("a client was dropped that kept its connection waiting: %s", wait.what)
            connection.give_up(wait)
