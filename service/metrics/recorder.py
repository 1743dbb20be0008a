"""Counts what happens in one process."""

from collections import Counter
from collections.abc import Sequence, Sized
from operator import itemgetter
from time import process_time

from service.exchange import CLIENT_GONE, Exchange
from service.metrics import catalogue
from service.metrics.board import Seat
from service.store.assignment import Assignment
from service.store.writer import Submission

STANDARD_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
OTHER = "other"  # a method of the client's own making is no label
_SEGMENT_AND_MODEL = itemgetter(*map(Assignment._fields.index, ("segment_name", "model_version")))


class Recorder:
    """Told on the event loop of each request, transaction and batch when it is done."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self._requests: dict[tuple[str, str, int], int] = {}
        self._durations: dict[str, int] = {}
        self._assignments: dict[tuple[str, str, str], int] = {}
        self.running: Sized = ()  # the requests under way
        self._batches = seat.series(catalogue.BATCH_CUSTOMERS)
        self._commit_seconds = seat.series(catalogue.COMMIT_SECONDS)
        self._commit_rows = seat.series(catalogue.COMMIT_ROWS)
        self._failures = seat.series(catalogue.COMMIT_FAILURES)
        self._last_assigned = seat.series(catalogue.LAST_ASSIGNED)
        self._version: str | None = None
        cpu = seat.series(catalogue.CPU)
        self._cpu, self._cpu_before = cpu, seat.numbers[cpu]
        self.put(catalogue.WORKERS, 1)

    def request(self, exchange: Exchange) -> None:
        """A request is over; to be told of it before the last of its answer leaves the process."""
        status = exchange.status or CLIENT_GONE
        slot = self._requests.get((exchange.method, exchange.route, status))
        if slot is None:
            slot = self._new_request(exchange.method, exchange.route, status)
        self.seat.numbers[slot] += 1.0
        slot = self._durations.get(exchange.route)
        if slot is None:
            slot = self._new_duration(exchange.route)
        self.seat.observe(slot, catalogue.REQUEST_SECONDS, exchange.ended - exchange.began)

    def batch(self, customers: int) -> None:
        """A batch was answered."""
        self.seat.observe(self._batches, catalogue.BATCH_CUSTOMERS, customers)

    def committed(self, group: Sequence[Submission], seconds: float) -> None:
        """A transaction stored these."""
        rows, numbers, known = 0, self.seat.numbers, self._assignments
        for submission in group:
            stored, source = submission.rows, submission.source
            rows += len(stored)
            if len(stored) == 1:
                one = stored[0]
                key = (one.segment_name, one.model_version, source)
                slot = known.get(key)
                numbers[self._new_assignment(key) if slot is None else slot] += 1.0
            else:
                self._count(stored, source)
        self.assigned_at(group[-1].rows[-1].assigned_at.timestamp())
        self.seat.observe(self._commit_seconds, catalogue.COMMIT_SECONDS, seconds)
        self.seat.observe(self._commit_rows, catalogue.COMMIT_ROWS, rows)

    def failed(self) -> None:
        """A transaction stored nothing."""
        self.seat.add(self._failures)

    def assigned_at(self, timestamp: float) -> None:
        """An answer was given at this moment."""
        if timestamp > self.seat.numbers[self._last_assigned]:
            self.seat.numbers[self._last_assigned] = timestamp

    # Now and then ---------------------------------------------------------------------------------

    def used(self, scribe: float) -> None:
        """How much processor time this process has used by now, and its scribe, in seconds."""
        self.seat.numbers[self._cpu] = self._cpu_before + process_time() + scribe

    def put(self, metric: catalogue.Metric, value: float, *labels: str) -> None:
        """What is so at this moment."""
        self.seat.numbers[self.seat.series(metric, *labels)] = float(value)

    def serves(self, version: str | None) -> None:
        """The model that answers now."""
        before, self._version = self._version, version
        if before is not None and before != version:
            self.put(catalogue.MODEL_INFO, 0, before)
        if version is not None:
            self.put(catalogue.MODEL_INFO, 1, version)

    def _new_request(self, method: str, route: str, status: int) -> int:
        known = method if method in STANDARD_METHODS else OTHER
        slot = self.seat.series(catalogue.REQUESTS, known, route, str(status))
        if known is method:
            self._requests[method, route, status] = slot
        return slot

    def _new_duration(self, route: str) -> int:
        return self._durations.setdefault(route, self.seat.series(catalogue.REQUEST_SECONDS, route))

    def _count(self, rows: Sequence[Assignment], source: str) -> None:
        for (segment, version), count in Counter(map(_SEGMENT_AND_MODEL, rows)).items():
            self.seat.add(self._new_assignment((segment, version, source)), count)

    def _new_assignment(self, key: tuple[str, str, str]) -> int:
        return self._assignments.setdefault(key, self.seat.series(catalogue.ASSIGNMENTS, *key))
