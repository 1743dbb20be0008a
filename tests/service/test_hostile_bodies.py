"""Whatever a body within the limits holds, its answer takes little memory, and others are answered meanwhile."""

import contextlib
import gzip
import http.client
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from backports import zstd

from tests.service.hostile import BATCHES, MANY, ONE, ORDINARY, SCALED, VALUES, Hostile, scaled
from tests.service.server import Server, server

GROWTH_PER_BYTE, GROWTH = 10, 50_000_000
LONGEST_WAIT = 0.3  # seconds for GET /health/live
ATTEMPTS = 3  # other processes may keep the processor from the service, but not each time
PATIENCE = 300.0


def around(value: Callable[[], bytes], before: bytes, after: bytes) -> Callable[[], Hostile]:
    return lambda: Hostile(before + value() + after)


def in_places(places: Mapping[str, tuple[bytes, bytes]]) -> dict[str, Callable[[], Hostile]]:
    return {
        f"{name} as {place}": around(value, *ends)
        for (name, value), (place, ends) in itertools.product(VALUES.items(), places.items())
    }


class Watch:
    """Asks a process whether it is alive, again and again, until it is left. `longest` is the longest answer."""

    def __init__(self, port: int) -> None:
        self.longest = 0.0
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._ask()
        self.longest = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while not self._ended.wait(0.005):
            self._ask()

    def _ask(self) -> None:
        began = time.perf_counter()
        self._connection.request("GET", "/health/live")
        assert self._connection.getresponse().read()
        self.longest = max(self.longest, time.perf_counter() - began)


class Target:
    """A running service, and how much memory it takes to answer."""

    def __init__(self, running: Server) -> None:
        self.running = running
        self._process = Path(f"/proc/{running.process_id}")
        # What is loaded for the first body of a kind is there for all later ones.
        for kind, body in ORDINARY.items():
            self.post("/segment/batch", Hostile(body, kind))
            self.post("/segment/batch", Hostile(gzip.compress(body), kind, "gzip"))
            self.post("/segment/batch", Hostile(zstd.compress(body), kind, "zstd"))
        self.post("/segment", Hostile(b"{}"))
        self._before = self._memory("VmRSS")

    def post(self, path: str, sent: Hostile, key: str = "") -> int:
        """The status, once the whole answer was received; 0 where the service closed the connection before it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=PATIENCE)
        headers = {"content-type": sent.kind}
        if sent.encoding:
            headers["content-encoding"] = sent.encoding
        if key:
            headers["idempotency-key"] = key
        try:
            self._send(connection, path, sent.body, headers)
            answer = connection.getresponse()
            while answer.read(1_000_000):
                pass
            return answer.status
        except ConnectionError:
            return 0
        finally:
            connection.close()

    def check(self, path: str, sent: Hostile, key: str = "") -> int:
        """Posts a body and measures; the status."""
        waits = []
        for _ in range(ATTEMPTS):
            before = self._memory("VmRSS")
            (self._process / "clear_refs").write_text("5")  # the peak is counted from here on
            with Watch(self.running.port) as watch:
                status = self.post(path, sent, key)
            grown = self._memory("VmHWM") - before
            assert grown <= GROWTH_PER_BYTE * sent.size + GROWTH, f"{grown:,} bytes for a body of {sent.size:,}"
            waits.append(watch.longest)
            if watch.longest <= LONGEST_WAIT:
                return status
        raise AssertionError(f"others waited {waits} s")

    def kept(self) -> int:
        """How much more memory the service has than before it was sent anything hostile."""
        return self._memory("VmRSS") - self._before

    def _send(self, connection: http.client.HTTPConnection, path: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Sends from a thread of its own what may be answered while it is sent."""
        connection.putrequest("POST", path)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert connection.sock is not None
        threading.Thread(target=_send_quietly, args=(connection.sock, body), daemon=True).start()

    def _memory(self, field: str) -> int:
        (line,) = [line for line in (self._process / "status").read_text().splitlines() if line.startswith(field)]
        return int(line.split()[1]) * 1024


def _send_quietly(connection: socket.socket, body: bytes) -> None:
    with contextlib.suppress(OSError):  # the service need not take all of what it has answered
        connection.sendall(body)


@pytest.fixture(scope="module")
def target(shared_url: str, models_dir: Path) -> Iterator[Target]:
    with server(database_url=shared_url, models_dir=models_dir) as running:
        target = Target(running)
        yield target
        assert target.kept() <= 2 * GROWTH
        assert [said for said in running.log if "Traceback" in said or '"level":"ERROR"' in said] == []


@pytest.mark.parametrize("name", in_places(ONE))
def test_one_customer(target: Target, name: str) -> None:
    assert target.check("/segment", in_places(ONE)[name]()) == 422


@pytest.mark.parametrize("name", in_places(MANY))
def test_many_customers_as_json(target: Target, name: str) -> None:
    assert target.check("/segment/batch", in_places(MANY)[name]()) in (200, 422)


@pytest.mark.parametrize("name", BATCHES)
def test_many_customers_in_every_form(target: Target, name: str) -> None:
    assert target.check("/segment/batch", BATCHES[name]()) in (200, 400, 413, 422)


@pytest.mark.parametrize("name", SCALED)
def test_many_customers_of_many_pieces(target: Target, name: str, fuzz: int) -> None:
    assert target.check("/segment/batch", scaled(name, fuzz)) in (200, 400, 413, 422)


@pytest.mark.parametrize("path", ["/segment?dry_run=true", "/segment/batch?dry_run=true", "/models/x/activate"])
@pytest.mark.parametrize("name", ["empty lists", "unknown keys", "escapes"])
def test_other_calls_that_take_a_body(target: Target, path: str, name: str) -> None:
    assert target.check(path, Hostile(VALUES[name]())) in (404, 422)


@pytest.mark.parametrize("path", ["/segment", "/segment/batch", "/models/x/activate"])
@pytest.mark.parametrize("name", ["empty lists", "transactions"])
def test_calls_under_a_key(target: Target, path: str, name: str) -> None:
    assert target.check(path, Hostile(VALUES[name]()), key=f"{path} {name}".replace(" ", "-")) in (404, 422)
