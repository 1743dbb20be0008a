"""Every metric of the service: its name, what it says, and what it is told apart by."""

from dataclasses import dataclass
from enum import StrEnum

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0, 2_000.0, 5_000.0, 20_000.0)
CUSTOMERS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0, 10_000_000.0)


class Kind(StrEnum):
    """How the numbers of several processes become one. A level is gone with its process; of a maximum, which outlives
    it, the greatest counts."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    LEVEL = "level"
    MAXIMUM = "maximum"


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of series, one for each combination of the values of its labels. `bounds` are the upper ends of a
    histogram's buckets."""

    name: str
    kind: Kind
    says: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers a series has: of a histogram the buckets, one for all beyond them, and the sum."""
        return len(self.bounds) + 2 if self.kind is Kind.HISTOGRAM else 1


_counter, _histogram, _level, _maximum = Kind.COUNTER, Kind.HISTOGRAM, Kind.LEVEL, Kind.MAXIMUM

REQUESTS = Metric(
    "segmentation_requests_total", _counter, "Requests answered, refused ones too.", ("method", "route", "status")
)
REQUEST_SECONDS = Metric(
    "segmentation_request_duration_seconds",
    _histogram,
    "Time from a request's head to the end of its answer.",
    ("route",),
    SECONDS,
)
IN_FLIGHT = Metric("segmentation_requests_in_flight", _level, "Requests that are being answered.")
ASSIGNMENTS = Metric(
    "segmentation_assignments_total", _counter, "Answers stored.", ("segment", "model_version", "source")
)
LAST_ASSIGNED = Metric(
    "segmentation_last_assigned_timestamp_seconds", _maximum, "When the latest answer was given, in Unix time."
)
BATCH_CUSTOMERS = Metric(
    "segmentation_batch_customers", _histogram, "Customers in a batch, those with a problem too.", (), CUSTOMERS
)
QUEUE_ROWS = Metric("segmentation_queue_rows", _level, "Answers that wait to be stored.")
QUEUE_ROWS_LIMIT = Metric("segmentation_queue_rows_limit", _level, "Answers that may wait, over all processes.")
COMMIT_SECONDS = Metric(
    "segmentation_commit_duration_seconds", _histogram, "Time of one transaction that stored answers.", (), SECONDS
)
COMMIT_ROWS = Metric("segmentation_commit_rows", _histogram, "Answers stored by one transaction.", (), ROWS)
COMMIT_FAILURES = Metric("segmentation_commit_failures_total", _counter, "Transactions that stored nothing.")
MODEL_INFO = Metric("segmentation_model_info", _level, "1 for every version that answers now.", ("version",))
MODEL_AGE = Metric("segmentation_model_age_seconds", _maximum, "Time since the model that answers was published.")
MODEL_TROUBLE = Metric("segmentation_model_trouble", _level, "Processes that cannot serve the version they should.")
POOL_SIZE = Metric("segmentation_database_pool_size", _level, "Connections the pools keep at most.")
POOL_IN_USE = Metric("segmentation_database_pool_in_use", _level, "Connections of the pools that are in use.")
POOL_OVERFLOW = Metric("segmentation_database_pool_overflow", _level, "Connections open beyond the size of their pool.")
DISK_FREE = Metric(
    "segmentation_store_free_bytes", _maximum, "Space left where the SQLite file is; not there with PostgreSQL."
)
WORKERS = Metric("segmentation_workers", _level, "Processes that answer.")
BUILD_INFO = Metric("segmentation_build_info", _level, "1 for the version that runs.", ("version", "python"))
SERIES_DROPPED = Metric(
    "segmentation_series_dropped_total", _counter, "Series that were not kept, because there was no room for more."
)
CPU = Metric(
    "process_cpu_seconds_total", _counter, "Processor time of all processes that answer and write, ended ones too."
)

METRICS = (
    REQUESTS, REQUEST_SECONDS, IN_FLIGHT, ASSIGNMENTS, LAST_ASSIGNED, BATCH_CUSTOMERS, QUEUE_ROWS, QUEUE_ROWS_LIMIT,
    COMMIT_SECONDS, COMMIT_ROWS, COMMIT_FAILURES, MODEL_INFO, MODEL_AGE, MODEL_TROUBLE, POOL_SIZE, POOL_IN_USE,
    POOL_OVERFLOW, DISK_FREE, WORKERS, BUILD_INFO, SERIES_DROPPED, CPU,
)  # fmt: skip
NAMED = {metric.name: metric for metric in METRICS}
