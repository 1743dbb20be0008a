"""`db backup` and `db restore`, shown by restoring."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from benchmarks.callers import Callers
from benchmarks.reckoning import reckon, segment_names
from models.registry import Registry
from service.__main__ import main
from service.settings import Settings
from service.store.database import downgrade, open_engine
from tests.service.requests import by_features
from tests.service.server import server
from tests.service.serving import until


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


def test_a_damaged_database_is_replaced_and_kept(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = tmp_path / "backup.sqlite3"
    assert db(monkeypatch, sqlite_url, "backup", str(backup)) == 0
    path_of(sqlite_url).write_bytes(b"not a database at all " * 1000)
    assert db(monkeypatch, sqlite_url, "restore", str(backup)) == 0
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
