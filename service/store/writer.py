"""Group commit: many callers' rows share one transaction, and each is answered after its COMMIT."""

import asyncio
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Protocol

import sqlalchemy as sa

from service.store.assignment import Assignment
from service.store.errors import RowRefused, StoreBusy, StoreClosed, StoreError, StoreUnavailable
from service.store.ledger import Ledger
from service.store.ledgers import open_ledger
from service.store.trouble import unstored

GROUP_ROWS = 20_000
RETRY_AFTER = 1.0
SINGLE, BATCH = "single", "batch"  # what sent the rows, for whoever observes


@dataclass(slots=True, eq=False)
class Submission:
    """One caller's rows, all of which are stored or none, and the caller's place to wait."""

    rows: Sequence[Assignment]
    answer: asyncio.Future[None]
    source: str = ""


class Observer(Protocol):
    """Told in the writer's thread, before the waiters are, what became of a transaction."""

    def committed(self, group: Sequence[Submission], seconds: float) -> None:
        """These are on disk."""

    def failed(self) -> None:
        """The database took nothing."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The database failed; until `until` (monotonic seconds) nobody is kept waiting to see it fail again."""

    cause: StoreUnavailable
    until: float

    def error(self) -> StoreUnavailable:
        return self.cause.again(RETRY_AFTER)


Outcome = tuple[Submission, StoreError | None]


