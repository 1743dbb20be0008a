"""A PostgreSQL connection that waits for an answer only so long."""

from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

T = TypeVar("T")
ANSWER_SECONDS = 12.0  # longer than the server's own limit of a statement, whose error says more
PING_SECONDS = 2.0
# How long a connection to a server that takes no writes is used, before another one looks for the new primary.
READ_ONLY_SECONDS = 5.0
# Said after connecting and not as start-up options, which connection poolers refuse.
SESSION = "SET statement_timeout = '10s'; SET TIME ZONE 'UTC'"


class PatientConnection(psycopg.Connection[tuple[Any, ...]]):
    """Gives up on a server that is there and does not answer: stopped, on a disk that hangs, or cut off unnoticed.

    The server's `statement_timeout` is no help then, and TCP's own limits none while the other kernel confirms.
    `patience` is None for work that may take as long as it takes.
    """

    patience: float | None = ANSWER_SECONDS
    opened: float

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        allowed = self.patience if timeout is None else timeout
        try:
            return super().wait(gen, interval, allowed)
        except _WaitTimeout as error:
            self.pgconn.finish()  # what its answer would be to is not known any more
            raise psycopg.OperationalError(f"it has not answered for {allowed:g} s") from error

    def is_usable(self) -> bool:
        """Whether the server answers at once; one that takes no writes is good for READ_ONLY_SECONDS."""
        if self._takes_no_writes() and monotonic() - self.opened > READ_ONLY_SECONDS:
            return False
        usual, self.patience = self.patience, PING_SECONDS
        before, self.autocommit = self.autocommit, True
        try:
            self.execute(";")
            self.autocommit = before
        except psycopg.Error:
            return False
        finally:
            self.patience = usual
        return True

    def __del__(self, *_: object) -> None:
        # A thread that the service does not wait for when it ends, because the database hangs, gives its connection
        # back to a pool that is gone by then: nobody else would close it.
        if hasattr(self, "pgconn"):
            self.close()

    def _takes_no_writes(self) -> bool:
        """What the server told by itself: no round trip."""
        said = self.pgconn.parameter_status
        return b"on" in (said(b"in_hot_standby"), said(b"default_transaction_read_only"))


def connect(*arguments: Any, **options: Any) -> PatientConnection:
    """As `psycopg.connect`. Raises psycopg.Error."""
    made = PatientConnection.connect(*arguments, **options)
    made.opened = monotonic()
    try:
        made.execute(SESSION)
        made.commit()
    except psycopg.Error:
        made.close()
        raise
    return made
