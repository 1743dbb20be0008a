"""Once there is a key nothing but health and documentation answers without one, and each does what it is for."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.routing import iter_route_contexts

from service.app import create_app
from service.key_scope import KeyScope, declared
from service.store.audit import newest
from service.store.database import open_engine
from tests.published import Published
from tests.service.callers import made, revoked, sent
from tests.service.requests import by_features
from tests.service.serving import NOW, TestClient, serving, settings_for, until

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


# Scopes --------------------------------------------------------------------------------------------


def test_every_route_says_which_scope_it_needs(shared_url: str, models_dir: Path) -> None:
    routes = list(iter_route_contexts(create_app(settings_for(shared_url, models_dir)).routes))
    needed = {f"{sorted(route.methods or ['mount'])} {route.path}": declared(route) for route in routes}
    assert len(needed) >= 15
    assert [name for name, scopes in needed.items() if scopes is None] == []
    assert {scope for scopes in needed.values() if scopes for scope in scopes} == set(KeyScope)
    assert all(len(scopes) <= 1 for scopes in needed.values() if scopes is not None)


CALLS = {
    "score": [("POST", "/segment"), ("POST", "/segment?dry_run=true"), ("POST", "/segment/batch")],
    "read": [
        ("GET", "/segments"),
        ("GET", "/segments/1"),
        ("GET", "/segments/1/recommendations"),
        ("GET", "/segments/1/customers"),
        ("GET", "/customers/a/b"),
        ("GET", "/customers/17850/history"),
        ("GET", "/customers/17850/recommendations"),
        ("GET", "/models"),
        ("GET", "/models/none"),
    ],
    "admin": [("POST", "/models/none/activate")],
}


@pytest.mark.parametrize("has", list(KeyScope))
def test_a_key_does_what_its_scope_is_for_and_no_more(store_url: str, models_dir: Path, has: str) -> None:
    token = made(store_url, has)
    with serving(settings_for(store_url, models_dir)) as client:
        for needs, calls in CALLS.items():
            for method, path in calls:
                response = client.request(method, path, headers=sent(token))
                if has in (needs, "admin"):
                    assert response.status_code not in (401, 403), path
                    continue
                assert response.status_code == 403, path
                assert response.json()["type"] == "urn:segmentation:problem:forbidden"
                assert f"the scope {needs}," in response.json()["detail"]
        assert client.get("/nowhere", headers=sent(token)).status_code == 404
        assert client.delete("/segments", headers=sent(token)).status_code == 405


def test_what_a_key_may_not_do_is_not_done(store_url: str, models_dir: Path) -> None:
    reading = made(store_url, "read")
    with serving(settings_for(store_url, models_dir)) as client:
        assert client.post("/segment", json=by_features("unseen"), headers=sent(reading)).status_code == 403
        assert client.get("/customers/unseen", headers=sent(reading)).status_code == 404


def test_several_scopes_go_together(sqlite_url: str, models_dir: Path) -> None:
    token = made(sqlite_url, "score", "read")
    with serving(settings_for(sqlite_url, models_dir)) as client:
        assert client.post("/segment", json=by_features(), headers=sent(token)).status_code == 200
        assert client.get("/customers/17850", headers=sent(token)).status_code == 200
        assert client.post("/models/none/activate", headers=sent(token)).status_code == 403


# Beginning and end of keys -------------------------------------------------------------------------


def test_without_any_key_this_machine_is_answered_and_with_the_first_key_nobody_else(
    store_url: str, models_dir: Path
) -> None:
    with serving(settings_for(store_url, models_dir)) as client:
        assert client.get("/segments").status_code == 200
        token = made(store_url, "read")
        until(lambda: client.get("/segments").status_code == 401)
        assert client.get("/segments", headers=sent(token)).status_code == 200
        revoked(store_url, token)
        until(lambda: client.get("/segments", headers=sent(token)).status_code == 401)
        assert client.get("/segments").status_code == 401


def test_a_new_key_works_at_once_however_seldom_the_store_is_read(store_url: str, models_dir: Path) -> None:
    made(store_url, "read")
    with serving(settings_for(store_url, models_dir, key_poll_seconds=3600)) as client:
        assert client.get("/segments", headers=sent(made(store_url, "read"))).status_code == 200


def test_a_revoked_key_stops_by_itself(store_url: str, models_dir: Path) -> None:
    token = made(store_url, "read")
    with serving(settings_for(store_url, models_dir)) as client:
        assert client.get("/segments", headers=sent(token)).status_code == 200
        revoked(store_url, token)
        until(lambda: client.get("/segments", headers=sent(token)).status_code == 401)


def test_an_expired_key_stops_by_itself(store_url: str, models_dir: Path) -> None:
    token, clock = made(store_url, "read", expires_at=NOW + timedelta(hours=1)), [NOW]
    with serving(settings_for(store_url, models_dir), lambda: clock[0]) as client:
        assert client.get("/segments", headers=sent(token)).status_code == 200
        clock[0] = NOW + timedelta(hours=1)
        until(lambda: client.get("/segments", headers=sent(token)).status_code == 401)


def test_the_setting_is_a_key_with_all_scopes_beside_those_in_the_store(store_url: str, models_dir: Path) -> None:
    token = made(store_url, "read")
    with serving(settings_for(store_url, models_dir, api_key=KEY)) as client:
        for one in (token, KEY):
            assert client.get("/segments", headers=sent(one)).status_code == 200
        assert client.post("/models/none/activate", headers=sent(KEY)).status_code == 404


def test_all_refused_keys_get_the_same_answer(store_url: str, models_dir: Path) -> None:
    good, gone, past = made(store_url, "read"), made(store_url, "read"), made(store_url, "read", expires_at=NOW)
    elsewhere = made(store_url, "read", networks=("10.0.0.0/8",))
    revoked(store_url, gone)
    tokens = [gone.text, past.text, elsewhere.text, good.text[:-1] + "~", f"seg_{'0' * 12}_x", "seg_", "", "x" * 5_000]
    with serving(settings_for(store_url, models_dir)) as client:
        assert client.get("/segments", headers=sent(good)).status_code == 200
        answers = [client.get("/segments", headers=sent(token)) for token in tokens]
    bodies = [{**answer.json(), "request_id": ""} for answer in answers]
    assert [answer.status_code for answer in answers] == [401] * len(tokens)
    assert bodies == [bodies[0]] * len(tokens)


# The log -------------------------------------------------------------------------------------------


def told(url: str) -> list[tuple[str, str, str]]:
    """Who did what, to what: all of the log."""
    engine = open_engine(url)
    with engine.connect() as connection:
        entries = newest(connection, 1000)[::-1]
    engine.dispose()
    return [(one.who, one.what, one.subject) for one in entries]


def test_who_activated_a_model_is_in_the_log(store_url: str, own_models_dir: Path) -> None:
    token = made(store_url, "admin")
    with serving(settings_for(store_url, own_models_dir)) as client:
        version = client.get("/models", headers=sent(token)).json()["active"]
        assert client.post(f"/models/{version}/activate", headers=sent(token)).status_code == 200
        assert client.post("/models/none/activate", headers=sent(token)).status_code == 404
    assert (f"key {token.id} (shop CRM)", "model.activated", version) in told(store_url)
    assert len([one for one in told(store_url) if one[1] == "model.activated"]) == 1


def test_who_needs_no_key_is_anyone_in_the_log(sqlite_url: str, own_models_dir: Path, published: Published) -> None:
    with serving(settings_for(sqlite_url, own_models_dir)) as client:
        assert client.post(f"/models/{published.second}/activate").status_code == 200
    assert told(sqlite_url) == [("anyone", "model.activated", published.second)]


def test_the_use_of_keys_and_refusals_are_in_the_log_when_the_service_has_stopped(
    store_url: str, models_dir: Path
) -> None:
    token = made(store_url, "read")
    with serving(settings_for(store_url, models_dir, key_poll_seconds=3600)) as client:
        for _ in range(3):
            client.get("/segments", headers=sent(token))
            client.get("/segments", headers=sent("seg_wrong"))
        client.post("/segment", json=by_features(), headers=sent(token))
    assert told(store_url)[1:] == [
        (f"key {token.id} (shop CRM)", "key.used", token.id),
        ("service", "key.refused", "requests refused: 1 beyond the key's scopes, 3 without a valid key"),
    ]


# The database is away ------------------------------------------------------------------------------


def without_keys(url: str) -> None:
    """Takes the table of keys away, as a database that is away would."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE api_keys RENAME TO gone"))
    engine.dispose()


