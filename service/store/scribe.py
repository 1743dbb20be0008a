"""The one who writes: takes groups of rows that come over a channel, commits each, and tells what became of it."""

import marshal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import NamedTuple

from service.store import errors
from service.store.assignment import Assignment
from service.store.channel import ChannelClosed, Inbox, packed, receive
from service.store.errors import RowRefused, StoreError, StoreUnavailable
from service.store.ledger import ID, Entry, Ledger, entries
from service.store.ledger_spec import LedgerSpec
from service.store.ledgers import open_ledger
from service.store.trouble import unstored

Told = tuple[str, str, float, str, str]  # an error as it goes over the channel


class Report(NamedTuple):
    """What became of a group: for each submission None where its rows are stored, or what is wrong; the seconds that
    the last transaction took; and the processor time used by now."""

    outcomes: list[Told | None]
    seconds: float
    cpu: float


def write(end: socket.socket, spec: LedgerSpec, inbox: Inbox, cpu: Callable[[], float] = lambda: 0.0) -> None:
    """Writes what comes until the channel is closed at the other end; whatever goes wrong is told there.

    A message is a list of submissions as `packed_entries` made them; the answer to it is a `Report`. `inbox` has
    what came already, `cpu` tells the processor time used.
    """
    scribe = Scribe(spec)
    with end, closing(scribe), suppress(ChannelClosed, OSError):  # nobody is left to be told
        while True:
            group: list[list[Entry]] = [marshal.loads(submission) for submission in receive(end, inbox)]  # noqa: S302 (from this program)
            report = scribe.write(group)
            end.sendall(packed((*report[:2], cpu())))


def packed_entries(rows: Sequence[Assignment]) -> bytes:
    """The rows of one submission as they go over the channel. Raises ValueError and TypeError."""
    return marshal.dumps(entries(rows))


class Scribe:
    """Commits groups of submissions, by a connection of its own that is opened anew where it was lost."""

    def __init__(self, spec: LedgerSpec) -> None:
        self._spec = spec
        self._ledger: Ledger | None = None
        self._seconds = 0.0

    def write(self, group: Sequence[Sequence[Entry]]) -> Report:
        """Writes the group in one transaction; if a row is refused, its halves, down to the one at fault."""
        outcomes = self._write(group)
        return Report([None if one is None else told(one) for one in outcomes], self._seconds, 0.0)

    def close(self) -> None:
        """Gives the connection back."""
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            # It is being thrown away; that it cannot even be closed adds nothing.
            with suppress(Exception):
                ledger.close()

    def _write(self, group: Sequence[Sequence[Entry]]) -> list[StoreError | None]:
        try:
            self._commit([entry for submission in group for entry in submission])
        except RowRefused as refusal:
            if len(group) == 1:
                return [refusal]
            middle = len(group) // 2
            first = self._write(group[:middle])
            trouble = next((one for one in first if isinstance(one, StoreUnavailable)), None)
            return first + (self._write(group[middle:]) if trouble is None else [trouble] * (len(group) - middle))
        except Exception as error:  # whatever it is, the scribe lives on and nobody waits for ever
            self.close()
            return [unstored(error)] * len(group)
        return [None] * len(group)

    def _commit(self, entries: Sequence[Entry]) -> None:
        started = time.perf_counter()
        ledger = self._connected()
        try:
            ledger.write(entries)
        except StoreUnavailable:
            if ledger.alive:
                raise
            self._commit_again(entries)
        self._seconds = time.perf_counter() - started

    def _commit_again(self, entries: Sequence[Entry]) -> None:
        """After a lost connection, which may have been lost after its COMMIT was done: ids are unique."""
        self.close()
        ledger = self._connected()
        if not ledger.holds(entries[0][ID]):
            ledger.write(entries)

    def _connected(self) -> Ledger:
        if self._ledger is None:
            self._ledger = open_ledger(self._spec)
        return self._ledger


def told(error: StoreError) -> Told:
    """An error as it goes over the channel."""
    return type(error).__name__, str(error), getattr(error, "retry_after", 0.0), error.kind, error.reason


def untold(of: Told) -> StoreError:
    """The error that was told."""
    name, message, retry_after, kind, reason = of
    cls = getattr(errors, name)
    if issubclass(cls, StoreUnavailable):
        return StoreUnavailable(message, retry_after, kind=kind, reason=reason)
    return RowRefused(message, kind=kind, reason=reason)
