"""What the log is told of the use of keys: enough, and not more with every request."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from service.caller import Caller
from service.key_use import BEYOND, INVALID, KeyUse
from service.store.audit import newest
from service.store.database import open_engine
from service.store.keys import KeyStore
from tests.service.callers import made
from tests.service.serving import NOW

CALLER = Caller("0a1b", "shop CRM", frozenset({"read"}))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


class Day:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def entries(engine: sa.Engine, what: str) -> list[str]:
    with engine.connect() as connection:
        return [one.subject for one in newest(connection, 1000)[::-1] if one.what == what]


def test_the_use_of_a_key_is_told_once_a_day_by_whichever_process(engine: sa.Engine) -> None:
    clock = Day()
    processes = [KeyUse(KeyStore(engine), clock) for _ in range(2)]
    for hours in (0, 1, 2, 24, 25):
        clock.now = NOW + timedelta(hours=hours)
        for process in processes:
            process.used[CALLER.id] = CALLER
            process.tell()
    assert entries(engine, "key.used") == ["0a1b", "0a1b"]


def test_what_was_refused_is_told_at_once_and_then_once_a_minute(engine: sa.Engine) -> None:
    clock = Day()
    use = KeyUse(KeyStore(engine), clock)
    use.refuse(INVALID)
    use.tell()
    for seconds in range(1, 61):
        clock.now = NOW + timedelta(seconds=seconds)
        use.refuse(INVALID)
        use.tell()
    use.refuse(BEYOND)
    use.tell()
    use.tell_all()
    assert entries(engine, "key.refused") == [
        "requests refused: 1 without a valid key",
        "requests refused: 60 without a valid key",
        "requests refused: 1 beyond the key's scopes",
    ]


def test_the_last_use_of_a_key_is_kept_to_the_minute(engine: sa.Engine, database_url: str) -> None:
    token, clock = made(database_url, "read"), Day()
    use = KeyUse(KeyStore(engine), clock)

    def used_at(seconds: int) -> datetime | None:
        clock.now = NOW + timedelta(seconds=seconds)
        use.used[token.id] = Caller(token.id, "shop CRM", frozenset())
        use.tell()
        return KeyStore(engine).all()[0].last_used_at

    assert [used_at(seconds) for seconds in (0, 30, 60)] == [NOW, NOW, NOW + timedelta(seconds=60)]
    clock.now = NOW + timedelta(seconds=70)
    use.used[token.id] = Caller(token.id, "shop CRM", frozenset())
    use.tell_all()
    assert KeyStore(engine).all()[0].last_used_at == clock.now


def test_what_the_store_does_not_take_is_told_later(engine: sa.Engine) -> None:
    use = KeyUse(KeyStore(engine), Day())
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE audit_head RENAME TO gone"))
    use.used[CALLER.id] = CALLER
    use.refuse(INVALID)
    use.tell()
    use.tell()
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE gone RENAME TO audit_head"))
    use.tell()
    assert entries(engine, "key.used") == ["0a1b"]
    assert entries(engine, "key.refused") == ["requests refused: 1 without a valid key"]
