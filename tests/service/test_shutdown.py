"""What clients see of a service that was told to stop."""

import http.client
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.service.requests import by_features
from tests.service.server import Server, server
from tests.service.serving import until

DRAIN = 5.0


@pytest.fixture(params=[1, 2])
def running(request: pytest.FixtureRequest, sqlite_url: str, models_dir: Path) -> Iterator[Server]:
    """A service of one process, and one of two, with time to look at its end."""
    settings = {"workers": request.param, "drain_seconds": DRAIN}
    with server(database_url=sqlite_url, models_dir=models_dir, **settings) as running:
        assert httpx.get(f"{running.url}/health/ready", timeout=60).status_code == 200
        yield running


def stopping(running: Server) -> bool:
    """Whether all its processes say so, as far as many new connections tell."""
    answers = [httpx.get(f"{running.url}/health/ready", timeout=60) for _ in range(12)]
    return all(one.status_code == 503 and one.json()["detail"].startswith("stopping") for one in answers)


def test_it_is_unready_goes_on_answering_and_asks_its_clients_to_close(running: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", running.port)) as kept:
        kept.request("GET", "/segments")
        before = kept.getresponse()
        assert (before.read() != b"", before.getheader("connection")) == (True, None)

        running.signal(signal.SIGTERM)
        until(lambda: stopping(running))
        kept.request("GET", "/segments")  # on the connection it had
        after = kept.getresponse()
        assert (after.status, after.getheader("connection")) == (200, "close")
        assert after.read()
        new = httpx.post(f"{running.url}/segment", json=by_features(), timeout=60)
        assert (new.status_code, new.headers["connection"]) == (200, "close")
        assert running.wait() == 0
        assert not any("Traceback" in said for said in running.log)


def test_a_request_half_sent_when_it_was_told_is_answered(running: Server) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", running.port)) as half:
        half.putrequest("POST", "/segment")
        half.putheader("content-type", "application/json")
        body = httpx.Request("POST", "http://x", json=by_features()).content
        half.putheader("content-length", str(len(body)))
        half.endheaders(body[:10])
        running.signal(signal.SIGTERM)
        until(lambda: stopping(running))
        half.send(body[10:])
        answer = half.getresponse()
        assert (answer.status, answer.getheader("connection")) == (200, "close")
        assert answer.read()
        assert running.wait() == 0


def test_a_kept_connection_that_nobody_uses_does_not_hold_it_up(sqlite_url: str, models_dir: Path) -> None:
    with (
        server(database_url=sqlite_url, models_dir=models_dir) as running,
        closing(http.client.HTTPConnection("127.0.0.1", running.port)) as kept,
    ):
        kept.request("GET", "/segments")
        assert kept.getresponse().read()
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
        assert kept.sock.recv(1) == b""  # closed in order, not reset
