"""Group commit: many callers' rows share one transaction, and each is answered after its COMMIT."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from service.store import scribe
from service.store.assignment import Assignment
from service.store.channel import Inbox, packed
from service.store.errors import StoreBusy, StoreClosed, StoreError, StoreUnavailable
from service.store.ledger_spec import LedgerSpec
from service.store.scribe import Report, packed_entries, untold
from service.store.scribe_process import ScribeProcess
from service.store.trouble import refused

GROUP_ROWS = 20_000
RETRY_AFTER = 1.0
PIECE = 65_536  # bytes that are sent or read at once
UNKNOWN = "the rows may be stored or not, look for them or send them again."
SINGLE, BATCH = "single", "batch"  # what sent the rows, for whoever observes
logger = logging.getLogger("segmentation.store")


@dataclass(slots=True, eq=False)
class Submission:
    """One caller's rows, all of which are stored or none, and the caller's place to wait."""

    rows: Sequence[Assignment]
    packed: bytes
    answer: asyncio.Future[None]
    source: str = ""


class Observer(Protocol):
    """Told, before the waiters are, what became of a transaction."""

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


@dataclass(slots=True)
class Channel:
    """The way to whoever writes: what came of a report, and what is being sent."""

    end: socket.socket
    process: ScribeProcess | None
    thread: threading.Thread | None = None
    inbox: Inbox = field(default_factory=Inbox)
    reported: bool = False  # whether any report came
    message: bytes = b""
    sent: int = 0  # bytes of it


class GroupCommit:
    """One scribe at a time writes one group: all that waited when it was done with the group before. It is written in
    one transaction, and then each who waited is answered.

    `capacity` bounds the rows that wait or are being written; `patience` is how many seconds a transaction may take
    before its waiters, and all behind them, are told that the database does not answer. The scribe is a thread, or the
    process that `written_by` named, which is worth it where many are answered (a fifth more at 16 connections); where
    that is gone, another one goes on, or a thread if it is of no use. All methods belong to the event loop in which
    `start` was called.
    """

    def __init__(
        self,
        spec: LedgerSpec,
        capacity: int = 100_000,
        patience: float = 10.0,
        observer: Observer | None = None,
    ) -> None:
        self._spec = spec
        self._observer = observer
        self._capacity = capacity
        self._patience = patience
        self._process: ScribeProcess | None = None
        self._channel: Channel | None = None
        self._pending: list[Submission] = []
        self._under_way: list[Submission] = []
        self._called = False  # to hand over at the end of this turn of the loop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._outage: Outage | None = None
        self._busy_since: float | None = None
        self._drained: asyncio.Event = asyncio.Event()
        self._closing = False
        self.queued_rows = 0
        self.commits = 0
        self.rows = 0
        self.last_commit_seconds = 0.0
        self.scribe_cpu = 0.0  # seconds of processor time, of scribes that are processes
        self._earlier_cpu = 0.0  # of those that are gone

    def written_by(self, process: ScribeProcess) -> None:
        """Has this process write; to be told before `start`."""
        self._process = process

    def start(self) -> None:
        """Starts the scribe; to be called once, inside the running event loop."""
        if self._loop is not None:
            raise RuntimeError("This group commit was started before; make a new one.")
        self._loop = asyncio.get_running_loop()
        process, self._process = self._process, None
        self._open(self._threaded() if process is None else Channel(process.end, process))

    async def commit(self, rows: Sequence[Assignment], source: str = SINGLE) -> None:
        """Returns when all rows are on disk; raises when none of them is."""
        await self.submit(rows, source)

    def submit(self, rows: Sequence[Assignment], source: str = SINGLE) -> asyncio.Future[None]:
        """Hands rows to the scribe; the future is done when all of them are on disk, or none can be.

        StoreBusy: the queue is full. StoreUnavailable: the database does not work (when its answer
        to a COMMIT is what is missing, the sentence says that the rows may be stored). RowRefused:
        the database refuses one of these rows. StoreClosed: before `start` or after `close`. A
        caller that is cancelled changes nothing for others; its own rows may or may not be stored.
        """
        loop = self._admit(len(rows))
        answer = loop.create_future()
        if not rows:
            answer.set_result(None)
            return answer
        try:
            spelt = packed_entries(rows)
        except (ValueError, TypeError) as error:
            answer.set_exception(refused(error))
            return answer
        self._pending.append(Submission(rows, spelt, answer, source))
        self.queued_rows += len(rows)
        if not self._called and not self._under_way:
            self._called = True
            loop.call_soon(self._hand_over)
        if self._watch is None:
            self._watch = loop.call_later(self._patience, self._look)
        return answer

    @property
    def trouble(self) -> str | None:
        """What kept the last rows from being stored; None where they were."""
        outage = self._outage
        return None if outage is None else outage.cause.summary

    async def close(self) -> None:
        """Takes no more rows, has those that wait written, and ends the scribe; answers everyone."""
        channel, loop = self._channel, self._loop
        if loop is None or channel is None or self._closing:
            return
        self._closing = True
        if not self._pending and not self._under_way:
            self._drained.set()
        try:
            # Twice: the transaction under way, and the one with everything behind it.
            async with asyncio.timeout(2 * self._patience):
                await self._drained.wait()
        except TimeoutError:
            self._give_up("The store was closed while the database did not answer")
        if self._watch is not None:
            self._watch.cancel()
        channel = self._channel or channel
        self._leave(channel)
        await loop.run_in_executor(None, _finish, channel, self._patience if self._drained.is_set() else 0.0)

    def _admit(self, count: int) -> asyncio.AbstractEventLoop:
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
        return self._loop

    # The group -----------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        """Sends the scribe all that waits, where it is not at work."""
        self._called = False
        if self._under_way:
            return
        group = self._take()
        if not group:
            if self._closing:
                self._drained.set()
            return
        self._under_way, self._busy_since = group, time.monotonic()
        assert self._channel is not None  # noqa: S101 (there is one from the start on)
        self._send(self._channel, packed([submission.packed for submission in group]))

    def _take(self) -> list[Submission]:
        """As many as fit in a transaction. Whoever was given up on, or went away before, is not written any more."""
        group: list[Submission] = []
        rows, taken = 0, 0
        for submission in self._pending:
            taken += 1
            if submission.answer.done():
                self.queued_rows -= len(submission.rows)
                continue
            group.append(submission)
            rows += len(submission.rows)
            if rows >= GROUP_ROWS:
                break
        self._pending = self._pending[taken:]
        return group

    def _settle(self, outcomes: Sequence[StoreError | None]) -> None:
        """Answers the waiters of the group, and hands over the next."""
        group, self._under_way, self._busy_since = self._under_way, [], None
        self._hand_over()
        for submission, error in zip(group, outcomes, strict=True):
            self.queued_rows -= len(submission.rows)
            if submission.answer.done():  # cancelled, or given up on
                continue
            if error is None:
                submission.answer.set_result(None)
            else:
                submission.answer.set_exception(error)

    def _told(self, report: Report) -> None:
        """The scribe is done with the group."""
        outcomes: list[StoreError | None] = [None if one is None else untold(one) for one in report.outcomes]
        self.scribe_cpu = self._earlier_cpu + report.cpu  # a thread tells none of its own
        stored = [submission for submission, error in zip(self._under_way, outcomes, strict=True) if error is None]
        if stored:
            self.commits += 1
            self.rows += sum([len(submission.rows) for submission in stored])
            self.last_commit_seconds = report.seconds
            self._tell(stored, report.seconds)
        cause = next((error for error in outcomes if isinstance(error, StoreUnavailable)), None)
        if cause is not None:
            self._outage = Outage(cause, time.monotonic() + RETRY_AFTER)
            self._tell([], report.seconds)
        else:
            self._outage = None
        self._settle(outcomes)

    def _tell(self, stored: Sequence[Submission], seconds: float) -> None:
        """Whoever looks on keeps nobody waiting; nothing stored is a failure."""
        if self._observer is None:
            return
        try:
            if stored:
                self._observer.committed(stored, seconds)
            else:
                self._observer.failed()
        except Exception:
            logger.exception("a transaction was made and could not be told of")

    def _look(self) -> None:
        """Looks whether the scribe gets on; runs only while somebody waits."""
        assert self._loop is not None  # noqa: S101 (scheduled by submit, after start)
        self._watch = None
        since = self._busy_since
        if since is not None and time.monotonic() - since >= self._patience:
            self._give_up(f"The database has not answered for {self._patience:g} s")
        if self._pending or self._under_way:
            self._watch = self._loop.call_later(self._patience / 4, self._look)

    def _give_up(self, sentence: str) -> None:
        """Tells everyone who waits that the database does not answer; what was not handed over is not written."""
        outage = Outage(StoreUnavailable(f"{sentence}; {UNKNOWN}"), time.monotonic() + self._patience / 4)
        self._outage = outage
        for submission in (*self._under_way, *self._pending):
            if not submission.answer.done():
                submission.answer.set_exception(outage.error())

    # The channel ---------------------------------------------------------------------------------

    def _another(self, lost: Channel) -> Channel:
        """A channel to a scribe instead of one that is gone: a process, unless the last one never got anything done."""
        if lost.reported and lost.process is not None:
            try:
                process = ScribeProcess().writes_to(self._spec)
            except OSError as error:
                logger.error("The process that writes to the database cannot be started again: %s.", error.strerror)
            else:
                logger.error("The process that writes to the database is gone; another one writes from now on.")
                return Channel(process.end, process)
        logger.error("The process that writes to the database is gone; this one writes from now on.")
        return self._threaded()

    def _threaded(self) -> Channel:
        """A channel to a scribe in this process."""
        mine, theirs = socket.socketpair()
        # A daemon: a database that never answers must not keep the process from ending.
        thread = threading.Thread(target=scribe.write, args=(theirs, self._spec, Inbox()), name="scribe", daemon=True)
        thread.start()
        return Channel(mine, None, thread)

    def _open(self, channel: Channel) -> None:
        assert self._loop is not None  # noqa: S101 (start has set it)
        channel.end.setblocking(False)
        self._channel = channel
        self._loop.add_reader(channel.end, self._read, channel)

    def _send(self, channel: Channel, message: bytes) -> None:
        """Sends as much as the channel takes, and the rest when it takes more."""
        assert self._loop is not None  # noqa: S101 (start has set it)
        channel.message, channel.sent = message, 0
        if not self._sent(channel):
            self._loop.add_writer(channel.end, self._send_on, channel)

    def _send_on(self, channel: Channel) -> None:
        assert self._loop is not None  # noqa: S101 (start has set it)
        if self._sent(channel):
            self._loop.remove_writer(channel.end)

    def _sent(self, channel: Channel) -> bool:
        """Whether all is sent, or nobody reads: whoever reads from there is told the same, and sees to it."""
        try:
            while channel.sent < len(channel.message):  # in pieces: a rest of megabytes is not to be copied each time
                piece = channel.message[channel.sent : channel.sent + PIECE]
                channel.sent += channel.end.send(piece)
        except BlockingIOError:
            return False
        except OSError:
            pass
        channel.message = b""
        return True

    def _read(self, channel: Channel) -> None:
        """Something came of a report, or the scribe is gone."""
        try:
            piece = channel.end.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        if not piece:
            self._replace(channel)
            return
        channel.inbox.add(piece)
        try:
            report = Report(*channel.inbox.take())
        except LookupError:  # there is more to come
            return
        channel.reported = True
        self._told(report)

    def _replace(self, lost: Channel) -> None:
        """The scribe is gone without having been told to: what it was at may be stored or not, another one goes on."""
        self._leave(lost)
        _finish(lost, 0.0)
        self._earlier_cpu = self.scribe_cpu
        self._open(self._another(lost))
        cause = StoreUnavailable(f"Who writes to the database was ended; {UNKNOWN}")
        self._settle([cause] * len(self._under_way))

    def _leave(self, channel: Channel) -> None:
        assert self._loop is not None  # noqa: S101 (start has set it)
        self._loop.remove_reader(channel.end)
        self._loop.remove_writer(channel.end)


def _finish(channel: Channel, patience: float) -> None:
    """Closes the channel and waits for the scribe's end."""
    if channel.process is not None:
        channel.process.finish(patience)
    elif channel.thread is not None:
        channel.end.close()
        channel.thread.join(patience)
