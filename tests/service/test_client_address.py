"""The client is the peer, or whom trusted proxies name."""

import pytest

from service.client_address import client_of, networks_of

PROXIES = networks_of(["10.0.0.0/8", "::1"])


def scope(peer: str | None, *forwarded: str) -> dict[str, object]:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return {"type": "http", "client": (peer, 50_000) if peer else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.1"], "192.0.2.1"),  # no trusted proxy said so
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),  # the first one anybody may have written
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], None),
        ("::1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("testclient", [], None),
        (None, [], None),
    ],
)
def test_the_last_address_that_is_no_trusted_proxy_counts(peer: str, forwarded: list[str], client: str | None) -> None:
    found = client_of(scope(peer, *forwarded), PROXIES)
    assert (str(found) if found else None) == client


def test_without_trusted_proxies_the_peer_counts() -> None:
    assert str(client_of(scope("10.0.0.1", "198.51.100.1"), ())) == "10.0.0.1"


@pytest.mark.parametrize("text", ["x", "10.0.0.1/8", "10.0.0.0/33", ""])
def test_what_is_no_network_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no network such as 10\.0\.0\.0/8"):
        networks_of([text])
