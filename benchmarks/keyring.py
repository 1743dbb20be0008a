"""Keys to a service, for the time of a measurement."""

from datetime import UTC, datetime

from service.key_token import new_id, new_token
from service.store.database import opened
from service.store.keys import KeyStore, StoredKey

SCOPES = ("score", "read", "admin")


def make_keys(url: str) -> dict[str, str]:
    """A key for each scope in this database, and one under `wrong` that is good for nothing."""
    tokens = {scope: new_token(new_id()) for scope in (*SCOPES, "wrong")}
    with opened(url) as engine:
        store, now = KeyStore(engine), datetime.now(UTC)
        for scope in SCOPES:
            token = tokens[scope]
            store.create(StoredKey(token.id, scope, frozenset({scope}), token.digest, (), None, now, None))
    return {scope: token.text for scope, token in tokens.items()}
