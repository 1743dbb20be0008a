"""What a connection refuses by itself is counted and logged, as every other answer is."""

import json
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.service.metrics.exposed import by, scraped
from tests.service.server import Server, server
from tests.service.serving import until

WORKERS = 4
TIMES = 12  # of each kind, so that every process has some
PATIENT = 60.0
POST = b"POST /segment HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
STREAM = b"POST /segment/batch HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\nx-request-id: %b\r\n"
CHUNKED = STREAM + b"transfer-encoding: chunked\r\n"
# What is sent, what is to come back before the rest is sent, the rest, and how it is counted.
KINDS = (
    (b"GARBAGE\r\n\r\n", b"", b"", ("other", "unmatched", "400")),
    (b"GET / HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 101 + b"\r\n", b"", b"", ("other", "unmatched", "431")),
    (b"GET / HTTP/1.1\r\nhost", b"", b"", ("other", "unmatched", "408")),
    (POST + b"content-length: 1000\r\n\r\n{", b"", b"", ("POST", "/segment", "408")),
    (CHUNKED % b"mine" + b"\r\nzz\r\n", b"", b"", ("POST", "/segment/batch", "400")),
    (CHUNKED % b"own" + b"expect: 100-continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"zz\r\n",
     ("POST", "/segment/batch", "400")),
)  # fmt: skip


def refused(running: Server, first: bytes, between: bytes, rest: bytes) -> tuple[str, str]:
    """The status and the request id of the one answer."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENT) as client:
        client.sendall(first)
        assert client.recv(len(between), socket.MSG_WAITALL) == between
        client.sendall(rest)
        received = client.makefile("rb").read()
    assert received.count(b"HTTP/1.1 ") == 1
    head, _, body = received.partition(b"\r\n\r\n")
    assert f"x-request-id: {json.loads(body)['request_id']}".encode() in head
    return head.split()[1].decode(), json.loads(body)["request_id"]


def test_every_refusal_is_counted_once_and_has_a_line_in_the_log(store_url: str, models_dir: Path) -> None:
    settings = {"workers": WORKERS, "head_seconds": 0.5, "body_idle_seconds": 0.5}
    with server(database_url=store_url, models_dir=models_dir, **settings) as running:
        until(lambda: httpx.get(f"{running.url}/health/ready", timeout=PATIENT).status_code == 200)
        sent: Counter[tuple[str, ...]] = Counter()
        told: Counter[tuple[str, ...]] = Counter()
        with ThreadPoolExecutor(TIMES) as threads:
            kinds = KINDS * TIMES
            answers = list(threads.map(lambda kind: refused(running, *kind[:3]), kinds))
        for (*_, known_as), (status, request_id) in zip(kinds, answers, strict=True):
            assert status == known_as[-1]
            sent[known_as] += 1
            told[request_id, *known_as] += 1
        assert {"mine", "own"} <= {request_id for _, request_id in answers}
        until(lambda: counted(running) == sent)
        until(lambda: logged(running) == told)
        durations = by(scraped(running.url), "segmentation_request_duration_seconds_count", "route")
        assert durations["unmatched",] == 3 * TIMES
        assert not any("Traceback" in line or '"level":"ERROR"' in line for line in running.log)


def counted(running: Server) -> Counter[tuple[str, ...]]:
    found = by(scraped(running.url), "segmentation_requests_total", "method", "route", "status")
    return Counter({one: int(number) for one, number in found.items() if one[-1] in ("400", "408", "431", "499")})


def logged(running: Server) -> Counter[tuple[str, ...]]:
    lines = [json.loads(line) for line in list(running.log) if line.startswith("{")]
    refusals = [line for line in lines if line["logger"] == "segmentation.request" and line["status"] != 503]
    assert all(line["outcome"] == "refused" for line in refusals)
    return Counter((one["request_id"], one["method"], one["route"], str(one["status"])) for one in refusals)
