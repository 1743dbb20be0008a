"""The machine's clock is set anew under a running service."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx

from tests.faults.clock import Clock
from tests.faults.load import Load
from tests.faults.service import BOUND, is_ready
from tests.service.requests import by_features
from tests.service.server import Server, server
from tests.service.serving import until

MOVES = (timedelta(days=1), timedelta(hours=-3), timedelta(days=400), timedelta())


def test_a_clock_that_is_moved_costs_no_answer_and_gives_no_id_twice(
    store: str, models_dir: Path, tmp_path: Path
) -> None:
    clock = Clock(tmp_path)
    with (
        server(clock.environment, database_url=store, models_dir=models_dir) as running,
        Load(running.port) as load,
    ):
        for by in MOVES:
            load.wait_for_answers(60)
            clock.move(by)
            # libfaketime reads its file into one place for all threads: beside others one is now and then told the true
            # time, so what is looked for is an answer of the moved clock, and not that it is the very first.
            until(partial(_tells, running, by))
            assert is_ready(running)
        load.wait_for_answers(60)
    assert load.refused == []
    assert load.broken == 0
    assert load.reckoned(store, models_dir).faults == []


def _tells(running: Server, away: timedelta) -> bool:
    """Whether an answer says that it is so far from the true time."""
    answer = httpx.post(f"{running.url}/segment", json=by_features(as_of=None), timeout=BOUND).json()
    return abs(datetime.fromisoformat(answer["as_of"]) - datetime.now(UTC) - away) < timedelta(minutes=30)
