"""GET /health/live and /health/ready."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from models.registry import Registry
from service.state import Service
from service.store.database import downgrade, open_engine, upgrade
from tests.published import Published
from tests.service.metrics.exposed import parsed, total
from tests.service.requests import by_features
from tests.service.serving import TestClient, serving, settings_for, until
from tests.service.stored import drop_tables


def not_ready(client: TestClient) -> dict[str, Any]:
    """The problem of a service that lives and is not ready."""
    assert client.get("/health/live").json() == {"status": "live"}
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert int(response.headers["retry-after"]) >= 1
    problem: dict[str, Any] = response.json()
    return problem


def test_a_service_that_can_answer_is_ready(client: TestClient, published: Published) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {
        "status": "ready",
        "model_version": published.first,
        "store_seconds": ready.json()["store_seconds"],
        "trouble": None,
        "checks": ready.json()["checks"],
    }
    checks = ready.json()["checks"]
    assert [(check["name"], check["ok"]) for check in checks] == [
        ("running", True), ("model", True), ("migrations", True), ("store", True),
    ]  # fmt: skip
    assert checks[-1]["seconds"] == ready.json()["store_seconds"]
    assert all(check["detail"] for check in checks)


def test_everything_that_fails_is_told_with_its_reason(store_url: str, tmp_path: Path) -> None:
    engine = open_engine(store_url)
    downgrade(engine, "0001")
    engine.dispose()
    key = "0123456789abcdef0123456789abcdef"  # those in the database cannot be read
    with serving(settings_for(store_url, tmp_path / "none", api_key=key)) as client:
        client.headers["authorization"] = f"Bearer {key}"
        if engine.dialect.name == "sqlite":  # was upgraded at its start
            downgrade(engine, "0001")
            engine.dispose()
        problem = not_ready(client)
    failed = {check["name"]: check["detail"] for check in problem["checks"] if not check["ok"]}
    assert "no model is active" in failed["model"]
    assert re.match(r"the database lacks \d migration\(s\)", failed["migrations"])
    assert problem["detail"] == f"{failed['model']}; {failed['migrations']}"


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_database_that_hangs_is_waited_for_only_so_long_and_others_are_answered(
    store_url: str, models_dir: Path
) -> None:
    with serving(settings_for(store_url, models_dir, ready_seconds=0.3)) as client:
        assert client.get("/health/ready").status_code == 200
        with psycopg.connect(store_url.replace("+psycopg", "", 1)) as holding:
            holding.execute("LOCK TABLE assignments, alembic_version IN ACCESS EXCLUSIVE MODE")
            for _ in range(5):  # more than there are threads for it
                problem = not_ready(client)
                assert problem["type"] == "urn:segmentation:problem:store-unavailable"
                assert "The database has not answered for 0.3 s" in problem["detail"]
            assert client.get("/metrics").status_code == 200
        until(lambda: client.get("/health/ready").status_code == 200)
        # those who were not waited for have their answer, and are done
        until(lambda: total(parsed(client.get("/metrics").text), "segmentation_database_pool_in_use") == 0)


def test_a_service_that_was_told_to_stop_is_not_ready_and_goes_on_answering(client: TestClient) -> None:
    service: Service = client.app.state.service  # type: ignore[attr-defined]
    service.readiness.stop()
    problem = not_ready(client)
    assert problem["type"] == "urn:segmentation:problem:not-ready"
    assert problem["detail"].startswith("stopping: ")
    assert client.post("/segment", json=by_features()).status_code == 200


def test_without_a_model_it_lives_and_is_not_ready(store_url: str, tmp_path: Path) -> None:
    with serving(settings_for(store_url, tmp_path / "none")) as client:
        problem = not_ready(client)
        assert problem["type"] == "urn:segmentation:problem:not-ready"
        assert "no model is active" in problem["detail"]
        assert "python -m training fit" in problem["detail"]
        assert client.get("/models").json()["trouble"] == problem["detail"]


def test_with_a_model_it_cannot_serve_it_says_why(store_url: str, own_models_dir: Path) -> None:
    version = Registry(own_models_dir).active()
    (own_models_dir / version / "scorer.json").unlink()
    with serving(settings_for(store_url, own_models_dir)) as client:
        assert "scorer.json cannot be read" in not_ready(client)["detail"]


def test_an_empty_postgresql_waits_for_its_migrations_and_an_empty_sqlite_gets_them(
    empty_database_url: str, backend: str, models_dir: Path
) -> None:
    with serving(settings_for(empty_database_url, models_dir)) as client:
        if backend == "postgresql":
            problem = not_ready(client)
            assert problem["detail"] == "its database lacks migrations; run: python -m service db upgrade"
            assert client.post("/segment", json=by_features()).status_code == 503
            engine = open_engine(empty_database_url)
            upgrade(engine)
            engine.dispose()
        until(lambda: client.get("/health/ready").status_code == 200)
        until(lambda: client.post("/segment", json=by_features()).status_code == 200)


def test_a_database_taken_back_below_this_version_is_not_ready(client: TestClient, store_url: str) -> None:
    engine = open_engine(store_url)
    downgrade(engine, "base")
    engine.dispose()
    assert "the database lacks" in not_ready(client)["detail"]


def test_with_its_tables_gone_it_is_not_ready(client: TestClient, store_url: str) -> None:
    drop_tables(store_url)
    problem = not_ready(client)
    assert problem["type"] == "urn:segmentation:problem:store-unavailable"
    response = client.post("/segment", json=by_features())
    assert response.status_code == 503
    assert response.json()["type"] == "urn:segmentation:problem:store-unavailable"
    assert int(response.headers["retry-after"]) >= 1


def admit(server_url: str, database: str, allowed: bool) -> None:
    """Let nobody into a database and throw out whoever is in it, or let them in again."""
    with psycopg.connect(server_url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS {str(allowed).lower()}".encode())
        if not allowed:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(query, [database])


@pytest.mark.parametrize("backend", ["postgresql"])
def test_with_the_database_gone_it_is_not_ready_and_recovers_when_it_is_back(
    client: TestClient, store_url: str, postgresql_url: str
) -> None:
    database = sa.make_url(store_url).database or ""
    assert client.post("/segment", json=by_features()).status_code == 200
    admit(postgresql_url, database, allowed=False)
    problem = not_ready(client)
    assert problem["type"] == "urn:segmentation:problem:store-unavailable"
    assert "The database cannot be used just now" in problem["detail"]
    assert client.post("/segment", json=by_features()).status_code == 503
    admit(postgresql_url, database, allowed=True)
    until(lambda: client.get("/health/ready").status_code == 200)
    until(lambda: client.post("/segment", json=by_features()).status_code == 200)
    assert len(client.get("/customers/17850/history").json()["answers"]) == 2
