"""With an API key nothing but health and documentation answers without it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.requests import by_features
from tests.service.serving import TestClient, serving, settings_for

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def guarded(shared_url: str, models_dir: Path) -> Iterator[TestClient]:
    """A client of a service that asks for a key."""
    with serving(settings_for(shared_url, models_dir, api_key=KEY)) as client:
        yield client


@pytest.mark.parametrize(
    "address", ["/health/live", "/health/ready", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css"]
)
def test_health_and_documentation_are_open(guarded: TestClient, address: str) -> None:
    assert guarded.get(address).status_code == 200


def test_everything_else_needs_the_key(guarded: TestClient) -> None:
    documented = guarded.get("/openapi.json").json()["paths"]
    closed = {(method, path) for path, methods in documented.items() for method in methods}
    closed -= {("get", "/health/live"), ("get", "/health/ready")}
    assert len(closed) >= 11
    for method, path in closed | {("get", "/"), ("get", "/nowhere"), ("post", "/docs/../segment"), ("get", "/healthy")}:
        response = guarded.request(method, path.format(id=1, segment_id=1, version="x"))
        assert response.status_code == 401, path
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["request_id"] == response.headers["x-request-id"]
        assert "Authorization: Bearer <key>" in response.json()["detail"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_right_key_is_let_through(guarded: TestClient, scheme: str) -> None:
    sent = {"authorization": f"{scheme} {KEY}"}
    assert guarded.post("/segment", json=by_features(), headers=sent).status_code == 200
    assert guarded.get("/customers/17850", headers=sent).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        KEY,
        "Bearer",
        "Bearer ",
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY}0",
        f"Bearer {KEY.upper()}",
        f"Basic {KEY}",
        "Bearer é",
    ],
)
def test_a_wrong_key_is_not(guarded: TestClient, authorization: str) -> None:
    response = guarded.get("/segments", headers={"authorization": authorization.encode()})
    assert response.status_code == 401
    assert KEY not in response.text


def test_two_keys_at_once_are_none(guarded: TestClient) -> None:
    sent = [("authorization", f"Bearer {KEY}"), ("authorization", "Bearer other")]
    assert guarded.get("/segments", headers=sent).status_code == 401


def test_a_body_without_a_key_is_not_stored(guarded: TestClient) -> None:
    assert guarded.post("/segment", json=by_features("unseen")).status_code == 401
    assert guarded.get("/customers/unseen", headers={"authorization": f"Bearer {KEY}"}).status_code == 404
