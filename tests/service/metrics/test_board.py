"""The numbers that processes share."""

import os
import signal
from multiprocessing import get_context

from service.metrics import catalogue
from service.metrics.board import SLOTS, Board, Series
from service.metrics.catalogue import ASSIGNMENTS, COMMIT_ROWS, IN_FLIGHT, LAST_ASSIGNED, REQUESTS, SERIES_DROPPED

FORK = get_context("fork")


def told(board: Board, name: str) -> list[Series]:
    return [series for series in board.read() if series.metric.name == name]


def sit_count_and_die(board: Board, number: int) -> None:
    seat = board.take(number)
    seat.add(seat.series(REQUESTS, "GET", "/models", "200"), 3)
    seat.numbers[seat.series(IN_FLIGHT)] = 2.0
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_one_process_counts_another_reads_also_when_it_was_killed() -> None:
    board = Board(2)
    for number in (0, 1):
        process = FORK.Process(target=sit_count_and_die, args=(board, number))
        process.start()
        process.join()
    assert [(one.labels, one.numbers) for one in told(board, REQUESTS.name)] == [
        (("GET", "/models", "200"), (3.0,))
    ] * 2


def test_who_takes_a_dead_ones_seat_counts_on_and_is_in_no_state_of_the_dead_one() -> None:
    board = Board()
    for _ in range(2):
        process = FORK.Process(target=sit_count_and_die, args=(board, 0))
        process.start()
        process.join()
    board.clear(0)
    assert [one.numbers for one in told(board, REQUESTS.name)] == [(6.0,)]
    assert [one.numbers for one in told(board, IN_FLIGHT.name)] == [(0.0,)]
    assert board.pids() == []


def test_a_histogram_counts_a_value_in_the_bucket_whose_end_it_does_not_exceed() -> None:
    seat = Board().take()
    slot = seat.series(COMMIT_ROWS)
    for rows in (1, 2, 3, 20_000, 20_001):
        seat.observe(slot, COMMIT_ROWS, rows)
    numbers = list(seat.numbers[slot : slot + COMMIT_ROWS.width])
    assert numbers == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 40_007]


def test_series_that_there_is_no_room_for_are_counted_and_change_no_other() -> None:
    board = Board()
    seat = board.take()
    kept = seat.series(LAST_ASSIGNED)
    seat.numbers[kept] = 5.0
    for number in range(SLOTS + 10):
        seat.add(seat.series(ASSIGNMENTS, "Loyal", str(number), "single"))
    names = [series.labels for series in told(board, ASSIGNMENTS.name)]
    ((dropped,),) = [series.numbers for series in told(board, SERIES_DROPPED.name)]
    assert len(names) == len(set(names)) == SLOTS + 10 - dropped
    assert all(series.numbers == (1.0,) for series in told(board, ASSIGNMENTS.name))
    assert [series.numbers for series in told(board, LAST_ASSIGNED.name)] == [(5.0,)]
    assert seat.series(ASSIGNMENTS, "Loyal", "0", "single") != seat.series(ASSIGNMENTS, "Loyal", "1", "single")


def test_names_are_unique_and_as_prometheus_wants_them() -> None:
    metrics = catalogue.METRICS
    assert len({metric.name for metric in metrics}) == len(metrics)
    for metric in metrics:
        assert metric.name.startswith(("segmentation_", "process_"))
        assert metric.name.endswith("_total") == (metric.kind is catalogue.Kind.COUNTER)
        assert not metric.name.endswith(("_count", "_sum", "_bucket", "_milliseconds", "_minutes"))
        assert metric.says.endswith(".")
        assert list(metric.bounds) == sorted(set(metric.bounds))
