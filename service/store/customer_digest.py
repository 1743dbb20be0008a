"""What stands for a customer where the id must not: in the suppression list and in the audit log."""

import hashlib
from collections.abc import Callable
from typing import TypeAlias

import sqlalchemy as sa

from service.store.schema import suppression_list

# From a customer's id to 32 hexadecimal digits.
Digest: TypeAlias = Callable[[str], str]


def keyed_digest(key: str) -> Digest:
    """BLAKE2b keyed with a secret (RFC 7693): without the key nobody can try ids one by one."""
    keyed = hashlib.blake2b(key=bytes.fromhex(key), digest_size=16)

    def digest(customer_id: str) -> str:
        made = keyed.copy()
        made.update(customer_id.encode())
        return made.hexdigest()

    return digest


def digest_of_store(connection: sa.Connection) -> Digest:
    """Digests by the key that the first migration with a suppression list made for this store."""
    return keyed_digest(connection.execute(sa.select(suppression_list.c.key)).scalar_one())
