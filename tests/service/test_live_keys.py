"""Keys in memory: which are good, and that those that are not cannot be told apart."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service import live_keys
from service.caller import Caller
from service.key_token import PREFIX, new_token
from service.live_keys import LiveKeys
from service.store.database import open_engine
from service.store.errors import StoreError
from service.store.keys import KeyStore, StoredKey
from tests.service.callers import made, revoked, stored
from tests.service.serving import NOW

SETTING = "0123456789abcdef0123456789abcdef"
HERE = {"client": ("192.0.2.1", 50_000), "headers": []}
THERE = {"client": ("198.51.100.1", 50_000), "headers": []}


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


def known(engine: sa.Engine, setting: str | None = None, clock: Callable[[], Any] = lambda: NOW) -> LiveKeys:
    keys = LiveKeys(KeyStore(engine), setting, True, (), clock)
    keys.refresh()
    return keys


def name_of(keys: LiveKeys, token: str, scope: Any = HERE) -> str | None:
    found = keys.find(token.encode(), scope)
    return found.name if found else None


def test_a_key_is_found_with_what_it_may_do(engine: sa.Engine, database_url: str) -> None:
    token = made(database_url, "score", requests_per_minute=90)
    caller = known(engine).find(token.text.encode(), HERE)
    assert caller is not None
    assert caller == Caller(token.id, "shop CRM", frozenset({"score"}), 90)


def test_admin_may_do_everything(engine: sa.Engine, database_url: str) -> None:
    token = made(database_url, "admin")
    caller = known(engine).find(token.text.encode(), HERE)
    assert caller is not None
    assert caller.scopes == {"score", "read", "admin"}


def test_after_a_rotation_both_secrets_are_good_for_a_while(engine: sa.Engine, database_url: str) -> None:
    clock = [NOW]
    old = made(database_url, "read")
    new = new_token(old.id)
    assert KeyStore(engine).rotate(old.id, new.digest, NOW + timedelta(hours=1), NOW)
    keys = known(engine, clock=lambda: clock[0])
    assert (name_of(keys, old.text), name_of(keys, new.text)) == ("shop CRM", "shop CRM")
    clock[0] += timedelta(hours=1)
    keys.refresh()
    assert (name_of(keys, old.text), name_of(keys, new.text)) == (None, "shop CRM")


def test_what_is_not_good_can_be_neither_rotated_nor_revoked_again(engine: sa.Engine, database_url: str) -> None:
    gone, past = made(database_url, "read"), made(database_url, "read", expires_at=NOW)
    revoked(database_url, gone)
    store = KeyStore(engine)
    assert not store.revoke(gone.id, NOW)
    assert [store.rotate(one.id, one.digest, NOW, NOW) for one in (gone, past)] == [False, False]


def test_a_key_for_a_network_is_good_from_there_only(engine: sa.Engine, database_url: str) -> None:
    bound = made(database_url, "read", networks=("192.0.2.0/24", "2001:db8::/32"))
    free = made(database_url, "read")
    keys = known(engine)
    assert (name_of(keys, bound.text, HERE), name_of(keys, bound.text, THERE)) == ("shop CRM", None)
    nowhere: Any = {"client": None, "headers": []}
    assert (name_of(keys, bound.text, nowhere), name_of(keys, free.text, nowhere)) == (None, "shop CRM")


def test_all_tokens_take_the_same_steps(engine: sa.Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good, gone, past = (
        made(database_url, "read"),
        made(database_url, "read"),
        made(database_url, "read", expires_at=NOW),
    )
    bound = made(database_url, "read", networks=("198.51.100.0/24",))
    revoked(database_url, gone)
    keys, steps = known(engine, SETTING), list[str]()

    def counted(name: str) -> None:
        real = getattr(live_keys, name)

        def step(*given: Any) -> Any:
            steps.append(name)
            return real(*given)

        monkeypatch.setattr(live_keys, name, step)

    for name in ("id_of", "digest_of", "compare_digest", "client_of", "within"):
        counted(name)
    taken = []
    for token in (good.text, SETTING, gone.text, past.text, bound.text, good.text[:-1] + "~", "seg_", "", "é"):
        keys.find(token.encode(), HERE)
        taken.append([*steps])
        steps.clear()
    assert taken[0] == ["id_of", "digest_of", "compare_digest", "compare_digest", "client_of", "within"]
    assert taken == [taken[0]] * len(taken)


def test_the_store_is_read_once_for_all_who_come_with_tokens_that_are_not_known(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, reads, real = known(engine), list[int](), KeyStore.all

    def counted(store: KeyStore) -> list[StoredKey]:
        reads.append(1)
        return real(store)

    monkeypatch.setattr(KeyStore, "all", counted)
    monkeypatch.setattr(live_keys, "LOOK_SECONDS", 3600.0)

    async def many() -> None:
        keys.start(3600)
        await asyncio.gather(*(keys.look() for _ in range(50)))
        await keys.look()
        await keys.close()

    asyncio.run(many())
    assert len(reads) == 1


def test_the_setting_may_look_like_a_key_from_the_store(engine: sa.Engine) -> None:
    token = new_token("0" * 12)
    assert name_of(known(engine, token.text), token.text) == "SEGMENTATION_API_KEY"


def test_the_store_has_no_secret(engine: sa.Engine, database_url: str) -> None:
    token = made(database_url, "read")
    secret = token.text.removeprefix(f"{PREFIX}{token.id}_")
    with engine.connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM api_keys")).one()
    assert secret not in repr(row)
    assert row.digest == token.digest


def test_a_key_and_its_entry_in_the_log_are_stored_both_or_not_at_all(engine: sa.Engine) -> None:
    token = new_token("0" * 12)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE audit RENAME TO gone"))
    with pytest.raises(StoreError):
        KeyStore(engine).create(stored(token, "read"))
    assert KeyStore(engine).all() == []


ON_BOTH = [("networks", "10.0.0.0/99"), ("networks", "everywhere"), ("digest", "no hexadecimal")]
# PostgreSQL has types and takes no such values.
ON_SQLITE = [("expires_at", "tomorrow"), ("created_at", "2011-12-10"), ("requests_per_minute", "many")]


@pytest.mark.parametrize(
    ("backend", "column", "wrong"),
    [("sqlite", *one) for one in ON_BOTH + ON_SQLITE] + [("postgresql", *one) for one in ON_BOTH],
)
def test_a_key_that_somebody_spoilt_in_the_database_is_refused_and_all_others_are_followed(
    engine: sa.Engine, database_url: str, caplog: pytest.LogCaptureFixture, column: str, wrong: str
) -> None:
    spoilt, good = made(database_url, "read"), made(database_url, "read")
    keys = known(engine)
    assert (name_of(keys, spoilt.text), name_of(keys, good.text)) == ("shop CRM", "shop CRM")
    with engine.begin() as connection:
        change = sa.text(f"UPDATE api_keys SET {column} = :wrong WHERE id = :id")
        connection.execute(change, {"wrong": wrong, "id": spoilt.id})
    new = made(database_url, "read")
    for _ in range(3):
        keys.refresh()
    assert [name_of(keys, one.text) for one in (spoilt, good, new)] == [None, "shop CRM", "shop CRM"]
    revoked(database_url, good)
    keys.refresh()
    assert name_of(keys, good.text) is None
    (said,) = [record.getMessage() for record in caplog.records if record.name == "segmentation.keys"]
    assert spoilt.id in said
    assert column in said
    revoked(database_url, spoilt)
    keys.refresh()
    assert len(KeyStore(engine).all()) == 3
