"""`db backup` and `db restore`, shown by restoring."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from benchmarks.callers import Callers
from benchmarks.reckoning import reckon, segment_names
from models.registry import Registry
from service.__main__ import main
from service.settings import Settings
from service.store.database import downgrade, open_engine, pending, upgrade
from service.store.personal_data import PersonalData
from tests.service.requests import by_features
from tests.service.server import server
from tests.service.serving import NOW, serving, settings_for, until


def db(monkeypatch: pytest.MonkeyPatch, url: str, *arguments: str) -> int:
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", url)
    assert Settings().database_url == SecretStr(url)
    return main(["db", *arguments])


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_a_backup_made_under_load_has_all_that_was_acknowledged_before_it_and_is_restored_whole(
    sqlite_url: str,
    models_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backup = tmp_path / "backup.sqlite3"
    with server(database_url=sqlite_url, models_dir=models_dir) as running, Callers(running.port, 2) as callers:
        until(lambda: len(callers.answers) >= 200)
        before = list(callers.answers)
        assert db(monkeypatch, sqlite_url, "backup", str(backup)) == 0
        assert db(monkeypatch, sqlite_url, "restore", str(backup)) == 1
        assert "is in use" in capsys.readouterr().err
        until(lambda: len(callers.answers) >= len(before) + 100)
    assert callers.refused == []
    assert db(monkeypatch, sqlite_url, "restore", str(backup)) == 0
    assert reckon(sqlite_url, before, segment_names(Registry(models_dir))).faults == []

    (aside,) = tmp_path.glob("*.before-*Z")
    assert reckon(f"sqlite:///{aside}", callers.answers, segment_names(Registry(models_dir))).faults == []
    assert not list(tmp_path.glob(".*partial"))
    with server(database_url=sqlite_url, models_dir=models_dir) as running:
        assert httpx.post(f"{running.url}/segment", json=by_features(), timeout=60).status_code == 200
        known = httpx.get(f"{running.url}/customers/{before[0].customer_id}", timeout=60)
        assert known.status_code == 200


def test_a_service_at_rest_keeps_a_backup_from_being_restored(
    sqlite_url: str,
    models_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    backup = tmp_path / "backup.sqlite3"
    assert db(monkeypatch, sqlite_url, "backup", str(backup)) == 0
    with server(database_url=sqlite_url, models_dir=models_dir, workers=2) as running:
        assert httpx.get(f"{running.url}/health/live", timeout=60).status_code == 200
        assert db(monkeypatch, sqlite_url, "restore", str(backup)) == 1
    assert "stop the service" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.before-*"))


def test_a_damaged_database_is_replaced_and_kept_once_that_is_asked_for_by_name(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = tmp_path / "backup.sqlite3"
    assert db(monkeypatch, sqlite_url, "backup", str(backup)) == 0
    path_of(sqlite_url).write_bytes(b"not a database at all " * 1000)
    assert db(monkeypatch, sqlite_url, "restore", str(backup)) == 1  # nobody can know who was suppressed in it
    said = capsys.readouterr().err
    assert "It cannot be read who was suppressed or erased since the backup" in said
    assert "add --lose-suppressions" in said
    assert path_of(sqlite_url).read_bytes().startswith(b"not a database")
    assert db(monkeypatch, sqlite_url, "restore", str(backup), "--lose-suppressions") == 0
    (aside,) = tmp_path.glob("*.before-*Z")
    assert aside.read_bytes().startswith(b"not a database")
    with closing(sqlite3.connect(path_of(sqlite_url))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_backup_of_an_earlier_version_says_what_to_run(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = open_engine(sqlite_url)
    downgrade(engine, "0003")
    engine.dispose()
    backup = tmp_path / "backup.sqlite3"
    assert db(monkeypatch, sqlite_url, "backup", str(backup)) == 0
    assert db(monkeypatch, f"sqlite:///{tmp_path / 'new.sqlite3'}", "restore", str(backup)) == 0
    assert "not applied: 0004" in capsys.readouterr().out


def test_a_restored_backup_has_the_suppressions_and_erasures_made_since(
    sqlite_url: str, models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    backup = tmp_path / "backup.sqlite3"
    moment = [NOW]

    def clock() -> datetime:
        return moment[0]

    with serving(settings_for(sqlite_url, models_dir), clock) as client:
        for one in ("suppressed", "erased", "stays"):
            sent = {"idempotency-key": one}
            assert client.post("/segment", json=by_features(one), headers=sent).status_code == 200
        client.delete("/customers/lifted?suppress=true")
        assert db(monkeypatch, sqlite_url, "backup", str(backup)) == 0
        moment[0] += timedelta(hours=2)
        client.delete("/customers/suppressed?suppress=true")
        client.delete("/customers/erased")
        assert client.post("/segment", json=by_features("after the backup")).status_code == 200
    assert main(["customers", "unsuppress", "lifted"]) == 0
    capsys.readouterr()
    assert db(monkeypatch, sqlite_url, "restore", str(backup)) == 0
    said = capsys.readouterr().out
    assert "carried over from the database before: 1 customers suppressed" in said
    assert "1 suppressed no longer, 2 answers erased" in said
    assert not list(tmp_path.glob(".*partial*"))
    with serving(settings_for(sqlite_url, models_dir), clock) as client:
        assert [client.get(f"/customers/{one}").status_code for one in ("suppressed", "erased", "stays")] == [
            404, 404, 200,
        ]  # fmt: skip
        for headers in ({}, {"idempotency-key": "suppressed"}):
            assert client.post("/segment", json=by_features("suppressed"), headers=headers).status_code == 409
        assert client.post("/segment", json=by_features("erased")).status_code == 200
        assert client.post("/segment", json=by_features("lifted")).status_code == 200
        acts = client.get("/customers/suppressed/export").json()["audit"]
        assert [(one["what"], one["who"]) for one in acts] == [("customer.suppressed", "command line")]
    assert main(["audit", "verify"]) == 0
    capsys.readouterr()
    assert main(["audit", "list", "--limit", "9"]) == 0
    assert "database.restored  backup.sqlite3  by command line" in capsys.readouterr().out


def test_a_backup_is_restored_without_the_suppressions_made_since_where_that_is_asked_for_by_name(
    sqlite_url: str, models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    backup = tmp_path / "backup.sqlite3"
    with serving(settings_for(sqlite_url, models_dir)) as client:
        assert client.post("/segment", json=by_features()).status_code == 200
        assert db(monkeypatch, sqlite_url, "backup", str(backup)) == 0
        client.delete("/customers/17850?suppress=true")
    assert db(monkeypatch, sqlite_url, "restore", str(backup), "--lose-suppressions") == 0
    assert "carried over" not in capsys.readouterr().out
    with serving(settings_for(sqlite_url, models_dir)) as client:
        assert client.get("/customers/17850").status_code == 200
        assert client.post("/segment", json=by_features()).status_code == 200


def test_a_backup_from_before_there_was_a_list_gets_it(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = tmp_path / "backup.sqlite3"
    engine = open_engine(sqlite_url)
    downgrade(engine, "0005")
    assert db(monkeypatch, sqlite_url, "backup", str(backup)) == 0
    upgrade(engine)
    PersonalData(engine).erase("17850", "me", NOW, suppress=True)
    before = PersonalData(engine).suppressed()
    engine.dispose()
    assert db(monkeypatch, sqlite_url, "restore", str(backup)) == 0
    assert "1 customers suppressed" in capsys.readouterr().out
    assert PersonalData(engine).suppressed() == before
    known = PersonalData(engine).list_after(None, NOW)
    engine.dispose()
    assert known is not None
    assert known.digest("17850") in known.suppressed


def test_the_backup_of_another_store_is_refused_where_the_suppressed_cannot_be_told_in_it(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Digests are made with a key of the store's own; without any suppression there is nothing to be told."""
    other, backup = f"sqlite:///{tmp_path / 'other.sqlite3'}", tmp_path / "backup.sqlite3"
    engine, others = open_engine(sqlite_url), open_engine(other)
    upgrade(others)
    PersonalData(others).erase("1", "me", NOW, suppress=True)
    others.dispose()
    assert db(monkeypatch, other, "backup", str(backup)) == 0
    PersonalData(engine).erase("17850", "me", NOW, suppress=True)
    engine.dispose()
    assert db(monkeypatch, sqlite_url, "restore", str(backup)) == 1
    said = capsys.readouterr().err
    assert "The backup is of another store" in said
    assert "add --lose-suppressions" in said
    assert not list(tmp_path.glob("*.before-*"))
    assert not list(tmp_path.glob(".*partial*"))
    assert [one.digest for one in PersonalData(engine).suppressed()] != []
    engine.dispose()
    assert db(monkeypatch, f"sqlite:///{tmp_path / 'new.sqlite3'}", "upgrade") == 0
    assert db(monkeypatch, f"sqlite:///{tmp_path / 'new.sqlite3'}", "restore", str(backup)) == 0


