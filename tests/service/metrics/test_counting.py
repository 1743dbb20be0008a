"""What is counted is what was sent: over several processes, with errors, and over one that is killed."""

import json
import socket
import threading
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psutil

from tests.service.metrics.exposed import Sample, by, scraped, total
from tests.service.requests import by_features
from tests.service.server import Server, server
from tests.service.serving import until

WORKERS = 4
THREADS = 6
REQUESTS = 60  # of each thread, before the kill and after it
KEY = "k" * 40
SENT = "segmentation_requests_total"
Sent = Counter[tuple[str, str, str]]
JSON = {"content-type": "application/json"}


def call(method: str, path: str, route: str, body: Any = None, **headers: str) -> tuple[str, str, str, Any, Any]:
    sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    return method, path, route, sent, {**(JSON if body is not None else {}), **headers}


CALLS = (
    call("POST", "/segment", "/segment", by_features("anna")),
    call("POST", "/segment", "/segment", by_features("bert")),
    call("POST", "/segment?dry_run=true", "/segment", by_features("bert")),
    call("POST", "/segment", "/segment", by_features(recency=-1)),
    call("POST", "/segment", "/segment", b"{"),
    call("POST", "/segment", "/segment", b" " * 5_000),
    call("POST", "/segment", "/segment", b"x", **{"content-type": "text/plain"}),
    call("POST", "/segment", "/segment", b"no gzip", **{"content-encoding": "gzip"}),
    call("POST", "/segment", "/segment", by_features(), authorization="Bearer wrong"),
    call("POST", "/segment/batch", "/segment/batch", [by_features("1"), by_features("2"), {"bad": 1}]),
    call("GET", "/segments", "/segments"),
    call("GET", "/customers/anna/history", "/customers/{id}/history"),
    call("GET", "/customers/nobody", "/customers/{id}"),
    call("GET", "/customers/anna", "/customers/{id}", None, authorization="Bearer wrong"),
    call("GET", "/nowhere/anna", "unmatched"),
    call("DELETE", "/segment", "/segment"),
    call("PATCH", "/segments", "/segments"),
    call("GET", "/health/live", "/health/live"),
)


def send_many(url: str, seed: int, sent: Sent, answers: list[Any]) -> None:
    """Calls of all kinds in some order; what was answered is counted by the client."""
    dice = Random(seed)
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {KEY}"}, timeout=60) as client:
        for _ in range(REQUESTS):
            method, path, route, body, headers = dice.choice(CALLS)
            answer = client.request(method, path, content=body, headers=headers)
            sent[method, route, str(answer.status_code)] += 1
            if method == "POST" and answer.status_code == 200 and "dry_run" not in path:
                said = answer.json()
                answers += [one["answer"] for one in said.get("results", [{"answer": said}]) if "answer" in one]


def load(url: str, seed: int, sent: Sent, answers: list[Any]) -> None:
    counts: list[Sent] = [Counter() for _ in range(THREADS)]
    threads = [
        threading.Thread(target=send_many, args=(url, seed + number, counts[number], answers))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in counts:
        sent.update(one)


def counted(running: Server) -> dict[Sample, float]:
    return scraped(running.url, {"authorization": f"Bearer {KEY}"})


def requests_counted(samples: dict[Sample, float]) -> Sent:
    """Without the scrapes, and without what waits for the service to be ready."""
    found = by(samples, SENT, "method", "route", "status")
    return Counter({(m, r, s): int(n) for (m, r, s), n in found.items() if r not in ("/metrics", "/health/ready")})


def check(samples: dict[Sample, float], sent: Sent, answers: list[Any]) -> None:
    assert requests_counted(samples) == sent
    durations = by(samples, "segmentation_request_duration_seconds_count", "route")
    for route in {route for _, route, _ in sent}:
        assert durations[route,] == sum(count for (_, one, _), count in sent.items() if one == route)
    told = Counter(answer["segment"]["name"] for answer in answers)
    assert by(samples, "segmentation_assignments_total", "segment") == {(name,): n for name, n in told.items()}
    batches = sent["POST", "/segment/batch", "200"]
    assert total(samples, "segmentation_batch_customers_count") == batches
    assert total(samples, "segmentation_batch_customers_sum") == 3 * batches
    assert total(samples, "segmentation_assignments_total", source="batch") == 2 * batches
    assert total(samples, "segmentation_commit_rows_sum") == len(answers)
    assert total(samples, "segmentation_series_dropped_total") == 0


def test_counters_equal_the_requests_sent_to_four_workers_also_when_one_was_killed_and_replaced(
    store_url: str, models_dir: Path
) -> None:
    settings = {"workers": WORKERS, "api_key": KEY, "max_body_bytes": 4_096, "max_batch": 10}
    with server(database_url=store_url, models_dir=models_dir, **settings) as running:
        until(lambda: httpx.get(f"{running.url}/health/ready", timeout=60).status_code == 200)
        sent: Sent = Counter()
        answers: list[Any] = []
        load(running.url, 1, sent, answers)
        check(counted(running), sent, answers)
        assert {"200", "400", "401", "404", "405", "413", "415", "422"} <= {status for _, _, status in sent}
        killed = running.workers[1]
        killed.kill()
        until(lambda: is_replaced(killed, running))
        check(counted(running), sent, answers)
        load(running.url, 100, sent, answers)
        for _ in range(8):  # whichever of them is asked
            check(counted(running), sent, answers)
        until(lambda: total(counted(running), "segmentation_workers") == WORKERS)
        text = httpx.get(f"{running.url}/metrics", headers={"authorization": f"Bearer {KEY}"}, timeout=60).text
        assert not any(secret in text for secret in ("anna", "bert", "nobody", KEY))


def is_replaced(killed: psutil.Process, running: Server) -> bool:
    return len(running.workers) == WORKERS and killed not in running.workers


def test_a_client_that_goes_away_before_its_answer_is_counted(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, workers=2) as running:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", running.port)) as gone:
                gone.sendall(b"POST /segment HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        until(lambda: sum(requests_counted(scraped(running.url)).values()) == 5)
        found = scraped(running.url)
        assert requests_counted(found).keys() <= {("POST", "/segment", "400"), ("POST", "/segment", "499")}
        until(lambda: total(scraped(running.url), "segmentation_requests_in_flight") <= 1)


def test_what_is_answered_503_while_there_is_no_model_is_counted(sqlite_url: str, tmp_path: Path) -> None:
    with server(database_url=sqlite_url, models_dir=tmp_path, workers=2) as running:
        for _ in range(10):
            assert httpx.post(f"{running.url}/segment", json=by_features(), timeout=60).status_code == 503
        assert requests_counted(scraped(running.url)) == {("POST", "/segment", "503"): 10}
