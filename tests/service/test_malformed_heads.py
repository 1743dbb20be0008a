"""Whatever comes over a connection instead of a request, a real process says so, and goes on for everybody else."""

import http.client
import json
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.service.requests import by_features
from tests.service.server import Server, server

CONNECTIONS = 2_000  # times --fuzz
AT_ONCE = 32
PATIENT = 60.0  # seconds after which a connection hangs
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
BODY = json.dumps(by_features()).encode()
POST = b"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
LAST = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
WHOLE = POST + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
STREAM = CHUNKED.replace(b"/segment", b"/segment/batch").replace(b"/json", b"/x-ndjson")
GET = b"GET /segments/1/customers?limit=2 HTTP/1.1\r\nHost: x\r\nAccept: text/csv\r\n\r\n"
SEEDS: Sequence[bytes] = (
    WHOLE, CHUNKED, STREAM, GET, WHOLE + GET, GET * 5, LAST,
    WHOLE.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
    b"DELETE /customers/none HTTP/1.1\r\nHost: x\r\n\r\n", b"HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /customers/a%2Fb/history HTTP/1.1\r\nHost: x\r\nTraceparent: 00-1-2-3\r\nX-Request-ID: y\r\n\r\n",
)  # fmt: skip
WORDS: Sequence[bytes] = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b"\x00", b"\xff", b" ", b"\t", b":", b": ", b"/", b"//", b"/../..",
    b"?", b"#", b"%", b"%00", b"%2e%2e%2f", b"%ff", b"*", b"http://other/", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9",
    b"HTTP/1.1", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n",
    b"Content-Length: +1\r\n", b"Content-Length: 99999999999999999999\r\n", b"Content-Length: 1, 2\r\n",
    b"Content-Length: \r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding: chunked, gzip\r\n", b"Connection: close\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n", b"Upgrade: h2c\r\n", b"Expect: 200-ok\r\n", b"Host: y\r\n",
    b" folded\r\n", b"Content-Encoding: gzip\r\n", b"Authorization: Bearer \xff\r\n", b"Idempotency-Key: \xe9\r\n",
    b"Accept: \x80\r\n", b"traceparent: \xff\r\n", b"A" * 9_000, b"A" * 70_000, b"a: b\r\n" * 120, b"0\r\n\r\n",
    b"ffffffff\r\n", b"-1\r\n", b"8000000000000000\r\n", b"5;ext=\x00\r\n", b"TRACE", b"CONNECT", b"OPTIONS", b"get",
    SMUGGLED, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)  # fmt: skip


@pytest.fixture(scope="module")
def running(shared_url: str, models_dir: Path) -> Iterator[Server]:
    """A service without patience, so that every connection comes to its end."""
    short = {"head_seconds": 0.5, "body_idle_seconds": 0.5, "answer_idle_seconds": 5, "keep_alive_seconds": 2}
    with server(database_url=shared_url, models_dir=models_dir, **short) as running:
        assert running.url
        yield running
        assert httpx.post(f"{running.url}/segment", json=by_features(), timeout=PATIENT).status_code == 200
        assert [said for said in running.log if "Traceback" in said or '"level":"ERROR"' in said] == []


def mutated(dice: random.Random) -> bytes:
    """A request, or several, with something wrong."""
    sent = bytearray(dice.choice(SEEDS))
    for _ in range(dice.choice((1, 1, 2, 4))):
        at = dice.randrange(len(sent) + 1)
        end = min(len(sent), at + dice.choice((0, 0, 1, 3, 10)))
        lines = [found.end() for found in re.finditer(rb"\r\n", sent)]
        kind = dice.randrange(8)
        if kind == 0:
            sent[at:end] = dice.randbytes(dice.choice((1, 1, 4, 30)))
        elif kind == 1:
            del sent[at:]
        elif kind == 2:
            sent[at:end] = sent[at:end] * 3
        elif kind < 6 and lines:
            start = dice.choice(lines)
            sent[start:start] = dice.choice(WORDS)
        else:
            sent[at:end] = dice.choice(WORDS)
    return bytes(sent)


def answers(running: Server, sent: bytes) -> bytes:
    """All that comes back until the service closes the connection; a connection that it cuts has said enough."""
    received = b""
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENT) as client:
        try:
            client.sendall(sent)
            while taken := client.recv(65_536):
                received += taken
        except ConnectionError:
            pass
    return received


