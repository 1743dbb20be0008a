"""Where a request comes from: its peer, or what proxies that are trusted say."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from starlette.types import Scope

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
FORWARDED = b"x-forwarded-for"


@lru_cache(maxsize=4096)
def address_of(text: str) -> Address | None:
    """The address a text is, or None; IPv4 inside IPv6 is IPv4."""
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def networks_of(texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks these are, in the form 10.0.0.0/8. Raises ValueError with a sentence."""
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text.strip()))
        except ValueError as error:
            raise ValueError(f"{text!r} is no network such as 10.0.0.0/8 or 2001:db8::/32: {error}") from error
    return tuple(found)


def within(address: Address | None, networks: Sequence[Network]) -> bool:
    """Whether the address is in one of the networks."""
    return address is not None and any(address in network for network in networks)


def client_of(scope: Scope, trusted: Sequence[Network]) -> Address | None:
    """The client's address: behind trusted proxies the last one in X-Forwarded-For that is not a trusted proxy itself.

    Whatever stands before that one, anybody may have written. None where the address cannot be told.
    """
    client = scope.get("client")
    found = address_of(client[0]) if client else None
    if not trusted or not within(found, trusted):
        return found
    sent = b",".join(value for name, value in scope["headers"] if name == FORWARDED)
    for text in reversed(sent.decode("latin-1").split(",") if sent else []):
        found = address_of(text)
        if not within(found, trusted):
            break
    return found
