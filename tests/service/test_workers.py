"""`serve --workers`: several processes, one port, one store, one model."""

import signal
import socket
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.callers import Callers
from benchmarks.reckoning import reckon, segment_names
from models.registry import Registry
from service.__main__ import main
from service.workers import LONGEST_PAUSE, SETTLED_SECONDS, Pause
from tests.published import Published
from tests.service.requests import by_features
from tests.service.server import Server, server
from tests.service.serving import until

WORKERS = 3


def answering(running: Server) -> set[int]:
    """The workers that hold connections made just now, by their process ids."""
    sockets = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(30)]
    try:
        for one in sockets:
            one.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n")
        for one in sockets:
            assert one.recv(4096).startswith(b"HTTP/1.1 200")
        return {worker.pid for worker in running.workers if holds_connections(worker, running.port)}
    finally:
        for one in sockets:
            one.close()


def holds_connections(worker: psutil.Process, port: int) -> bool:
    held = worker.net_connections("tcp")
    return any(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port for one in held)


def replaced(killed: psutil.Process, running: Server) -> bool:
    workers = running.workers
    return len(workers) == WORKERS and killed not in workers


def serving_versions(running: Server) -> set[str]:
    """What a good many new connections say is serving."""
    return {httpx.get(f"{running.url}/models", timeout=60).json()["serving"] for _ in range(20)}


def test_several_processes_answer_on_one_port(store_url: str, models_dir: Path) -> None:
    with server(database_url=store_url, models_dir=models_dir, workers=WORKERS) as running:
        assert httpx.get(f"{running.url}/health/ready", timeout=60).status_code == 200
        assert len(running.workers) == WORKERS
        until(lambda: len(answering(running)) > 1)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        said = "".join(running.log)
        assert said.count("listening on") == 1
        assert "Traceback" not in said


def test_a_model_swap_reaches_all(store_url: str, own_models_dir: Path, published: Published) -> None:
    settings = {"model_poll_seconds": 0.1, "workers": WORKERS}
    with (
        server(database_url=store_url, models_dir=own_models_dir, **settings) as running,
        Callers(running.port) as callers,
    ):
        for version in (published.second, published.first, published.second):
            activated = httpx.post(f"{running.url}/models/{version}/activate", timeout=60)
            assert activated.json() == {"active": version}
            until(lambda version=version: serving_versions(running) == {version})  # type: ignore[misc]
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    assert callers.refused == []
    assert {answer.model_version for answer in callers.answers} == {published.first, published.second}
    assert reckon(store_url, callers.answers, segment_names(Registry(own_models_dir))).faults == []


def test_a_worker_that_is_killed_loses_nothing_acknowledged_and_is_replaced(store_url: str, models_dir: Path) -> None:
    with server(database_url=store_url, models_dir=models_dir, workers=WORKERS) as running:
        with Callers(running.port, reconnect=True) as callers:
            for enough in (300, 600):
                until(lambda enough=enough: len(callers.answers) >= enough)  # type: ignore[misc]
                killed = running.workers[0]
                killed.kill()
                until(lambda killed=killed: replaced(killed, running))  # type: ignore[misc]
            until(lambda: len(callers.answers) >= 1_200)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    assert callers.refused == []
    assert reckon(store_url, callers.answers, segment_names(Registry(models_dir))).faults == []
    assert len([said for said in running.log if "ended by SIGKILL; another is started" in said]) == 2


def test_a_stop_under_load_answers_whatever_any_worker_accepted(store_url: str, models_dir: Path) -> None:
    with server(database_url=store_url, models_dir=models_dir, workers=WORKERS) as running:
        with Callers(running.port, 8) as callers:
            until(lambda: len(callers.answers) >= 500)
            workers = running.workers
            running.signal(signal.SIGTERM)
            assert running.wait() == 0
        assert not any(worker.is_running() for worker in workers)
    assert callers.refused == []
    found = reckon(store_url, callers.answers, segment_names(Registry(models_dir)))
    assert (found.faults, found.untold) == ([], 0)
    assert not any("Traceback" in said for said in running.log)


def test_workers_end_when_the_process_that_started_them_is_killed(store_url: str, models_dir: Path) -> None:
    with server(database_url=store_url, models_dir=models_dir, workers=WORKERS) as running:
        assert httpx.get(f"{running.url}/health/ready", timeout=60).status_code == 200
        workers = running.workers
        running.signal(signal.SIGKILL)
        gone, alive = psutil.wait_procs(workers, timeout=60)
        assert (len(gone), alive) == (WORKERS, [])
        assert running.wait() == -signal.SIGKILL


def test_workers_are_told_to_stop_by_a_keyboard_too(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, workers=2) as running:
        assert httpx.post(f"{running.url}/segment", json=by_features(), timeout=60).status_code == 200
        for worker in running.workers:
            worker.send_signal(signal.SIGINT)  # as a terminal does, which tells everyone
        running.signal(signal.SIGINT)
        assert running.wait() == 0
        assert not any("Traceback" in said for said in running.log)


def test_several_workers_need_no_preparation_either(tmp_path: Path, models_dir: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'store.sqlite3'}"
    with server(database_url=url, models_dir=models_dir, workers=2) as running:
        assert httpx.post(f"{running.url}/segment", json=by_features(), timeout=60).status_code == 200


def test_a_port_that_is_taken_ends_the_start_with_a_failure(sqlite_url: str, models_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with server(database_url=sqlite_url, models_dir=models_dir, workers=2, port=port) as running:
            assert running.wait() == 1
            assert any("Address already in use" in said for said in running.log)


def test_a_worker_that_ends_soon_after_its_start_is_started_ever_later_up_to_a_bound() -> None:
    pause = Pause()
    assert [pause.after(0.1) for _ in range(4)] == [0.5, 1.0, 2.0, 4.0]
    assert [pause.after(0.1) for _ in range(5)][-1] == LONGEST_PAUSE
    assert pause.after(SETTLED_SECONDS) == 0.0
    assert pause.after(0.1) == 0.5


@pytest.mark.parametrize("number", ["0", "-1", "many", "1000"])
def test_a_number_of_workers_that_cannot_be_is_refused(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--workers", number])
    assert "is not a number of processes from 1 to 256" in capsys.readouterr().err