@pytest.mark.parametrize("revision", ["0005", "0001", "base"])
def test_a_downgrade_that_loses_the_suppression_list_is_asked_for_by_name(
    database_url: str, revision: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = open_engine(database_url)
    PersonalData(engine).erase("17850", "me", NOW, suppress=True)
    before = PersonalData(engine).suppressed()
    engine.dispose()
    assert db(monkeypatch, database_url, "downgrade", revision) == 1
    said = capsys.readouterr().err
    assert "The list of the suppressed has 1 customers" in said
    assert f"python -m service db downgrade {revision} --lose-suppressions" in said
    assert PersonalData(engine).suppressed() == before
    assert pending(engine) == []
    engine.dispose()
    assert db(monkeypatch, database_url, "downgrade", "0006") == 0
    assert PersonalData(engine).suppressed() == before
    engine.dispose()
    assert db(monkeypatch, database_url, "downgrade", revision, "--lose-suppressions") == 0
    engine.dispose()


def test_a_downgrade_that_loses_an_empty_list_need_not_be(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert db(monkeypatch, database_url, "downgrade", "0005") == 0
    assert "not applied: 0006" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("made", "said"),
    [(None, "is not there"), (b"no database " * 500, "not a database"), (b"", "a database of something else")],
)
def test_what_is_no_backup_is_not_restored(
    made: bytes | None,
    said: str,
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = path_of(sqlite_url).read_bytes()
    backup = tmp_path / "backup.sqlite3"
    if made is not None:
        backup.write_bytes(made)
    assert db(monkeypatch, sqlite_url, "restore", str(backup)) == 1
    assert said in capsys.readouterr().err
    assert path_of(sqlite_url).read_bytes() == before
    assert not list(tmp_path.glob(".*partial*"))


def test_a_file_that_is_there_is_not_overwritten(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert db(monkeypatch, sqlite_url, "backup", str(taken)) == 1
    assert "is there already" in capsys.readouterr().err
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("action", ["backup", "restore"])
def test_for_postgresql_its_own_programs_are_named(
    action: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert db(monkeypatch, "postgresql://nobody@127.0.0.1:1/none", action, str(tmp_path / "file")) == 1
    assert "pg_dump" in (said := capsys.readouterr().err) or "pg_restore" in said


def test_a_backup_that_is_killed_leaves_no_file_by_its_name(sqlite_url: str, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from service.store import backup;"
        " from service.store.database import open_engine;"
        " backup._check = lambda file: (print('copied', flush=True), sys.stdin.readline());"
        " backup.back_up(open_engine(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", program, sqlite_url, str(tmp_path / "backup.sqlite3")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "copied\n"
        killed.kill()
    assert not (tmp_path / "backup.sqlite3").exists()
