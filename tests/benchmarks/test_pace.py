"""When callers may send."""

import threading
import time

from benchmarks.pace import Pace


class Clock(threading.Event):
    """Notes how long callers wait, and lets no time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        return False


def test_before_a_pace_is_given_nobody_waits() -> None:
    pace, clock = Pace(), Clock()
    for _ in range(10):
        pace.wait(clock)
    assert clock.waits == []


def test_moments_are_a_gap_apart_whether_or_not_they_are_used_in_time() -> None:
    pace, clock = Pace(), Clock()
    pace.slow_to(0.1)
    started = time.monotonic()
    for _ in range(4):
        pace.wait(clock)
    passed = time.monotonic() - started
    # The first moment is now; the others are 10, 20 and 30 s later, whatever was passed by then.
    assert [round(one + passed) // 10 * 10 for one in clock.waits] == [10, 20, 30]


def test_whoever_is_stopped_waits_no_longer() -> None:
    pace, stopped = Pace(), threading.Event()
    pace.slow_to(0.0001)
    stopped.set()
    for _ in range(3):
        pace.wait(stopped)  # the third moment is hours away
