"""Keys for tests, with only what a test cares about spelt out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.key_token import Token, new_id, new_token
from service.store.database import open_engine
from service.store.keys import KeyStore, StoredKey
from tests.service.serving import NOW


def stored(token: Token, *scopes: str, **fields: Any) -> StoredKey:
    """How a key with this token is stored."""
    usual = StoredKey(
        id=token.id,
        name="shop CRM",
        scopes=frozenset(scopes),
        digest=token.digest,
        networks=(),
        requests_per_minute=None,
        created_at=NOW,
        expires_at=None,
    )
    return usual._replace(**fields)


def made(url: str, *scopes: str, **fields: Any) -> Token:
    """A new key in the database."""
    token, engine = new_token(new_id()), open_engine(url)
    KeyStore(engine).create(stored(token, *scopes, **fields))
    engine.dispose()
    return token


def revoked(url: str, token: Token, at: datetime = NOW) -> None:
    """Ends a key."""
    engine = open_engine(url)
    assert KeyStore(engine).revoke(token.id, at)
    engine.dispose()


def sent(token: Token | str) -> Mapping[str, str]:
    """The header that a caller sends."""
    return {"authorization": f"Bearer {token if isinstance(token, str) else token.text}"}
