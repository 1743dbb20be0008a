"""`python -m service serve` as a process: what was answered is stored, whatever happens to the process."""

import random
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.answer import StoredRecord
from service.store.assignment import Assignment
from service.store.database import open_engine
from service.store.schema import assignments
from tests.published import Published
from tests.service.requests import by_features, by_transactions, line
from tests.service.server import server
from tests.service.serving import until

CLIENTS = 4
KILLS = 3


class Callers:
    """Clients that post single customers and batches without a pause, and keep every answer they were given."""

    def __init__(self, url: str) -> None:
        self.answers: list[dict[str, Any]] = []
        self.refused: list[httpx.Response] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(url, number)) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self, url: str, number: int) -> None:
        dice = random.Random(number)
        with httpx.Client(base_url=url, timeout=60) as client:
            while not self._stop.is_set():
                try:
                    response = self._post(client, dice)
                except httpx.TransportError:
                    return  # the service is gone
                if response.status_code != 200:
                    self.refused.append(response)
                elif "results" in response.json():
                    self.answers += [one["answer"] for one in response.json()["results"]]
                else:
                    self.answers.append(response.json())

    @staticmethod
    def _post(client: httpx.Client, dice: random.Random) -> httpx.Response:
        customer, spent = str(dice.randrange(200)), dice.uniform(1, 10_000)
        kind = dice.randrange(10)
        if kind == 0:
            several = [by_features(str(dice.randrange(200)), monetary=spent + index) for index in range(300)]
            return client.post("/segment/batch", json=several)
        if kind < 4:
            return client.post("/segment", json=by_transactions(line(unit_price=spent), customer_id=customer))
        return client.post("/segment", json=by_features(customer, monetary=spent))


@contextmanager
def calling(url: str) -> Iterator[Callers]:
    callers = Callers(url)
    callers.start()
    try:
        yield callers
    finally:
        callers.stop()


def stored(url: str) -> dict[str, dict[str, Any]]:
    """All answers in the database, by id, as an answer has them."""
    engine = open_engine(url)
    columns = [sa.cast(column, sa.Text) if column.name == "features" else column for column in assignments.c]
    with engine.connect() as connection:
        rows = [Assignment.from_row(row) for row in connection.execute(sa.select(*columns))]
    engine.dispose()
    return {row.id: StoredRecord.of(row).model_dump(mode="json", exclude={"assigned_at"}) for row in rows}


def as_stored(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in StoredRecord.model_fields if name != "assigned_at"}


def ready(url: str) -> bool:
    return httpx.get(f"{url}/health/ready", timeout=60).status_code == 200


def test_a_kill_under_load_loses_no_answer_and_the_service_starts_again_by_itself(
    store_url: str, models_dir: Path
) -> None:
    acknowledged: list[dict[str, Any]] = []
    for _ in range(KILLS):
        with server(database_url=store_url, models_dir=models_dir) as running, calling(running.url) as callers:
            enough = random.randrange(1, 1_500)
            until(lambda callers=callers, enough=enough: len(callers.answers) >= enough)  # type: ignore[misc]
            running.signal(signal.SIGKILL)
            assert running.wait() == -signal.SIGKILL
        assert callers.refused == []
        acknowledged += callers.answers
    kept = stored(store_url)
    assert len({answer["assignment_id"] for answer in acknowledged}) == len(acknowledged) >= KILLS
    for answer in acknowledged:
        assert kept[answer["assignment_id"]] == as_stored(answer)

    with server(database_url=store_url, models_dir=models_dir) as running:
        assert ready(running.url)
        customer = acknowledged[-1]["customer_id"]
        history = httpx.get(f"{running.url}/customers/{customer}/history?limit=1000").json()["answers"]
        known = {one["assignment_id"] for one in history}
        assert {one["assignment_id"] for one in acknowledged if one["customer_id"] == customer} <= known
        assert httpx.post(f"{running.url}/segment", json=by_features()).status_code == 200


def test_a_stop_under_load_answers_whatever_was_accepted(store_url: str, models_dir: Path) -> None:
    with server(database_url=store_url, models_dir=models_dir) as running, calling(running.url) as callers:
        until(lambda: len(callers.answers) >= 500)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    assert callers.refused == []
    # Nothing was stored that its sender was not told of, and the other way round.
    assert stored(store_url) == {answer["assignment_id"]: as_stored(answer) for answer in callers.answers}
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