def test_known_keys_stay_good_while_the_store_cannot_be_read(store_url: str, models_dir: Path) -> None:
    token = made(store_url, "read")
    with serving(settings_for(store_url, models_dir)) as client:
        without_keys(store_url)
        until(lambda: client.get("/segments", headers=sent("seg_wrong")).status_code == 401)
        assert client.get("/segments", headers=sent(token)).status_code == 200


def test_before_the_keys_were_read_nobody_is_let_in_but_by_the_setting(store_url: str, models_dir: Path) -> None:
    token = made(store_url, "read")
    without_keys(store_url)
    with serving(settings_for(store_url, models_dir, api_key=KEY)) as client:
        response = client.get("/segments", headers=sent(token))
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert client.get("/segments", headers=sent(KEY)).status_code == 200
    with serving(settings_for(store_url, models_dir)) as client:
        assert client.get("/segments").status_code == 503
        assert client.get("/health/live").status_code == 200


def test_what_ready_tells_beyond_its_status_is_for_keys_that_may_read(
    sqlite_url: str, models_dir: Path, published: Published
) -> None:
    scoring, reading = made(sqlite_url, "score"), made(sqlite_url, "read")
    with serving(settings_for(sqlite_url, models_dir, api_key=KEY)) as client:
        for headers in ({}, sent(scoring), sent("wrong")):
            assert client.get("/health/ready", headers=headers).json() == {"status": "ready"}
        for token in (reading, KEY):
            told = client.get("/health/ready", headers=sent(token)).json()
            assert (told["model_version"], told["trouble"]) == (published.first, None)
            assert [check["name"] for check in told["checks"]] == ["running", "model", "migrations", "store"]


