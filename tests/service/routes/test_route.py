"""What the address of any call has and the call does not take is refused."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts

from service.app import create_app
from service.routes.route import Route
from tests.service.requests import by_features
from tests.service.server import Server, server
from tests.service.serving import TestClient, settings_for

PATIENT = 60.0
OF_THE_FRAMEWORK = {"/docs", "/openapi.json", "/docs/assets"}


@pytest.fixture(scope="module")
def running(shared_url: str, models_dir: Path) -> Iterator[Server]:
    with server(database_url=shared_url, models_dir=models_dir) as running:
        yield running


def documented(client: TestClient) -> list[tuple[str, str, list[str]]]:
    """Every call of the OpenAPI document, with the query parameters it takes."""
    paths = client.get("/openapi.json").json()["paths"]
    return [
        (method, path, [one["name"] for one in call.get("parameters", ()) if one["in"] == "query"])
        for path, calls in paths.items()
        for method, call in calls.items()
    ]


def faults(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 422, response.text
    problem = response.json()
    assert problem["type"] == "urn:segmentation:problem:invalid-request"
    return {fault["pointer"]: fault["detail"] for fault in problem["errors"]}


def test_every_call_is_a_route_that_refuses_what_it_does_not_know(shared_url: str, models_dir: Path) -> None:
    routes = list(iter_route_contexts(create_app(settings_for(shared_url, models_dir)).routes))
    tolerant = {route.path for route in routes if not isinstance(route.original_route, Route)}
    assert tolerant == OF_THE_FRAMEWORK
    assert len([route for route in routes if isinstance(route.original_route, APIRoute)]) >= 17


@pytest.mark.parametrize("sent", ["dryrun=true", "supress=true", "x", "=1", "limit%20=5", "LIMIT=5", "dry-run=1&b=2"])
def test_no_call_takes_a_parameter_that_it_does_not_document(shared_client: TestClient, sent: str) -> None:
    calls = documented(shared_client)
    assert len(calls) >= 17
    for method, path, takes in calls:
        address = re.sub(r"\{\w+\}", "1", path)
        for name, detail in faults(shared_client.request(method, f"{address}?{sent}")).items():
            assert "is not a parameter of this call, which takes " in detail, (path, name)
            assert [one for one in takes if one not in detail] == []
            assert takes or detail.endswith("which takes none; remove it")


@pytest.mark.parametrize(
    ("method", "address", "name", "meant"),
    [
        ("POST", "/segment?dryrun=true", "dryrun", "dry_run"),
        ("POST", "/segment/batch?dry-run=true", "dry-run", "dry_run"),
        ("POST", "/segment?DRY_RUN=true", "DRY_RUN", "dry_run"),
        ("DELETE", "/customers/1?supress=true", "supress", "suppress"),
        ("DELETE", "/customers/a/b?suppressed=true", "suppressed", "suppress"),
        ("GET", "/customers/1/history?limits=5", "limits", "limit"),
        ("GET", "/segments/1/customers?curser=MQ", "curser", "cursor"),
    ],
)
def test_the_nearest_parameter_is_named(
    shared_client: TestClient, method: str, address: str, name: str, meant: str
) -> None:
    assert faults(shared_client.request(method, address))[name].endswith(f"; did you mean {meant}?")


@pytest.mark.parametrize(
    ("method", "address", "name"),
    [
        ("POST", "/segment?dry_run=true&dry_run=false", "dry_run"),
        ("POST", "/segment/batch?dry_run=true&dry_run=true", "dry_run"),
        ("DELETE", "/customers/1?suppress=false&suppress=true", "suppress"),
        ("GET", "/segments/1/customers?limit=1&limit=1000", "limit"),
        ("GET", "/customers/1/history?limit=1&%6Cimit=2", "limit"),
    ],
)
def test_a_parameter_that_comes_twice_is_refused(
    shared_client: TestClient, method: str, address: str, name: str
) -> None:
    assert faults(shared_client.request(method, address)) == {name: "is sent 2 times; send it once"}


def test_thousands_of_parameters_are_told_in_short(shared_client: TestClient) -> None:
    response = shared_client.get("/segments?" + "&".join(f"{index}{'x' * 100}" for index in range(200)))
    assert len(faults(response)) == 20
    assert len(response.content) < 10_000


def test_a_mistyped_dry_run_stores_nothing_and_a_mistyped_suppression_erases_nothing(running: Server) -> None:
    with httpx.Client(base_url=running.url, timeout=PATIENT) as client:
        assert client.post("/segment?dryrun=true", json=by_features("typed")).status_code == 422
        assert client.post("/segment/batch?dryrun=true", json=[by_features("typed")]).status_code == 422
        assert client.get("/customers/typed").status_code == 404
        assert client.post("/segment", json=by_features("typed")).status_code == 200
        assert client.delete("/customers/typed?supress=true").status_code == 422
        assert client.get("/customers/typed").status_code == 200
        assert client.get("/metrics?name=x").status_code == 422
        assert client.get("/health/live?t=1").status_code == 422
        assert client.get("/docs?t=1").status_code == 200
        assert client.get("/openapi.json?t=1").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/segments%0A", "/segment%0A", "/models%0A", "/metrics%0A", "/segments/1/customers%0A", "/health/live%0A"],
)
def test_a_line_break_after_the_address_of_a_call_makes_it_another_address(running: Server, path: str) -> None:
    for method in ("GET", "POST"):
        response = httpx.request(method, f"{running.url}{path}", timeout=PATIENT)
        assert (response.status_code, response.json()["type"]) == (404, "urn:segmentation:problem:not-found")


REDIRECTED = ["/segments/", "/segments//", "/segments/1/", "/models/", "/models/a%3Fb%23c%25/", "/segments/?dryrun=1"]


@pytest.mark.parametrize("address", REDIRECTED)
@pytest.mark.parametrize("host", ["evil.example", "localhost:1", "[::1]:80", "x"])
def test_a_redirect_names_no_host(running: Server, address: str, host: str) -> None:
    path, _, query = address.partition("?")
    response = httpx.get(f"{running.url}{address}", headers={"host": host}, timeout=PATIENT)
    assert response.status_code == 307
    assert response.headers["location"] == path.rstrip("/") + (f"?{query}" if query else "")
    assert httpx.get(f"{running.url}{response.headers['location']}", timeout=PATIENT).status_code in (200, 404, 422)


@pytest.mark.parametrize(
    "address", ["//", "//evil.example/", "//evil.example/segments/", "/nowhere/", "/\\evil.example/"]
)
def test_what_leads_nowhere_is_not_redirected(running: Server, address: str) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENT) as client:
        client.sendall(f"GET {address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        received = client.makefile("rb").read()
    assert received.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))
    assert b"location" not in received.lower()


@pytest.mark.parametrize("host", ["evil.example", "shop.example:8443", "localhost", "[::1]", "x_y"])
def test_the_link_to_the_next_page_names_no_host(running: Server, host: str) -> None:
    with httpx.Client(base_url=running.url, timeout=PATIENT) as client:
        answers = client.post("/segment/batch", json=[by_features(f"a/b {number}") for number in range(5)]).json()
        segment = answers["results"][0]["answer"]["segment"]["id"]
        address, seen = f"/segments/{segment}/customers?limit=2", 0
        while address:
            page = client.get(address, headers={"host": host})
            seen += len(page.json()["customers"])
            address = page.links.get("next", {}).get("url", "")
            assert not address or address.startswith(f"/segments/{segment}/customers?limit=2&cursor=")
        assert seen >= 5


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "path", ["caf%E9", "%FF", "a%C3", "%ED%A0%80", "%C0%AF", "%F5%80%80%80", "a/caf%E9/b", "%E9/history", "%E9/export"]
)
def test_a_path_that_is_not_utf8_is_no_customers(running: Server, method: str, path: str) -> None:
    with httpx.Client(base_url=running.url, timeout=PATIENT) as client:
        for other in ("caf\ufffd", "\ufffd", "a\ufffd", "café"):
            assert client.post("/segment", json=by_features(other)).status_code == 200
        response = client.request(method, f"/customers/{path}")
        assert (response.status_code, response.json()["type"]) == (400, "urn:segmentation:problem:bad-request")
        assert response.headers["content-type"] == "application/problem+json"
        assert "UTF-8" in response.json()["detail"]
        for other in ("caf%EF%BF%BD", "%EF%BF%BD", "a%EF%BF%BD", "caf%C3%A9"):
            assert client.get(f"/customers/{other}").status_code == 200


def test_no_path_that_is_not_utf8_is_taken_by_any_call(shared_client: TestClient) -> None:
    for method, path, _ in documented(shared_client):
        response = shared_client.request(method, re.sub(r"\{\w+\}", "%E9", path) + "%FF")
        assert (response.status_code, response.json()["type"]) == (400, "urn:segmentation:problem:bad-request")


@pytest.mark.parametrize("raw", [b"caf\xe9", b"caf\xc3\xa9", b"\xff"])
def test_bytes_that_are_not_percent_encoded_are_no_address(running: Server, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=PATIENT) as client:
        client.sendall(b"GET /customers/%b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % raw)
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 400 ")
