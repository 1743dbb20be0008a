"""Long streams against `python -m service serve`: bounded memory, nothing lost, nothing twice."""

import json
import signal
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import sqlalchemy as sa

from service.forms.form import Form
from service.store.database import open_engine
from service.store.schema import assignments
from tests.service.forms.sent import as_arrow, as_csv, as_ndjson
from tests.service.requests import by_features
from tests.service.server import Server, server
from tests.service.serving import until
from tests.service.stored import as_stored, drop_tables, stored
from tests.service.stream_client import stream

MB = 1_000_000
LONG = 300_000


def customers(start: int, count: int) -> list[dict[str, Any]]:
    return [by_features(str(index), monetary=100.0 + index % 977) for index in range(start, start + count)]


def long_body(form: Form, count: int) -> Iterator[bytes]:
    """A body of so many customers: the same ones again and again, so that it costs the sender little."""
    some = 10_000
    if form is Form.NDJSON:
        piece = as_ndjson(customers(0, some))
        yield from (piece for _ in range(count // some))
    elif form is Form.CSV:
        header, _, rows = as_csv(customers(0, some)).partition(b"\n")
        yield header + b"\n"
        yield from (rows for _ in range(count // some))
    else:
        whole = as_arrow(customers(0, some), some)
        schema, end = 8 + int.from_bytes(whole[4:8], "little"), len(whole) - 8
        yield whole[:schema]
        yield from (whole[schema:end] for _ in range(count // some))
        yield whole[end:]


def memory(running: Server) -> psutil.Process:
    return psutil.Process(running._process.pid)


@pytest.mark.parametrize("form", [Form.NDJSON, Form.CSV, Form.ARROW])
def test_a_long_stream_takes_no_more_memory_than_a_short_one(sqlite_url: str, models_dir: Path, form: Form) -> None:
    count = LONG if form is Form.ARROW else LONG // 5
    with server(database_url=sqlite_url, models_dir=models_dir) as running:
        process = memory(running)
        with stream(running.url, form, "?dry_run=true") as client, client.sending(long_body(form, 20_000)):
            client.drained(lambda: None)
        before = most = process.memory_info().rss

        def look() -> None:
            nonlocal most
            most = max(most, process.memory_info().rss)

        with stream(running.url, form, "?dry_run=true") as client, client.sending(long_body(form, count)):
            assert client.answer.status == 200
            assert client.drained(look) > count * 50
        assert most - before < 100 * MB


@pytest.mark.parametrize("form", [Form.NDJSON, Form.CSV, Form.ARROW])
def test_a_client_that_does_not_read_is_not_read_from(sqlite_url: str, models_dir: Path, form: Form) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir) as running:
        process = memory(running)
        httpx.get(f"{running.url}/health/ready")
        before = process.memory_info().rss
        with (
            stream(running.url, form, "?dry_run=true") as client,
            client.sending(long_body(form, 3_000_000)) as sending,
        ):
            quiet = 0

            def stands_still() -> bool:
                nonlocal quiet
                seen = (client.sent, process.cpu_times().user)
                sending.join(0.5)
                quiet = quiet + 1 if (client.sent, process.cpu_times().user) == seen else 0
                return quiet >= 3

            until(stands_still)
            assert sending.is_alive()  # far from the end
            assert process.memory_info().rss - before < 150 * MB
            # Meanwhile others are answered.
            assert httpx.post(f"{running.url}/segment", json=by_features()).status_code == 200
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert not any("Traceback" in said for said in running.log)


def test_each_line_is_answered_while_the_next_is_not_sent(sqlite_url: str, models_dir: Path) -> None:
    with (
        server(database_url=sqlite_url, models_dir=models_dir) as running,
        stream(running.url, Form.NDJSON) as client,
    ):
        lines = client.lines()
        for index in range(5):
            client.send(as_ndjson([by_features(str(index))]))
            answer = json.loads(next(lines))
            assert answer["index"] == index
            kept = stored(sqlite_url)[answer["answer"]["assignment_id"]]
            assert kept == as_stored(answer["answer"])
        client.send(b"")
        assert list(lines) == []


def is_free(key: str, running: Server) -> bool:
    """Whether nobody holds the key any more; one who was killed does for some seconds. A body that is none keeps it
    for nothing."""
    headers = {"content-type": Form.ARROW, "idempotency-key": key}
    response = httpx.post(f"{running.url}/segment/batch", content=b"none", headers=headers, timeout=60)
    return response.status_code != 409


def test_a_kill_amid_a_stream_loses_no_answer_and_the_same_key_goes_on(store_url: str, models_dir: Path) -> None:
    count = 12_000
    pieces = [as_ndjson(customers(start, 1_000)) for start in range(0, count, 1_000)]
    answered: dict[int, dict[str, Any]] = {}
    for enough in (1_500, 5_000):
        with server(database_url=store_url, models_dir=models_dir) as running:
            until(lambda running=running: is_free("kill", running))  # type: ignore[misc]
            with (
                stream(running.url, Form.NDJSON, Idempotency_Key="kill") as client,
                client.sending(pieces),
            ):
                for line in client.lines():
                    answer = json.loads(line)
                    again = answered.setdefault(answer["index"], answer)
                    assert again == answer
                    if answer["index"] == enough:
                        running.signal(signal.SIGKILL)
            assert running.wait() == -signal.SIGKILL
        assert len(answered) > enough
        kept = stored(store_url)
        for answer in answered.values():
            assert kept[answer["answer"]["assignment_id"]] == as_stored(answer["answer"])
    with server(database_url=store_url, models_dir=models_dir) as running:
        until(lambda: is_free("kill", running))
        with stream(running.url, Form.NDJSON, Idempotency_Key="kill") as client, client.sending(pieces):
            whole = [json.loads(line) for line in client.lines()]
    assert [one["index"] for one in whole] == list(range(count))
    assert [whole[index] for index in answered] == list(answered.values())
    kept = stored(store_url)
    assert kept == {one["answer"]["assignment_id"]: as_stored(one["answer"]) for one in whole}


def test_when_the_database_fails_amid_a_stream_the_rest_says_so(store_url: str, models_dir: Path) -> None:
    with (
        server(database_url=store_url, models_dir=models_dir) as running,
        stream(running.url, Form.NDJSON) as client,
    ):
        lines = client.lines()
        client.send(as_ndjson(customers(0, 3)))
        first = [json.loads(next(lines)) for _ in range(3)]
        drop_tables(store_url)
        client.send(as_ndjson(customers(3, 2)))
        rest = [json.loads(next(lines)) for _ in range(2)]
        client.send(b"")
        assert list(lines) == []
    assert all("answer" in one for one in first)
    assert [one["index"] for one in rest] == [3, 4]
    for one in rest:
        assert one["problem"]["type"] == "urn:segmentation:problem:store-unavailable"


def test_a_database_that_fails_from_the_start_is_the_answer_to_the_whole_stream(
    store_url: str, models_dir: Path
) -> None:
    with server(database_url=store_url, models_dir=models_dir) as running:
        assert httpx.get(f"{running.url}/health/ready").status_code == 200
        drop_tables(store_url)
        response = httpx.post(
            f"{running.url}/segment/batch",
            content=as_ndjson(customers(0, 3)),
            headers={"content-type": Form.NDJSON},
            timeout=60,
        )
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1


def test_a_client_that_goes_away_amid_a_stream_harms_nobody(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir) as running:
        with stream(running.url, Form.NDJSON) as client:
            client.send(as_ndjson(customers(0, 5)))
            answered = [json.loads(line) for line in islice(client.lines(), 5)]
            client.send(b'{"customer_id": "half a')
        with stream(running.url, Form.NDJSON) as client, client.sending([as_ndjson(customers(10, 20_000))]):
            next(client.lines())
        assert httpx.post(f"{running.url}/segment", json=by_features("after")).status_code == 200
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert not any("Traceback" in said for said in running.log), running.log
    kept = stored(sqlite_url)
    for one in answered:
        assert kept[one["answer"]["assignment_id"]] == as_stored(one["answer"])


def test_more_rows_at_once_than_the_queue_takes_are_waited_for(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, queue_rows=50, max_batch=50) as running:
        response = httpx.post(
            f"{running.url}/segment/batch",
            content=as_csv(customers(0, 2_000)),
            headers={"content-type": Form.CSV, "accept": "application/json"},
            timeout=60,
        )
    assert response.json()["assigned"] == 2_000
    engine = open_engine(sqlite_url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(assignments)).scalar_one() == 2_000
    engine.dispose()