class GroupCommit:
    """One writer thread takes whatever waits, commits it in one transaction, then answers each waiter.

    `capacity` bounds the rows that wait or are being written; `patience` is how many seconds a
    transaction may take before its waiters, and all behind them, are told that the database does
    not answer. All methods belong to the event loop in which `start` was called.
    """

    def __init__(
        self, engine: sa.Engine, capacity: int = 100_000, patience: float = 10.0, observer: Observer | None = None
    ) -> None:
        self._engine = engine
        self._observer = observer
        self._capacity = capacity
        self._patience = patience
        self._queue: SimpleQueue[Submission | None] = SimpleQueue()
        self._waiting: set[Submission] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._worker: threading.Thread | None = None
        self._ledger: Ledger | None = None
        # Written by the writer thread, read by the loop; each assignment is a single step.
        self._outage: Outage | None = None
        self._busy_since: float | None = None
        self._closing = False
        self.queued_rows = 0
        self.commits = 0
        self.rows = 0
        self.last_commit_seconds = 0.0

    def start(self) -> None:
        """Starts the writer; to be called once, inside the running event loop."""
        if self._loop is not None:
            raise RuntimeError("This group commit was started before; make a new one.")
        self._loop = asyncio.get_running_loop()
        # A daemon: a database that never answers must not keep the process from ending.
        self._worker = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._worker.start()

    async def commit(self, rows: Sequence[Assignment], source: str = SINGLE) -> None:
        """Returns when all rows are on disk; raises when none of them is."""
        await self.submit(rows, source)

    def submit(self, rows: Sequence[Assignment], source: str = SINGLE) -> asyncio.Future[None]:
        """Hands rows to the writer; the future is done when all of them are on disk, or none can be.

        StoreBusy: the queue is full. StoreUnavailable: the database does not work (when its answer
        to a COMMIT is what is missing, the sentence says that the rows may be stored). RowRefused:
        the database refuses one of these rows. StoreClosed: before `start` or after `close`. A
        caller that is cancelled changes nothing for others; its own rows may or may not be stored.
        """
        self._admit(len(rows))
        assert self._loop is not None  # noqa: S101 (what _admit has just checked)
        answer = self._loop.create_future()
        if not rows:
            answer.set_result(None)
            return answer
        submission = Submission(rows, answer, source)
        self._waiting.add(submission)
        self.queued_rows += len(rows)
        self._queue.put(submission)
        if self._watch is None:
            self._watch = self._loop.call_later(self._patience, self._look)
        return answer

    @property
    def trouble(self) -> str | None:
        """What kept the last rows from being stored; None where they were."""
        outage = self._outage
        return None if outage is None else outage.cause.summary

    async def close(self) -> None:
        """Takes no more rows, writes those that wait, and ends the writer; answers everyone."""
        if self._loop is None or self._worker is None or self._closing:
            return
        self._closing = True
        self._queue.put(None)
        # Twice: the transaction under way, and the one with everything behind it.
        await self._loop.run_in_executor(None, self._worker.join, 2 * self._patience)
        if self._watch is not None:
            self._watch.cancel()
        self._give_up("The store was closed while the database did not answer")

    def _admit(self, count: int) -> None:
        if self._loop is None or self._closing:
            raise StoreClosed("The store takes no rows, as it is not running; send them to another instance.")
        if count > self._capacity:
            raise ValueError(f"{count} rows are more than the queue's {self._capacity}; send them in parts.")
        outage = self._outage
        if outage is not None and time.monotonic() < outage.until:
            raise outage.error()
        if self.queued_rows + count > self._capacity:
            raise StoreBusy(
                f"{self.queued_rows} rows are waiting to be stored and {self._capacity} may;"
                f" nothing was stored, try again in {RETRY_AFTER:g} s.",
                RETRY_AFTER,
            )

    # On the event loop -----------------------------------------------------------------------

    def _settle(self, outcomes: list[Outcome]) -> None:
        """Answers the waiters of one transaction."""
        for submission, error in outcomes:
            self.queued_rows -= len(submission.rows)
            self._waiting.discard(submission)
            if submission.answer.done():  # cancelled, or given up on
                continue
            if error is None:
                submission.answer.set_result(None)
            else:
                submission.answer.set_exception(error)

    def _look(self) -> None:
        """Looks whether the writer gets on; runs only while somebody waits."""
        assert self._loop is not None  # noqa: S101 (scheduled by commit, after start)
        self._watch = None
        since = self._busy_since
        if since is not None and time.monotonic() - since >= self._patience:
            self._give_up(f"The database has not answered for {self._patience:g} s")
        if self._waiting:
            self._watch = self._loop.call_later(self._patience / 4, self._look)

    def _give_up(self, sentence: str) -> None:
        """Tells everyone who waits that the database does not answer; the writer drops what it has not begun."""
        cause = StoreUnavailable(f"{sentence}; the rows may be stored or not, look for them or send them again.")
        outage = Outage(cause, time.monotonic() + self._patience / 4)
        self._outage = outage
        for submission in self._waiting:
            if not submission.answer.done():
                submission.answer.set_exception(outage.error())

    # In the writer thread ----------------------------------------------------------------------

    def _run(self) -> None:
        running = True
        while running:
            group, running = self._take()
            if group:
                self._answer(self._serve(group))
        self._drop_connection()

    def _take(self) -> tuple[list[Submission], bool]:
        """Waits for one submission and takes all that wait by then; False after the last one."""
        group: list[Submission] = []
        rows = 0
        submission = self._queue.get()
        while submission is not None:
            group.append(submission)
            rows += len(submission.rows)
            if rows >= GROUP_ROWS:
                return group, True
            try:
                submission = self._queue.get_nowait()
            except Empty:
                return group, True
        return group, False

    def _serve(self, group: list[Submission]) -> list[Outcome]:
        self._busy_since = time.monotonic()
        try:
            # Whoever was given up on, or went away before its turn, is not written any more.
            gone = [submission for submission in group if submission.answer.done()]
            live = [submission for submission in group if not submission.answer.done()]
            return [(submission, None) for submission in gone] + (self._write(live) if live else [])
        finally:
            self._busy_since = None

    def _write(self, group: list[Submission]) -> list[Outcome]:
        """Writes the group in one transaction; if a row is refused, its halves, down to the one at fault."""
        outage = self._outage
        if outage is not None and time.monotonic() < outage.until:
            return [(submission, outage.error()) for submission in group]
        rows = [row for submission in group for row in submission.rows]
        try:
            self._commit(rows)
        except RowRefused as refusal:
            if len(group) == 1:
                return [(group[0], refusal)]
            middle = len(group) // 2
            return self._write(group[:middle]) + self._write(group[middle:])
        except Exception as error:  # whatever it is, the writer lives on and nobody waits for ever
            self._drop_connection()
            self._outage = outage = Outage(unstored(error), time.monotonic() + RETRY_AFTER)
            if self._observer is not None:
                self._observer.failed()
            return [(submission, outage.error()) for submission in group]
        self._outage = None
        if self._observer is not None:
            self._observer.committed(group, self.last_commit_seconds)
        return [(submission, None) for submission in group]

    def _commit(self, rows: Sequence[Assignment]) -> None:
        started = time.perf_counter()
        ledger = self._connected()
        try:
            ledger.write(rows)
        except StoreUnavailable:
            if ledger.alive:
                raise
            self._commit_again(rows)
        self.last_commit_seconds = time.perf_counter() - started
        self.commits += 1
        self.rows += len(rows)

    def _commit_again(self, rows: Sequence[Assignment]) -> None:
        """After a lost connection, which may have been lost after its COMMIT was done: ids are unique."""
        self._drop_connection()
        ledger = self._connected()
        if not ledger.holds(rows[0].id):
            ledger.write(rows)

    def _connected(self) -> Ledger:
        if self._ledger is None:
            self._ledger = open_ledger(self._engine)
        return self._ledger

    def _drop_connection(self) -> None:
        ledger, self._ledger = self._ledger, None
        if ledger is not None:
            # It is being thrown away; that it cannot even be closed adds nothing.
            with suppress(Exception):
                ledger.close()

    def _answer(self, outcomes: list[Outcome]) -> None:
        assert self._loop is not None  # noqa: S101 (the thread begins after start has set it)
        # A loop that was closed without closing the store has nobody left to answer.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, outcomes)