def test_why_it_is_not_ready_is_for_keys_that_may_read(store_url: str, tmp_path: Path) -> None:
    reading = made(store_url, "read")
    with serving(settings_for(store_url, tmp_path / "none")) as client:
        engine = open_engine(store_url)
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE alembic_version RENAME TO gone"))
        engine.dispose()
        stranger, reader = client.get("/health/ready"), client.get("/health/ready", headers=sent(reading))
    assert stranger.status_code == reader.status_code == 503
    assert stranger.json()["checks"] == [
        {"name": "model", "ok": False, "detail": "it has no model to answer with"},
        {
            "name": "migrations",
            "ok": False,
            "detail": "its database lacks migrations; run: python -m service db upgrade",
        },
    ]
    assert stranger.json()["detail"] == "; ".join(check["detail"] for check in stranger.json()["checks"])
    assert "no model is active" in reader.json()["detail"]
    assert all("seconds" in check for check in reader.json()["checks"])


@pytest.mark.parametrize("address", ["/segments", "/segments/1", "/models", "/metrics", "/customers/1", "/models/none"])
def test_a_line_break_after_an_address_gets_past_no_scope(store_url: str, models_dir: Path, address: str) -> None:
    token = made(store_url, "score")
    with serving(settings_for(store_url, models_dir)) as client:
        for sent_as in (
            address,
            f"{address}%0A",
            f"{address}%0A%0A",
            f"{address}/",
            f"{address}/%0A",
            f"{address}%0D%0A",
        ):
            assert client.get(sent_as, headers=sent(token)).status_code != 200, sent_as
