"""Counts what happens in one process."""

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from time import process_time

from service.metrics import catalogue
from service.metrics.board import Seat
from service.store.writer import Submission

STANDARD_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
OTHER = "other"  # a method of the client's own making is no label
_SEGMENT_AND_MODEL = attrgetter("segment_name", "model_version")


class Recorder:
    """Told of each request, transaction and batch when it is done. Each method has the thread that calls it to itself:
    the event loop's, or the writer's."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self._requests: dict[tuple[str, str, int], int] = {}
        self._durations: dict[str, int] = {}
        self._assignments: dict[tuple[str, str, str], int] = {}
        self._in_flight = seat.series(catalogue.IN_FLIGHT)
        self._batches = seat.series(catalogue.BATCH_CUSTOMERS)
        self._commit_seconds = seat.series(catalogue.COMMIT_SECONDS)
        self._commit_rows = seat.series(catalogue.COMMIT_ROWS)
        self._failures = seat.series(catalogue.COMMIT_FAILURES)
        self._last_assigned = seat.series(catalogue.LAST_ASSIGNED)
        self._version: str | None = None
        cpu = seat.series(catalogue.CPU)
        self._cpu, self._cpu_before = cpu, seat.numbers[cpu]
        self.put(catalogue.WORKERS, 1)

    # On the event loop ----------------------------------------------------------------------------

    def began(self) -> None:
        """A request came."""
        self.seat.add(self._in_flight)

    def finished(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is a template: what a client made up is no label."""
        seat = self.seat
        seat.add(self._in_flight, -1.0)
        slot = self._requests.get((method, route, status))
        seat.add(self._new_request(method, route, status) if slot is None else slot)
        slot = self._durations.get(route)
        seat.observe(self._new_duration(route) if slot is None else slot, catalogue.REQUEST_SECONDS, seconds)

    def batch(self, customers: int) -> None:
        """A batch was answered."""
        self.seat.observe(self._batches, catalogue.BATCH_CUSTOMERS, customers)

    # In the writer's thread -----------------------------------------------------------------------

    def committed(self, group: Sequence[Submission], seconds: float) -> None:
        """A transaction stored these."""
        rows = 0
        for submission in group:
            rows += len(submission.rows)
            for (segment, version), count in Counter(map(_SEGMENT_AND_MODEL, submission.rows)).items():
                key = (segment, version, submission.source)
                slot = self._assignments.get(key)
                self.seat.add(self._new_assignment(key) if slot is None else slot, count)
            self.assigned_at(submission.rows[-1].assigned_at.timestamp())
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

    def used(self) -> None:
        """How much processor time this process has used by now."""
        self.seat.numbers[self._cpu] = self._cpu_before + process_time()

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

    def _new_assignment(self, key: tuple[str, str, str]) -> int:
        return self._assignments.setdefault(key, self.seat.series(catalogue.ASSIGNMENTS, *key))
