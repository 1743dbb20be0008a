"""`python -m service keys`: each key is shown once, and everything done to one is in the audit log."""

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from service.__main__ import main
from service.key_token import digest_of
from service.store.database import open_engine

TOKEN = re.compile(r"seg_([0-9a-f]{12})_[\w-]{43}\n")


@pytest.fixture
def keys(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that does what it is asked; what it prints."""
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", database_url)

    def run(*words: str) -> str:
        assert main(["keys", *words]) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def refused(keys: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that cannot do what it is asked; what it says."""

    def run(*words: str) -> str:
        assert main(["keys", *words]) == 1
        written = capsys.readouterr()
        assert written.out == ""
        return written.err

    return run


def log(url: str) -> list[tuple[str, str, str]]:
    engine = open_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT who, what, subject FROM audit ORDER BY sequence")).all()
    engine.dispose()
    return [(who, what, subject) for who, what, subject in rows]


def test_a_key_is_made_shown_once_renewed_and_ended(keys: Callable[..., str], database_url: str) -> None:
    made = TOKEN.fullmatch(keys("create", "--scope", "score", "--scope", "read", "--name", "shop CRM", "--expires",
                                "2999-01-31", "--network", "10.0.0.0/8", "--requests-per-minute", "90"))  # fmt: skip
    assert made
    id = made[1]
    listed = keys("list")
    for said in (id, "shop CRM", "read score", "good", "2999-01-31 00:00", "10.0.0.0/8", "90"):
        assert said in listed
    renewed = TOKEN.fullmatch(keys("rotate", id, "--grace", "30m"))
    assert renewed
    assert (renewed[1], renewed[0] != made[0]) == (id, True)
    assert keys("revoke", id).startswith(f"key {id} is revoked")
    assert "revoked" in keys("list")
    for token in (made[0], renewed[0]):
        assert token.strip()[17:] not in keys("list")
    whats = ("key.created", "key.rotated", "key.revoked")
    assert log(database_url) == [("command line", what, id) for what in whats]


def test_the_digest_is_all_that_is_kept(keys: Callable[..., str], database_url: str) -> None:
    token = keys("create", "--scope", "read").strip()
    engine = open_engine(database_url)
    with engine.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM api_keys")).one()
    engine.dispose()
    assert row.digest == digest_of(token.encode()).hex()
    assert token[17:] not in repr(row)
    assert row.name == row.id


def test_secrets_differ(keys: Callable[..., str]) -> None:
    assert len({keys("create", "--scope", "read")[17:] for _ in range(5)}) == 5


def test_what_cannot_be_done_is_said_and_not_in_the_log(refused: Callable[..., str], database_url: str) -> None:
    assert refused("revoke", "0" * 12).startswith(f"keys revoke: there is no key {'0' * 12} that is not revoked")
    assert refused("rotate", "0" * 12).startswith(f"keys rotate: there is no key {'0' * 12} that is good")
    said = refused("create", "--scope", "read", "--expires", "2001-01-01")
    assert said.startswith("keys create: 2001-01-01T00:00:00.000000Z is past")
    assert log(database_url) == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "the following arguments are required: --scope"),
        (["--scope", "write"], "invalid choice: 'write'"),
        (["--scope", "read", "--expires", "soon"], "'soon' is no span such as 30m, 24h or 7d"),
        (["--scope", "read", "--network", "10.0.0.1/8"], "'10.0.0.1/8' is no network such as 10.0.0.0/8"),
        (["--scope", "read", "--requests-per-minute", "0"], "'0' is no number of requests from 1 to"),
        (["--scope", "read", "--name", "a\nb"], "is no name; give 1 to 100 printable characters"),
    ],
)
def test_an_option_that_will_not_do_is_told(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["keys", "create", *words])
    assert sentence in capsys.readouterr().err


def test_tables_that_are_missing_are_told_or_made(
    empty_database_url: str, backend: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", empty_database_url)
    code = main(["keys", "list"])
    said = capsys.readouterr().err
    assert code == (1 if backend == "postgresql" else 0)
    assert ("run: python -m service db upgrade" in said) == (backend == "postgresql")
