"""What is logged, in which form, and that no line of it tells of a customer or a secret."""

import asyncio
import io
import json
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pydantic
import pytest
import sqlalchemy as sa

from service.correlation import CURRENT, Correlation
from service.errors import UnknownCustomer
from service.log import JsonLines, LogFormatter
from service.store.database import open_engine
from service.store.errors import StoreUnavailable
from tests.service.requests import by_features
from tests.service.server import Server, server
from tests.service.serving import until

MARK = "zebra4711"
KEY = "k" * 20 + MARK + "k" * 20
JSON_TYPE = {"content-type": "application/json"}
PATHS = (
    f"/customers/{MARK}", f"/customers/{MARK}/history", f"/customers/{MARK}/recommendations", f"/models/{MARK}",
    f"/segments/{MARK}", f"/segments/1/customers?cursor={MARK}", f"/{MARK}", f"/docs/assets/{MARK}.js",
    f"/customers/{MARK}?{MARK}={MARK}", f"/health/live?{MARK}",
)  # fmt: skip


def lines_of(running: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.log]


def about_requests(running: Server) -> list[dict[str, Any]]:
    return [line for line in lines_of(running) if line["logger"] == "segmentation.request"]


def drive(url: str) -> None:
    """Each route, with a mark wherever a client may put something; the right and the wrong key."""
    right = {"authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=url, timeout=60) as client:
        for headers in (right, {"authorization": f"Bearer {MARK}"}, {MARK: MARK, "cookie": MARK}):
            for path in PATHS:
                for method in ("GET", "DELETE"):
                    client.request(method, path, headers=headers)
            for path in (
                "/segment",
                "/segment?dry_run=true",
                f"/segment?{MARK}",
                "/segment/batch",
                f"/models/{MARK}/activate",
            ):
                for body in bodies():
                    client.post(path, content=body, headers={**JSON_TYPE, **headers})
                    client.post(path, content=body, headers={"content-type": f"text/{MARK}", **headers})
            for kind in ("text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream"):
                for body in bodies():
                    client.post("/segment/batch", content=body, headers={"content-type": kind, **headers})
            client.get(PATHS[0], headers=headers)


def bodies() -> Iterator[bytes]:
    sent = by_features(MARK)
    yield json.dumps(sent).encode()
    yield json.dumps([sent, {MARK: MARK}]).encode()
    yield json.dumps({**sent, "features": {**sent["features"], MARK: MARK, "recency": MARK}}).encode()
    yield MARK.encode()
    yield b"[" * 100_000 + MARK.encode()


def send_rubbish(port: int) -> None:
    for sent in (MARK, f"GET /{MARK} HTTP/9.9\r\n\r\n", f"GET / HTTP/1.1\r\n{MARK}: \x00{MARK}\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(sent.encode() + b"\r\n\r\n")
            client.makefile("rb").read()
    with socket.create_connection(("127.0.0.1", port)) as client:  # one who leaves in the middle
        client.sendall(f"POST /segment HTTP/1.1\r\ncontent-length: 99\r\n\r\n{MARK}".encode())


def test_no_line_at_any_level_tells_of_a_customer_or_a_secret(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, api_key=KEY, log_level="DEBUG") as running:
        drive(running.url)
        send_rubbish(running.port)
        _take_the_tables_away(sqlite_url)
        drive(running.url)
        running.signal(signal.SIGTERM)
        running.wait()
    assert [line for line in running.log if MARK in line.lower()] == []
    seen = {(line["route"], line["status"]) for line in about_requests(running)}
    assert {("/segment", 200), ("/segment", 401), ("/segment", 422), ("/segment", 503), ("unmatched", 404)} <= seen
    assert {("/customers/{id}", 200), ("/customers/{id}", 503)} <= seen
    assert not any(status == 500 for _, status in seen)


def _take_the_tables_away(url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE customers RENAME TO elsewhere"))
        connection.execute(sa.text("ALTER TABLE assignments RENAME TO there"))
    engine.dispose()


def test_a_request_has_a_line_with_its_id_its_route_and_how_it_went(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, log_level="DEBUG") as running:
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        headers = {"X-Request-ID": "mine", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        answer = httpx.get(f"{running.url}/customers/1", headers=headers)
        until(lambda: bool(about_requests(running)))
    [line] = about_requests(running)
    assert answer.headers["traceparent"] == f"00-{trace}-{line.pop('span_id')}-01"
    assert line.pop("time").endswith("+00:00")
    assert line.pop("duration_ms") > 0
    assert line == {
        "level": "INFO", "logger": "segmentation.request", "message": "GET /customers/{id} refused with 404",
        "request_id": "mine", "trace_id": trace, "method": "GET", "route": "/customers/{id}", "status": 404,
        "outcome": "refused", "key": "anyone",
    }  # fmt: skip


def test_what_is_usual_is_not_logged_unless_asked_for(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir) as running:
        assert httpx.post(f"{running.url}/segment", json=by_features()).status_code == 200
        assert httpx.get(f"{running.url}/nowhere").status_code == 404
        until(lambda: bool(about_requests(running)))
    assert [line["status"] for line in about_requests(running)] == [404]


def test_a_person_gets_lines_to_read(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, log_format="pretty") as running:
        assert httpx.get(f"{running.url}/nowhere").status_code == 404
        until(lambda: any("refused with 404" in line for line in running.log))
    assert not any(line.startswith("{") for line in running.log)


# Formats -------------------------------------------------------------------------------------------


def logged(error: BaseException, form: logging.Formatter, message: str = "it failed", name: str = "x") -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(form)
    info = (type(error), error, error.__traceback__)
    handler.handle(logging.LogRecord(name, logging.ERROR, __file__, 1, message, (), info))
    return stream.getvalue()


def raised(cause: BaseException | None = None, then: type[Exception] = RuntimeError) -> BaseException:
    try:
        raise then(MARK) from cause
    except Exception as error:
        return error


@pytest.mark.parametrize("form", [JsonLines(), LogFormatter()])
def test_a_database_error_is_logged_without_its_values(database_url: str, form: logging.Formatter) -> None:
    engine = open_engine(database_url)
    with pytest.raises(sa.exc.DBAPIError) as found, engine.connect() as connection:
        connection.execute(sa.text("SELECT :mark FROM nowhere"), {"mark": MARK})
    assert MARK not in str(found.value)
    if engine.dialect.name == "postgresql":
        with pytest.raises(sa.exc.DBAPIError) as found, engine.connect() as connection:
            connection.execute(sa.text("SELECT CAST(:mark AS integer)"), {"mark": MARK})
        assert MARK in str(found.value)  # the server repeats it
    engine.dispose()
    text = logged(found.value, form)
    assert MARK not in text
    assert "sqlalchemy.exc." in text
    assert "test_log.py" in text
    assert "22P02" in text if engine.dialect.name == "postgresql" else "SQLITE_ERROR" in text


@pytest.mark.parametrize("form", [JsonLines(), LogFormatter()])
def test_any_other_error_is_logged_by_kind_and_place(form: logging.Formatter) -> None:
    with pytest.raises(pydantic.ValidationError) as invalid:
        pydantic.TypeAdapter(int).validate_python(MARK)
    group = ExceptionGroup(MARK, [ValueError(MARK)])
    for error in (raised(), raised(KeyError(MARK)), raised(invalid.value), raised(group), UnknownCustomer(MARK)):
        text = logged(error, form)
        assert MARK not in text
        assert "Traceback" in text
        assert type(error).__qualname__ in text
    assert "pydantic_core" in logged(raised(invalid.value), form)


def test_what_the_service_says_itself_is_told() -> None:
    assert "the database sleeps" in logged(StoreUnavailable("the database sleeps"), JsonLines())


def test_a_line_is_one_object_and_has_the_id_of_the_request_it_is_about() -> None:
    async def work() -> str:
        CURRENT.set(Correlation("mine"))
        return logged(raised(), JsonLines(), "two\nlines", "y")

    line = json.loads(asyncio.run(work()))
    assert (line["message"], line["level"], line["logger"], line["request_id"]) == ("two\nlines", "ERROR", "y", "mine")


def test_of_what_asyncio_says_the_objects_are_left_out() -> None:
    said = f"Task exception was never retrieved\nfuture: <Task exception=ValueError('{MARK}')>"
    for form in (JsonLines(), LogFormatter()):
        text = logged(raised(), form, said, "asyncio")
        assert MARK not in text
        assert "never retrieved" in text


def test_nothing_is_imported_for_a_terminal_where_there_is_none() -> None:
    code = "import sys; from service import log; log.configure('INFO', 'auto'); print('rich' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
