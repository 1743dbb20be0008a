"""`python -m service serve` as a process: what was answered is stored, whatever happens to the process."""

import random
import signal
import socket
from pathlib import Path

import httpx
import pytest

from benchmarks.callers import Callers
from benchmarks.reckoning import reckon, segment_names
from benchmarks.told import Told
from models.registry import Registry
from tests.published import Published
from tests.service.requests import by_features
from tests.service.server import server
from tests.service.serving import until

KILLS = 3


def ready(url: str) -> bool:
    return httpx.get(f"{url}/health/ready", timeout=60).status_code == 200


def test_a_kill_under_load_loses_no_answer_and_the_service_starts_again_by_itself(
    store_url: str, models_dir: Path
) -> None:
    told: list[Told] = []
    for number in range(KILLS):
        with server(database_url=store_url, models_dir=models_dir) as running:
            with Callers(running.port, seed=number) as callers:
                enough = random.randrange(1, 1_500)
                until(lambda callers=callers, enough=enough: len(callers.answers) >= enough)  # type: ignore[misc]
                running.signal(signal.SIGKILL)
                assert running.wait() == -signal.SIGKILL
            assert callers.refused == []
            told += callers.answers
    assert len(told) >= KILLS
    assert reckon(store_url, told, segment_names(Registry(models_dir))).faults == []

    with server(database_url=store_url, models_dir=models_dir) as running:
        assert ready(running.url)
        customer = told[-1].customer_id
        history = httpx.get(f"{running.url}/customers/{customer}/history?limit=1000").json()["answers"]
        known = {one["assignment_id"] for one in history}
        assert {one.assignment_id for one in told if one.customer_id == customer} <= known
        assert httpx.post(f"{running.url}/segment", json=by_features()).status_code == 200


def test_a_stop_under_load_answers_whatever_was_accepted(store_url: str, models_dir: Path) -> None:
    with server(database_url=store_url, models_dir=models_dir) as running, Callers(running.port) as callers:
        until(lambda: len(callers.answers) >= 500)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    assert callers.refused == []
    found = reckon(store_url, callers.answers, segment_names(Registry(models_dir)))
    assert (found.faults, found.untold) == ([], 0)
    assert not any("Traceback" in said for said in running.log)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_at_rest_stops_when_told_and_calls_it_a_success(
    sqlite_url: str, models_dir: Path, number: signal.Signals
) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir) as running:
        assert ready(running.url)
        running.signal(number)
        assert running.wait() == 0
        assert not any("Traceback" in said for said in running.log)


def test_a_new_database_and_a_new_model_need_no_preparation(
    tmp_path: Path, models_dir: Path, published: Published
) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'store.sqlite3'}"
    with server(database_url=url, models_dir=models_dir) as running:
        assert ready(running.url)
        answer = httpx.post(f"{running.url}/segment", json=by_features()).json()
        assert answer["model_version"] == published.first
        assert httpx.get(f"{running.url}/customers/17850").json() == answer
        # Customers' ids stand in addresses, so addresses are not logged.
        assert not any("17850" in said for said in running.log)


def test_a_service_that_cannot_start_says_so_and_calls_it_a_failure(sqlite_url: str, models_dir: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with server(database_url=sqlite_url, models_dir=models_dir, port=taken.getsockname()[1]) as running:
            assert running.wait() > 0
            assert any("address already in use" in said for said in running.log)


def test_a_database_file_that_is_none_ends_the_start_with_a_failure(tmp_path: Path, models_dir: Path) -> None:
    path = tmp_path / "store.sqlite3"
    path.write_text("not a database, whatever its name says" * 100)
    with server(database_url=f"sqlite:///{path}", models_dir=models_dir) as running:
        assert running.wait() > 0
        assert any("file is not a database" in said for said in running.log)


def test_a_sender_who_goes_away_in_the_middle_harms_nobody(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir) as running:
        address = httpx.URL(running.url)
        with socket.create_connection((address.host, address.port or 80)) as sender:
            sender.sendall(b"POST /segment HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{")
        assert httpx.post(f"{running.url}/segment", json=by_features()).status_code == 200
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert not any("Traceback" in said for said in running.log)


def test_what_is_not_http_is_told_so_and_harms_nobody(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir) as running:
        address = httpx.URL(running.url)
        for sent in (b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n"):
            with socket.create_connection((address.host, address.port or 80)) as sender:
                sender.sendall(sent)
                assert sender.makefile("rb").readline().startswith(b"HTTP/1.1 400")
        assert ready(running.url)
