"""What a database says of itself in trouble: nobody is told who asks over HTTP, and those who run the service are."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from models.registry import Registry
from service.__main__ import main
from service.log import JsonLines
from service.repetition import EVERY_SECONDS, Repetition
from service.store.database import open_engine
from service.store.errors import UnusableDatabaseUrl
from service.store.trouble import refused, unstored
from tests.service.callers import sent
from tests.service.requests import by_features
from tests.service.serving import TestClient, serving, settings_for, until

KEY = "0123456789abcdef0123456789abcdef"
SECRET = "hush_hush"
PATHS = {"segment_id": "1", "id": "17850", "version": "20111210-0123456789abcdef"}
BODIES: Mapping[str, Any] = {"/segment": by_features(), "/segment/batch": [by_features()] * 3}
# What drivers, the pool and the operating system say.
WORDS = ("telltale", SECRET, "127.0.0.1", "no such table", "does not exist", "connection", "psycopg", "sqlite3.",
         "rror(", "Errno", "SELECT", "INSERT")  # fmt: skip


@pytest.fixture
def troubled_url(backend: str, store_url: str, tmp_path: Path) -> Iterator[str]:
    """A database whose errors name what nobody is to know: a folder and tables, or a role and a server."""
    if backend == "postgresql":
        yield sa.make_url(store_url).set(username="telltale_role", password=SECRET).render_as_string(False)
        return
    folder = tmp_path / "telltale_folder"
    folder.mkdir()
    path = Path(sa.make_url(store_url).database or "").rename(folder / "store.sqlite3")
    (folder / "store.sqlite3-turn").mkdir()  # no writer can take its turn
    engine = open_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for table in ("customers", "idempotency_keys", "verified_models"):
            connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO gone_{table}"))
    engine.dispose()
    yield f"sqlite:///{path}"


def all_answers(client: TestClient) -> Iterator[tuple[str, int, str]]:
    """Every call, with and without an Idempotency-Key, and what it is answered."""
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            for more in ({}, {"idempotency-key": "a-key-of-ours"}):
                headers = {**more, **sent(KEY)}
                found = client.request(method, path.format(**PATHS), json=BODIES.get(path), headers=headers)
                assert found.status_code != 503 or int(found.headers["retry-after"]) >= 1
                assert found.status_code < 500 or found.status_code == 503
                yield f"{method} {path}", found.status_code, f"{found.headers} {found.text}"


def asked(client: TestClient) -> tuple[Mapping[str, int], list[tuple[str, str]]]:
    """The statuses of all calls, and who told what nobody is to be told."""
    answers = list(all_answers(client))
    told = [(call, word) for call, _, text in answers for word in WORDS if word in text]
    return {call: status for call, status, _ in answers}, told


def said(caplog: pytest.LogCaptureFixture) -> str:
    """The log as it is written."""
    return "\n".join(map(JsonLines().format, caplog.records))


def test_no_answer_names_the_inside_and_the_log_gives_the_reason(
    troubled_url: str, backend: str, models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with serving(settings_for(troubled_url, models_dir, api_key=KEY)) as client:
        found, told = asked(client)
        problem = client.post("/segment", json=by_features(), headers=sent(KEY)).json()
    assert told == []
    assert found["post /segment"] == found["post /segment/batch"] == found["get /customers/{id}"] == 503
    assert "try again" in problem["detail"]
    reasons = [fields["reason"] for one in caplog.records if "reason" in (fields := getattr(one, "fields", {}))]
    assert any("telltale" in reason for reason in reasons)
    assert SECRET not in said(caplog)
    if backend == "sqlite":
        assert any("no such table: customers" in reason for reason in reasons)


def test_nor_does_one_where_the_trouble_comes_later(
    store_url: str, models_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(settings_for(store_url, models_dir, api_key=KEY)) as client:
        engine = open_engine(store_url)
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE customers RENAME TO telltale_too"))
            connection.execute(sa.text("ALTER TABLE assignments RENAME TO telltale"))
        engine.dispose()
        found, told = asked(client)
    assert told == []
    assert {found[call] for call in ("post /segment", "get /customers/{id}", "delete /customers/{id}")} == {503}
    assert "assignments" in said(caplog)


def test_before_the_keys_could_be_read_callers_are_told_when_to_come_again(
    troubled_url: str, backend: str, models_dir: Path
) -> None:
    if backend == "sqlite":
        engine = open_engine(troubled_url)
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE api_keys RENAME TO telltale_keys"))
        engine.dispose()
    with serving(settings_for(troubled_url, models_dir)) as client:
        answer = client.get("/segments", headers=sent(KEY))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["detail"] == "the keys could not be read from the database yet; try again in a moment"


def test_check_and_other_commands_give_the_reason(
    troubled_url: str,
    backend: str,
    models_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {"DATABASE_URL": troubled_url, "MODELS_DIR": str(models_dir), "PORT": "0"}.items():
        monkeypatch.setenv(f"SEGMENTATION_{name}", value)
    reason = "telltale_role" if backend == "postgresql" else "no such table: verified_models"
    assert main(["check"]) == 1
    checked = capsys.readouterr()
    assert reason in checked.out
    if backend == "postgresql":
        assert main(["db", "upgrade"]) == 1
        upgraded = capsys.readouterr()
        assert reason in upgraded.err
        assert SECRET not in checked.out + checked.err + upgraded.out + upgraded.err


@pytest.mark.parametrize("broken", ["nothing is active", "ACTIVE", "playbooks"])
def test_a_model_that_cannot_be_served_names_no_path_but_in_the_log(
    broken: str, sqlite_url: str, own_models_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = own_models_dir.rename(tmp_path / "telltale_models")
    version, playbooks = Registry(folder).active(), None
    if broken != "playbooks":
        (folder / "ACTIVE").unlink()
    if broken == "ACTIVE":
        (folder / "ACTIVE").mkdir()
    if broken == "playbooks":
        playbooks = tmp_path / "telltale_playbooks.json"
        playbooks.write_text("{}")
    with serving(settings_for(sqlite_url, folder, playbooks=playbooks)) as client:
        until(lambda: client.get("/models").json()["trouble"] is not None)
        answers = [client.get("/models"), client.get("/health/ready"), client.post("/segment", json=by_features())]
        if playbooks is not None:
            answers.append(client.post(f"/models/{version}/activate"))
            assert answers[-1].status_code == 409
    assert [one.status_code for one in answers[1:3]] == [503, 503]
    assert [one.text for one in answers if "telltale" in one.text or str(tmp_path) in one.text] == []
    assert str(playbooks or folder) in said(caplog)


def test_a_row_that_is_refused_is_not_repeated() -> None:
    refusal = refused(ValueError("invalid input for customer 17850"))
    assert "17850" not in str(refusal) + refusal.report
    assert "17850" not in unstored(KeyError("17850")).report


def test_a_password_that_was_not_escaped_is_not_taken_for_a_host() -> None:
    with pytest.raises(UnusableDatabaseUrl, match="%40") as refusal:
        open_engine(f"postgresql://somebody:half@{SECRET}@127.0.0.1/database")
    assert SECRET not in str(refusal.value)


def test_what_repeats_is_logged_now_and_then() -> None:
    now = [0.0]
    seldom = Repetition(lambda: now[0])

    def passes(repeats: str | None) -> bool:
        record = logging.makeLogRecord({"repeats": repeats} if repeats else {})
        return bool(seldom.filter(record))

    assert [passes("away"), passes("away"), passes("full"), passes(None), passes(None)] == [
        True, False, True, True, True,
    ]  # fmt: skip
    now[0] += EVERY_SECONDS
    assert [passes("away"), passes("away")] == [True, False]
