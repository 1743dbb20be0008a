"""The machine's clock is set anew under a running service."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from tests.faults.clock import Clock
from tests.faults.load import Load
from tests.faults.service import BOUND, is_ready
from tests.service.requests import by_features
from tests.service.server import server

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
            answer = httpx.post(f"{running.url}/segment", json=by_features(as_of=None), timeout=BOUND).json()
            away = datetime.fromisoformat(answer["as_of"]) - datetime.now(UTC)
            assert abs(away - by) < timedelta(minutes=30)  # it is told the moved clock's time
            assert is_ready(running)
        load.wait_for_answers(60)
    assert load.refused == []
    assert load.broken == 0
    assert load.reckoned(store, models_dir).faults == []
