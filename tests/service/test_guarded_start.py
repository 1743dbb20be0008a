"""Beyond loopback the service starts with a key only, or where somebody said by name that it needs none."""

import signal
import sqlite3
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from tests.service.callers import made, revoked, sent
from tests.service.server import server
from tests.service.serving import until

ANYWHERE = "0.0.0.0"
KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("workers", [1, 2])
def test_without_a_key_it_does_not_start_and_says_how_to_make_one(
    sqlite_url: str, models_dir: Path, workers: int
) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, host=ANYWHERE, workers=workers) as running:
        assert running.wait() == 1
    (said,) = [line for line in running.log if "SEGMENTATION_HOST is 0.0.0.0, which others can reach" in line]
    assert "python -m service keys create --scope score" in said
    assert not any("Traceback" in line for line in running.log)


def test_it_does_not_start_on_a_new_database_either(tmp_path: Path, models_dir: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    with server(database_url=url, models_dir=models_dir, host=ANYWHERE) as running:
        assert running.wait() == 1


@pytest.mark.parametrize("settings", [{"allow_no_key": True}, {"api_key": KEY}])
def test_it_starts_where_a_setting_allows_it(sqlite_url: str, models_dir: Path, settings: dict[str, object]) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, host=ANYWHERE, **settings) as running:
        expected = 401 if "api_key" in settings else 200
        assert httpx.get(f"{running.url}/segments", timeout=60).status_code == expected
        assert httpx.get(f"{running.url}/segments", headers=sent(KEY)).status_code == 200


def test_it_starts_with_a_key_in_the_database(store_url: str, models_dir: Path) -> None:
    token = made(store_url, "read")
    with server(database_url=store_url, models_dir=models_dir, host=ANYWHERE) as running:
        assert httpx.get(f"{running.url}/segments", timeout=60).status_code == 401
        assert httpx.get(f"{running.url}/segments", headers=sent(token)).status_code == 200


def test_a_database_that_does_not_answer_lets_it_start_and_nobody_in(models_dir: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    with server(database_url=url, models_dir=models_dir, host=ANYWHERE) as running:
        assert httpx.get(f"{running.url}/segments", timeout=60).status_code == 503
        assert httpx.get(f"{running.url}/health/live").status_code == 200


def test_keys_for_networks_are_held_to_the_connection_and_to_trusted_proxies(sqlite_url: str, models_dir: Path) -> None:
    elsewhere = made(sqlite_url, "read", networks=("192.0.2.0/24",))
    forwarded = {**sent(elsewhere), "x-forwarded-for": "198.51.100.1, 192.0.2.7"}
    with server(database_url=sqlite_url, models_dir=models_dir) as running:
        assert httpx.get(f"{running.url}/segments", headers=sent(elsewhere), timeout=60).status_code == 401
        assert httpx.get(f"{running.url}/segments", headers=forwarded).status_code == 401
    with server(database_url=sqlite_url, models_dir=models_dir, trusted_proxies="127.0.0.0/8") as running:
        assert httpx.get(f"{running.url}/segments", headers=forwarded, timeout=60).status_code == 200


def test_a_revoked_key_stops_in_every_process(store_url: str, models_dir: Path) -> None:
    token = made(store_url, "read")
    with server(database_url=store_url, models_dir=models_dir, workers=2) as running:

        def statuses() -> set[int]:
            """Of many connections, so that each process takes some."""
            url, key = f"{running.url}/segments", sent(token)
            return {httpx.get(url, headers=key, timeout=60).status_code for _ in range(20)}

        assert statuses() == {200}
        revoked(store_url, token)
        until(lambda: statuses() == {401})


def test_no_secret_is_in_the_log_or_the_store(sqlite_url: str, models_dir: Path) -> None:
    tokens = [made(sqlite_url, "read"), made(sqlite_url, "score"), made(sqlite_url, "admin")]
    revoked(sqlite_url, tokens[1])
    with server(database_url=sqlite_url, models_dir=models_dir, api_key=KEY) as running:
        for token in (*[one.text for one in tokens], KEY, "seg_000000000000_guessed"):
            httpx.get(f"{running.url}/segments", headers=sent(token), timeout=60)
            httpx.get(f"{running.url}/segments?key={token}", headers={"authorization": token})
        running.signal(signal.SIGTERM)
        assert running.wait() == 0
    path = sa.make_url(sqlite_url).database
    assert path is not None
    with sqlite3.connect(path) as connection:
        everything = "\n".join([*connection.iterdump(), *running.log])
    connection.close()
    secrets = [one.text.split("_", 2)[2] for one in tokens] + [KEY, "guessed"]
    assert [secret for secret in secrets if secret in everything] == []
    assert "key.refused" in everything
