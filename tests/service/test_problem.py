"""Every error of every kind is a problem as RFC 9457 has it."""

import json
import logging
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from service.store.reader import Reader
from tests.service.requests import by_features, by_transactions, line
from tests.service.serving import TestClient, serving, settings_for

MOST_BYTES = 2_000
LARGE = json.dumps(by_features("x" * MOST_BYTES)).encode()
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}


@pytest.fixture
def small(sqlite_url: str, models_dir: Path) -> Iterator[TestClient]:
    """A client of a service that takes small bodies only."""
    with serving(settings_for(sqlite_url, models_dir, max_body_bytes=MOST_BYTES)) as client:
        yield client


def in_chunks(body: bytes) -> Iterator[bytes]:
    """A body whose length is not told beforehand."""
    for start in range(0, len(body), 100):
        yield body[start : start + 100]


@pytest.mark.parametrize(
    ("method", "address", "others", "status", "kind", "sentence"),
    [
        ("GET", "/nowhere", {}, 404, "not-found", "there is nothing at this address; /docs lists what there is"),
        ("GET", "/docs/assets/none.js", {}, 404, "not-found", "nothing at this address"),
        ("GET", "/segment", {}, 405, "method-not-allowed", "the Allow header names those it takes"),
        ("PUT", "/segments", {}, 405, "method-not-allowed", "the Allow header names those it takes"),
        ("POST", "/customers/1", {}, 405, "method-not-allowed", "the Allow header names those it takes"),
        ("DELETE", "/models", {}, 405, "method-not-allowed", "the Allow header names those it takes"),
        ("POST", "/segment", {"content": LARGE}, 413, "content-too-large", "the body has more than 2,000 bytes"),
        ("POST", "/segment", {"content": in_chunks(LARGE)}, 413, "content-too-large", "more than 2,000 bytes"),
        ("POST", "/segment/batch", {"content": LARGE}, 413, "content-too-large", "more than 2,000 bytes"),
        ("POST", "/segment/batch", {"content": in_chunks(LARGE)}, 413, "content-too-large", "more than 2,000 bytes"),
        ("POST", "/segment", {"data": {"customer_id": "1"}}, 415, "unsupported-media-type", "send JSON with"),
        (
            "POST",
            "/segment",
            {"content": b"<a/>", "headers": {"content-type": "text/xml"}},
            415,
            "unsupported-media-type",
            "the body is text/xml; send JSON with: Content-Type: application/json",
        ),
        (
            "POST",
            "/segment/batch",
            {"content": b"a,b", "headers": {"content-type": "text/tab-separated-values; charset=utf-8"}},
            415,
            "unsupported-media-type",
            "the body is text/tab-separated-values; send application/json, application/x-ndjson, text/csv or",
        ),
        ("POST", "/segment", {"content": b"{"}, 422, "invalid-request", "1 thing must be put right"),
        ("GET", "/segments/x", {}, 422, "invalid-request", 'segment_id: is "x", and must be a whole number'),
        ("GET", "/segments/" + "9" * 5_000, {}, 422, "invalid-request", "segment_id: is "),
        ("GET", "/segments/" + "9" * 30, {}, 404, "unknown-segment", "has no segment"),
        ("GET", "/segments/1/customers?limit=-1", {}, 422, "invalid-request", "limit: is "),
        ("GET", "/customers/none", {}, 404, "unknown-customer", "no answer is stored for this customer"),
        ("GET", "/models/none", {}, 404, "unknown-model", "there is no model 'none'"),
    ],
)
def test_an_error_is_a_problem(
    small: TestClient, method: str, address: str, others: dict[str, Any], status: int, kind: str, sentence: str
) -> None:
    response = small.request(method, address, **others)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail", "request_id"}
    assert problem["type"] == f"urn:segmentation:problem:{kind}"
    assert problem["title"] == TITLES.get(status, HTTPStatus(status).phrase)
    assert problem["status"] == status
    assert sentence in problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    assert ("errors" in problem) == (status == 422)
    assert ("allow" in response.headers) == (status == 405)


def test_a_body_just_within_the_limit_is_taken(small: TestClient) -> None:
    body = json.dumps(by_features()).encode()
    padded = body + b" " * (MOST_BYTES - len(body))
    assert small.post("/segment", content=padded).status_code == 200
    assert small.post("/segment", content=in_chunks(padded)).status_code == 200
    assert small.post("/segment", content=padded + b" ").status_code == 413


def test_a_body_that_says_it_is_too_large_is_refused_at_its_word(small: TestClient) -> None:
    response = small.post("/segment", content=b"{}", headers={"content-length": str(10**12)})
    assert response.status_code == 413


def test_two_requests_have_two_ids(small: TestClient) -> None:
    assert small.get("/nowhere").json()["request_id"] != small.get("/nowhere").json()["request_id"]


def test_a_fault_of_our_own_shows_no_internals_and_is_found_in_the_log(
    small: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("password of /home/somebody")

    monkeypatch.setattr(Reader, "current", fail)
    with caplog.at_level(logging.ERROR, "segmentation.problem"):
        response = small.get("/customers/1")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["type"] == "urn:segmentation:problem:internal"
    assert "password" not in response.text
    assert "Traceback" not in response.text
    assert problem["request_id"] == response.headers["x-request-id"]
    [record] = [one for one in caplog.records if one.name == "segmentation.problem"]
    assert problem["request_id"] in record.getMessage()
    assert record.exc_info is not None
    assert "password of /home/somebody" in str(record.exc_info[1])


def test_a_fault_of_our_own_in_an_assignment_is_a_problem_too(
    small: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("service.assigning.assign", fail)
    monkeypatch.setattr("service.batch.assign_many", fail)
    monkeypatch.setattr("service.batch.checked", fail)
    for response in (
        small.post("/segment", json=by_features()),
        small.post("/segment/batch", json=[by_features()]),
        small.post("/segment/batch", json=[by_transactions(line())]),
    ):
        assert response.status_code == 500
        assert response.json()["type"] == "urn:segmentation:problem:internal"
