"""What the processes of a service take, over time: memory, open files, threads."""

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import psutil

EVERY = 1.0  # seconds
# Arenas of Python and malloc fill up ever more slowly, as ever rarer coincidences of streams, batches and changes of
# the model need more than was needed before: by some 20 MB from the third minute on, as measured. In ten minutes a
# worker answers for more than a million customers, so this is a leak of less than 40 bytes a customer.
MEMORY_MB = 40.0
# Connections are spread anew all the time, and a pool may open a few more: of the sum over all processes, which the
# connections of callers do not change, so many may be more.
FILES, THREADS = 6.0, 6.0


class Sample(NamedTuple):
    """At one moment. Memory is anonymous memory, be it swapped out or not.

    Pages of files and shared memory are not in it: the database's files fill them up, and they are no process's own.
    Pages that a worker has from the process it was forked from are, be they written or not: so nothing grows where a
    page is only copied, as it would in USS and PSS.
    """

    seconds: float
    memory_mb: float
    files: float
    threads: float


class Window(NamedTuple):
    """Medians over some of the time."""

    memory_mb: float
    files: float
    threads: float


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process, or all together: an early window, after the warming up, and a late one."""

    name: str
    early: Window
    late: Window

    def __str__(self) -> str:
        pairs = zip(self.early, self.late, ("MB", "files", "threads"), strict=True)
        return f"{self.name:16}" + "   ".join(f"{early:7.1f} -> {late:7.1f} {unit}" for early, late, unit in pairs)


class Footprint:
    """Samples a process and all that it started, from entering to leaving."""

    def __init__(self, pid: int, every: float = EVERY) -> None:
        self.samples: dict[int, list[Sample]] = {}
        self._root = psutil.Process(pid)
        self._every = every
        self._started = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def sample(self) -> None:
        """Looks once."""
        for process in (self._root, *self._root.children(recursive=True)):
            try:
                sample = Sample(time.monotonic() - self._started, _memory_mb(process.pid), process.num_fds(),
                                process.num_threads())  # fmt: skip
            except (psutil.Error, OSError):
                continue  # it ended just now; models are proved by processes that live for a second
            self.samples.setdefault(process.pid, []).append(sample)

    def growth(self) -> list[Growth]:
        """Of every process that was there in both windows, and of all of these together."""
        ends = max(sample.seconds for samples in self.samples.values() for sample in samples)
        found = []
        for pid, samples in self.samples.items():
            early = [one for one in samples if ends * 0.4 <= one.seconds < ends * 0.6]
            late = [one for one in samples if one.seconds >= ends * 0.8]
            if early and late:
                found.append(Growth(f"process {pid}", _medians(early), _medians(late)))
        return [*found, Growth("all", _sum([one.early for one in found]), _sum([one.late for one in found]))]

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            self.sample()


def not_flat(growth: Sequence[Growth]) -> list[str]:
    """A sentence for all that grew: memory of one process, files and threads of all together."""
    faults = [
        f"the memory of {one.name} grew by {grown:.1f} MB, more than {MEMORY_MB:g}"
        for one in growth[:-1]
        if (grown := one.late.memory_mb - one.early.memory_mb) > MEMORY_MB
    ]
    early, late = growth[-1].early, growth[-1].late
    for what, grown, most in (
        ("open files", late.files - early.files, FILES),
        ("threads", late.threads - early.threads, THREADS),
    ):
        faults += [f"the {what} of all processes grew by {grown:g}, more than {most:g}"] if grown > most else []
    return faults


def _memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "VmSwap:"))) / 1024


def _medians(samples: Sequence[Sample]) -> Window:
    _, memory, files, threads = zip(*samples, strict=True)
    return Window(statistics.median(memory), statistics.median(files), statistics.median(threads))


def _sum(windows: Sequence[Window]) -> Window:
    return Window(*(sum(column) for column in zip(*windows, strict=True))) if windows else Window(0, 0, 0)
