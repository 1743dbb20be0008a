"""What the soak says of memory and open files, of a real process that leaks and of one that does not."""

import subprocess
import sys

import psutil

from benchmarks.footprint import Footprint, Growth, Sample, Window, not_flat

CHILD = """
import sys
kept = []
for line in sys.stdin:
    megabytes, files, threads = map(int, line.split())
    kept.append(bytearray(b"x" * (megabytes << 20)))
    kept += [open("/dev/null") for _ in range(files)]
    print(len(kept), flush=True)
"""


def growth(leak: str, rounds: int = 20) -> list[Growth]:
    """Of a process that is told each time what to keep, and looked at each time."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        footprint = Footprint(child.pid)
        for _ in range(rounds):
            child.stdin.write(f"{leak}\n")
            child.stdin.flush()
            child.stdout.readline()
            footprint.sample()
        _spread(footprint.samples[child.pid])
        child.stdin.close()
    return footprint.growth()


def test_a_process_that_keeps_nothing_is_flat() -> None:
    found = growth("0 0 0")
    assert [one.name for one in found][-1] == "all"
    assert not_flat(found) == []


def test_memory_that_grows_is_told_with_the_process_it_is_of() -> None:
    one, _ = growth("8 0 0")
    (said,) = not_flat([one, one])
    assert said.startswith(f"the memory of {one.name} grew by 6")


def test_files_that_stay_open_are_told() -> None:
    found = growth("0 1 0")
    assert not_flat(found) == ["the open files of all processes grew by 8, more than 6"]


def test_threads_that_pile_up_are_told() -> None:
    early, late = Window(100.0, 10.0, 4.0), Window(100.0, 10.0, 11.0)
    assert not_flat([Growth("all", early, late)]) == ["the threads of all processes grew by 7, more than 6"]


def test_a_process_that_was_there_for_a_moment_only_counts_nowhere() -> None:
    me = psutil.Process().pid
    footprint = Footprint(me)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE):
        footprint.sample()
    for _ in range(19):
        footprint.sample()
    assert len(footprint.samples) == 2
    _spread(footprint.samples[me])
    assert [one.name for one in footprint.growth()] == [f"process {me}", "all"]


def test_what_becomes_less_is_flat() -> None:
    less = Growth("process 1", Window(100.0, 9.0, 9.0), Window(50.0, 2.0, 1.0))
    assert not_flat([less, less]) == []


def _spread(samples: list[Sample]) -> None:
    """As if a second had been between them, however long it took."""
    samples[:] = [one._replace(seconds=float(second)) for second, one in enumerate(samples)]
