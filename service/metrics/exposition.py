"""The numbers of all processes as Prometheus reads them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from service.metrics.board import Board
from service.metrics.catalogue import METRICS, Kind, Metric

Numbers = Mapping[tuple[str, ...], list[float]]
# Of each process, what the library reads from the operating system, and how many processes' numbers become one. The
# processor time is counted by ourselves: it must not shrink when a process ends.
OF_PROCESSES: Mapping[str, Callable[[Iterable[float]], float]] = {
    "process_resident_memory_bytes": sum,
    "process_virtual_memory_bytes": sum,
    "process_open_fds": sum,
    "process_max_fds": min,
    "process_start_time_seconds": min,
}


class Exposition(NamedTuple):
    """The text of all metrics, and what kind of text it is."""

    media_type: str
    text: bytes


def expose(board: Board, accept: str) -> Exposition:
    """All metrics of all processes, in OpenMetrics where `accept` asks for it, else in Prometheus' own form."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_BoardCollector(board))
    encode, media_type = choose_encoder(accept)
    return Exposition(media_type, encode(registry))


class _BoardCollector(Collector):
    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterator[Family]:
        found: dict[str, dict[tuple[str, ...], list[float]]] = defaultdict(dict)
        for metric, labels, numbers in self._board.read():
            together = max if metric.kind is Kind.MAXIMUM else sum
            before = found[metric.name].get(labels, [0.0] * metric.width)
            found[metric.name][labels] = [together(pair) for pair in zip(before, numbers, strict=True)]
        for metric in METRICS:
            yield _family(metric, found[metric.name])
        yield from self._processes()

    def _processes(self) -> Iterator[Family]:
        values: dict[str, list[float]] = defaultdict(list)
        families: dict[str, Family] = {}
        for pid in {self._board.pid, *self._board.pids()}:
            for family in ProcessCollector(registry=None, pid=lambda pid=pid: pid).collect():  # type: ignore[misc]  # untyped
                families[family.name] = family
                values[family.name].append(family.samples[0].value)
        for name, together in OF_PROCESSES.items():
            if name in values:
                yield GaugeMetricFamily(name, families[name].documentation, value=together(values[name]))


def _family(metric: Metric, series: Numbers) -> Family:
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.says, labels=metric.labels)
        for labels, numbers in sorted(series.items()):
            histogram.add_metric(labels, _buckets(metric, numbers), numbers[-1])
        return histogram
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = kind(metric.name, metric.says, labels=metric.labels)
    for labels, (number, *_) in sorted(series.items()):
        if number or not _is_none(metric):
            family.add_metric(labels, number)
    return family


def _is_none(metric: Metric) -> bool:
    """Whether 0 says that there is nothing to be told: a version that does not answer any more, a moment not known."""
    return metric.kind is Kind.MAXIMUM or (metric.kind is Kind.LEVEL and bool(metric.labels))


def _buckets(metric: Metric, numbers: list[float]) -> list[tuple[str, float]]:
    """Each bucket with all that are below it, as the form wants it."""
    so_far, found = 0.0, []
    for bound, number in zip((*map(str, metric.bounds), "+Inf"), numbers, strict=False):
        so_far += number
        found.append((bound, so_far))
    return found