def test_nothing_that_comes_over_a_connection_makes_it_fail_or_holds_up_another(running: Server, fuzz: int) -> None:
    statuses: Counter[int] = Counter()
    faults: list[str] = []
    over = threading.Event()

    def other() -> int:
        """Somebody else, who keeps one connection all the time."""
        connection, asked = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENT), 0
        while not over.wait(0.01):
            connection.request("POST", "/segment", BODY, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            asked += 1
        connection.close()
        return asked

    def one(number: int) -> None:
        sent = mutated(random.Random(number))
        try:
            found = [int(status) for status in STATUS.findall(answers(running, sent + LAST))]
        except TimeoutError:
            faults.append(f"{sent!r:.2000} holds up its connection")
            return
        statuses.update(found)
        faults.extend(f"{sent!r:.2000} was answered {status}" for status in found if status >= 500)

    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        somebody = pool.submit(other)
        try:
            list(pool.map(one, range(CONNECTIONS * fuzz)))
        finally:
            over.set()
    assert faults == []
    assert somebody.result() > 0
    assert {200, 400, 404, 405, 408, 415, 422, 431} <= set(statuses)


@pytest.mark.parametrize("protocol", [b"h2c", b"websocket", b"other"])
@pytest.mark.parametrize("sent", [WHOLE, CHUNKED], ids=["whole", "in chunks"])
def test_an_offer_to_go_on_in_another_protocol_is_passed_over(running: Server, sent: bytes, protocol: bytes) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %b\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" % protocol
    offering = sent.replace(b"Host: x\r\n", b"Host: x\r\n" + offer)
    found = answers(running, offering + GET.replace(b"Host: x\r\n", b"Host: x\r\n" + offer) + LAST)
    assert STATUS.findall(found) == [b"200"] * 3
    assert b'"customer_id":"17850"' in found


def test_an_offer_of_another_protocol_may_come_with_the_end_of_the_connection(running: Server) -> None:
    offering = WHOLE.replace(b"Host: x\r\n", b"Host: x\r\nConnection: upgrade, close\r\nUpgrade: h2c\r\n")
    assert STATUS.findall(answers(running, offering)) == [b"200"]


def test_a_tunnel_is_refused(running: Server) -> None:
    assert STATUS.findall(answers(running, b"CONNECT /segments HTTP/1.1\r\nHost: x\r\n\r\n" + GET)) == [b"400"]


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 0\r\n\r\n",
        b"Content-Length: 0, 5\r\n\r\n",
        b"Content-Length: +0\r\n\r\n",
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: 0x0\r\n\r\n",
        b"Content-Length: 18446744073709551616\r\n\r\n",
        b"Content-Length : 0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
    ],
)
def test_a_body_whose_end_can_be_read_in_two_ways_is_refused_with_all_that_follows(
    running: Server, framing: bytes
) -> None:
    found = answers(running, POST + framing + SMUGGLED)
    assert STATUS.findall(found) == [b"400"]


HOSTS: Sequence[bytes] = (
    b"", b"Host:\r\n", b"Host: \r\n", b"Host: a\r\nHost: b\r\n", b"Host: x\r\nHost: x\r\n", b"Host: x\r\nHOST: x\r\n",
    *(b"Host: %b\r\n" % value for value in (
        b"a b", b"a\tb", b"x:port", b"x:80:80", b":80", b"user@x", b"x/segments", b"http://x", b"x?y", b"[::1", b"::1",
        b"\xe9", b"<x>", b'"x"', b"a, b", b"x%zz",
    )),
)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("target", [b"/health/live", b"http://x/health/live"])
def test_a_request_without_one_valid_host_is_refused(running: Server, host: bytes, target: bytes) -> None:
    found = answers(running, b"GET %b HTTP/1.1\r\nAccept: */*\r\n%b\r\n" % (target, host) + SMUGGLED)
    head, _, body = found.partition(b"\r\n\r\n")
    assert STATUS.findall(found) == [b"400"]
    assert b"content-type: application/problem+json" in head
    problem = json.loads(body)
    assert problem["type"] == "urn:segmentation:problem:bad-request"
    assert "one Host header" in problem["detail"]


@pytest.mark.parametrize(
    "host",
    [
        *(
            b"x",
            b"x:",
            b"x:8000",
            b"127.0.0.1:80",
            b"[::1]",
            b"[::1]:80",
            b"[fe80::1%25eth0]",
            b"a_b.example.",
            b"  x  ",
        ),
        *(b"xn--caf-dma.fr", b"caf%C3%A9.fr"),
    ],
)
def test_every_valid_host_is_taken(running: Server, host: bytes) -> None:
    assert STATUS.findall(answers(running, LAST.replace(b"Host: x", b"Host: " + host))) == [b"200"]


@pytest.mark.parametrize(
    ("host", "status"), [(b"", b"200"), (b"Host: x\r\n", b"200"), (b"Host: x\r\nHost: y\r\n", b"400")]
)
def test_http_1_0_needs_no_host_and_has_not_two(running: Server, host: bytes, status: bytes) -> None:
    assert STATUS.findall(answers(running, b"GET /health/live HTTP/1.0\r\n%b\r\n" % host)) == [status]


@pytest.mark.parametrize("wrong", [b"", b"a: b\r\n" * 101, b"Host: y\r\nHost: z\r\n"])
def test_a_refused_request_does_not_take_the_answer_of_the_one_before(running: Server, wrong: bytes) -> None:
    refused = WHOLE.replace(b"Host: x\r\n", wrong)
    assert STATUS.findall(answers(running, WHOLE + refused + SMUGGLED)) == [b"200"]


def test_an_offer_of_another_protocol_needs_one_host_too(running: Server) -> None:
    offer = b"Host: x\r\nHost: y\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    assert STATUS.findall(answers(running, WHOLE.replace(b"Host: x\r\n", offer))) == [b"400"]
