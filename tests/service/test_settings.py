"""Settings come from the environment and are checked at start, each problem with what to do about it."""

import re
from pathlib import Path

import pytest

from service.__main__ import main
from service.settings import Settings, unknown_variables

KEY = "0123456789abcdef0123456789abcdef"


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """What any command says to settings that will not do."""
    assert main(["settings"]) == 1
    written = capsys.readouterr()
    assert written.out == ""
    assert "Traceback" not in written.err
    return written.err


def test_without_any_setting_the_service_is_for_this_machine_alone() -> None:
    settings = Settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.store_url == "sqlite:///data/segmentation.sqlite3"
    assert settings.api_key is None


def test_every_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEGMENTATION_PORT", "9000")
    monkeypatch.setenv("SEGMENTATION_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("SEGMENTATION_SIGNING_KEY", "sign")
    settings = Settings()
    assert (settings.port, settings.models_dir, settings.signing_key_bytes) == (9000, tmp_path, b"sign")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com"])
def test_listening_to_others_needs_a_key_unless_told_so_by_name(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("SEGMENTATION_HOST", host)
    assert Settings().needs_key
    monkeypatch.setenv("SEGMENTATION_ALLOW_NO_KEY", "true")
    assert not Settings().needs_key


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_listening_to_this_machine_needs_none(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("SEGMENTATION_HOST", host)
    assert not Settings().needs_key


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("API_KEY", "short", "SEGMENTATION_API_KEY is shorter than 32 characters; make one with: openssl rand -hex 32"),
        ("PORT", "70000", "SEGMENTATION_PORT: Input should be less than or equal to 65535"),
        ("PORT", "http", "SEGMENTATION_PORT: Input should be a valid integer"),
        ("MAX_BODY_BYTES", "0", "SEGMENTATION_MAX_BODY_BYTES: Input should be greater than or equal to 1024"),
        ("MODEL_POLL_SECONDS", "0", "SEGMENTATION_MODEL_POLL_SECONDS: Input should be greater than 0"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,x", "SEGMENTATION_TRUSTED_PROXIES: 'x' is no network such as 10.0.0.0/8"),
        ("MAX_BATCH", "60000", "SEGMENTATION_QUEUE_ROWS is 50000, too few for one batch; set it to"),
        ("API_KEY_FILE", "/nonexistent/key", "SEGMENTATION_API_KEY_FILE names /nonexistent/key, which cannot be read"),
    ],
)
def test_a_setting_that_will_not_do_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"SEGMENTATION_{name}", value)
    assert complaint(capsys).startswith(sentence)


def test_every_wrong_setting_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGMENTATION_PORT", "x")
    monkeypatch.setenv("SEGMENTATION_MAX_BATCH", "-1")
    assert len(complaint(capsys).splitlines()) == 2


@pytest.mark.parametrize(
    ("name", "attribute"), [("DATABASE_URL", "database_url"), ("SIGNING_KEY", "signing_key"), ("API_KEY", "api_key")]
)
def test_a_secret_may_stand_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, attribute: str
) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{KEY}\n")
    monkeypatch.setenv(f"SEGMENTATION_{name}_FILE", str(path))
    assert getattr(Settings(), attribute).get_secret_value() == KEY
    assert KEY not in repr(Settings())


def test_the_databases_password_may_stand_in_a_file_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("p@ss/word\n")
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", "postgresql://shop@db:5432/segments")
    monkeypatch.setenv("SEGMENTATION_DATABASE_PASSWORD_FILE", str(path))
    assert Settings().store_url == "postgresql://shop:p%40ss%2Fword@db:5432/segments"
    assert "p@ss" not in repr(Settings())


@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_PASSWORD", "SIGNING_KEY", "API_KEY"])
@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "which cannot be read: No such file"), ("\n", "which is empty")]
)
def test_a_secrets_file_without_a_secret_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    content: str | None,
    sentence: str,
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(f"SEGMENTATION_{name}_FILE", str(path))
    assert complaint(capsys).startswith(f"SEGMENTATION_{name}_FILE names {path}, {sentence}")


def test_a_database_url_nobody_can_read_is_told_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "password"
    path.write_text("secret")
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", "shop:hidden@db")
    monkeypatch.setenv("SEGMENTATION_DATABASE_PASSWORD_FILE", str(path))
    said = complaint(capsys)
    assert said.startswith("SEGMENTATION_DATABASE_URL cannot be read; write sqlite:///path")
    assert "hidden" not in said


@pytest.mark.parametrize("command", [["serve"], ["db", "pending"]])
@pytest.mark.parametrize("url", ["mysql://shop:hidden@db/x", "hidden", "sqlite:///:memory:"])
def test_a_database_this_service_cannot_use_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str], url: str
) -> None:
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", url)
    assert main(command) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{command[0]}: ")
    assert "hidden" not in said
    assert len(said.splitlines()) == 1


def test_the_command_lists_every_setting_with_what_it_is_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGMENTATION_API_KEY", KEY)
    assert main(["settings"]) == 0
    written = capsys.readouterr().out
    listed = re.findall(r"^(SEGMENTATION_[A-Z_]+)=.*\n    (\S.*)$", written, flags=re.MULTILINE)
    assert [name for name, _ in listed] == [f"SEGMENTATION_{name.upper()}" for name in Settings.model_fields]
    assert "SEGMENTATION_PORT=8000" in written
    assert [name for name, said in listed if said.endswith("(set)")] == ["SEGMENTATION_API_KEY"]
    assert KEY not in written


def test_a_misspelt_setting_is_named() -> None:
    environment = ["PATH", "SEGMENTATION_PORT", "SEGMENTATION_PROT", "SEGMENTATION_DATA_DIR"]
    assert unknown_variables(environment) == ["SEGMENTATION_PROT"]
