"""`python -m service check`: what is looked at before a start."""

import json
import os
import socket
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from models.registry import Registry
from service.__main__ import main
from service.app import utc_now
from service.preflight import Finding, look
from service.settings import Settings
from service.store.database import downgrade, open_engine
from service.store.schema import verified_models
from tests.service.callers import made
from tests.service.serving import settings_for


def found(settings: Settings, environment: tuple[str, ...] = ()) -> dict[str, Finding]:
    return {one.name: one for one in look(settings, utc_now(), environment)}


def failed(settings: Settings) -> dict[str, Finding]:
    return {name: one for name, one in found(settings).items() if not one.ok}


def test_where_all_is_well_nothing_fails_and_nothing_is_left_behind(store_url: str, models_dir: Path) -> None:
    assert failed(settings_for(store_url, models_dir, port=0)) == {}
    engine = open_engine(store_url)
    with engine.connect() as connection:
        digests = connection.execute(sa.select(verified_models.c.digest)).scalars().all()
    engine.dispose()
    assert "a trial" not in digests


def test_a_port_that_is_taken_fails(sqlite_url: str, models_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wrong = failed(settings_for(sqlite_url, models_dir, port=taken.getsockname()[1]))
    assert set(wrong) == {"port"}
    assert "SEGMENTATION_PORT" in wrong["port"].hint


def test_where_others_can_reach_it_a_key_must_be_there(sqlite_url: str, models_dir: Path) -> None:
    settings = settings_for(sqlite_url, models_dir, port=0, host="0.0.0.0")
    assert "keys create" in failed(settings)["key"].hint
    made(sqlite_url, "score")
    assert failed(settings) == {}


def test_a_model_that_is_missing_or_broken_fails(sqlite_url: str, own_models_dir: Path, tmp_path: Path) -> None:
    assert "is not there" in failed(settings_for(sqlite_url, tmp_path / "none", port=0))["models"].detail
    (tmp_path / "empty").mkdir()
    assert "no model is active" in failed(settings_for(sqlite_url, tmp_path / "empty", port=0))["models"].detail
    version = Registry(own_models_dir).active()
    (own_models_dir / version / "scorer.json").write_bytes(b"{}")
    assert f"{version} is refused" in failed(settings_for(sqlite_url, own_models_dir, port=0))["models"].detail


def test_a_database_without_its_tables_fails_where_a_start_would_not_make_them(
    empty_database_url: str, backend: str, models_dir: Path
) -> None:
    wrong = failed(settings_for(empty_database_url, models_dir, port=0))
    assert set(wrong) == ({"database"} if backend == "postgresql" else set())
    if backend == "postgresql":
        assert wrong["database"].hint == "run: python -m service db upgrade"


def test_an_older_sqlite_is_told_of(sqlite_url: str, models_dir: Path) -> None:
    engine = open_engine(sqlite_url)
    downgrade(engine, "0001")
    engine.dispose()
    assert "will be applied at start" in found(settings_for(sqlite_url, models_dir, port=0))["database"].detail


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_database_that_takes_nothing_fails(store_url: str, models_dir: Path) -> None:
    read_only = store_url + "&options=-cdefault_transaction_read_only%3Don"
    wrong = failed(settings_for(read_only, models_dir, port=0))
    assert set(wrong) == {"database"}
    assert "read-only" in wrong["database"].detail


def test_a_database_that_nobody_answers_for_fails(models_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    wrong = failed(settings_for(f"postgresql://somebody@127.0.0.1:{port}/none", models_dir, port=0))
    assert set(wrong) == {"database"}


def test_a_clock_that_is_before_what_is_here_fails(sqlite_url: str, own_models_dir: Path) -> None:
    manifest = own_models_dir / Registry(own_models_dir).active() / "manifest.json"
    later = (utc_now() + timedelta(days=2)).timestamp()
    os.utime(manifest, (later, later))
    assert set(failed(settings_for(sqlite_url, own_models_dir, port=0))) == {"clock"}


def test_what_looks_like_a_setting_and_is_none_is_told(sqlite_url: str, models_dir: Path) -> None:
    looked = found(settings_for(sqlite_url, models_dir, port=0), ("SEGMENTATION_PROT",))
    assert looked["settings"].ok
    assert "SEGMENTATION_PROT is none" in looked["settings"].detail


def test_the_command_prints_a_line_each_or_json_and_fails_where_something_is_wrong(
    sqlite_url: str,
    models_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("SEGMENTATION_MODELS_DIR", str(models_dir))
    monkeypatch.setenv("SEGMENTATION_PORT", "0")
    assert main(["check"]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["ok", name] for name in ("settings", "key", "port", "models", "database", "clock", "disk")
    ]
    monkeypatch.setenv("SEGMENTATION_MODELS_DIR", str(tmp_path / "none"))
    assert main(["check", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["ok"] is False
    assert [one["name"] for one in said["checks"] if not one["ok"]] == ["models"]
    assert main(["check"]) == 1
    assert "FAILED  models    " in capsys.readouterr().out
