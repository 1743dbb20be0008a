"""What callers send: `seg_<id>_<secret>`. The id is public, the secret is 256 random bits."""

import hashlib
import secrets
from typing import NamedTuple

PREFIX = "seg_"  # by which scanners of source code and logs find one that got lost
ID_BYTES = 6
ID_LENGTH = 2 * ID_BYTES
SECRET_BYTES = 32
_ID = slice(len(PREFIX), len(PREFIX) + ID_LENGTH)


class Token(NamedTuple):
    """A key's public id and the whole text, which is shown once."""

    id: str
    text: str

    @property
    def digest(self) -> str:
        return digest_of(self.text.encode()).hex()


def new_id() -> str:
    return secrets.token_hex(ID_BYTES)


def new_token(key_id: str) -> Token:
    """Another secret for the key of this id."""
    return Token(key_id, f"{PREFIX}{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}")


def id_of(sent: bytes) -> bytes:
    """Where the id stands in a token; of anything else the same bytes, which are nobody's id."""
    return sent[_ID]


def digest_of(sent: bytes) -> bytes:
    """What is kept of a token.

    SHA-256 and not a slow password hash: nobody can try 2^256 secrets however quick one trial is, and each request
    would pay for the slowness.
    """
    return hashlib.sha256(sent).digest()
