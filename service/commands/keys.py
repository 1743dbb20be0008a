"""`keys`: make, list, end and renew the keys of callers."""

import argparse
import re
import sys
from datetime import UTC, datetime, timedelta

from service.app import utc_now
from service.client_address import networks_of
from service.commands.parsers import Commands
from service.key_scope import MEANS, KeyScope
from service.key_token import Token, new_id, new_token
from service.settings import Settings
from service.store.database import opened
from service.store.keys import KeyStore, StoredKey
from service.store.utc_time import utc_text

UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
GRACE = timedelta(hours=24)
LONGEST_NAME = 100


def add(commands: Commands) -> None:
    """Tell the parser."""
    keys = commands.add_parser("keys", help="make, list, end and renew the keys of callers")
    actions = keys.add_subparsers(dest="action", required=True)
    _add_create(actions)
    actions.add_parser("list", help="all keys, without their secrets").set_defaults(run=_list)
    revoking = actions.add_parser("revoke", help="end a key for good")
    revoking.add_argument("id", help="the key's public id, as list shows it")
    revoking.set_defaults(run=_revoke)
    rotating = actions.add_parser("rotate", help="give a key another secret")
    rotating.add_argument("id", help="the key's public id, as list shows it")
    stays = "how long the present secret stays good, such as 30m, 24h or 7d; default: 24h"
    rotating.add_argument("--grace", type=_span, default=GRACE, metavar="SPAN", help=stays)
    rotating.set_defaults(run=_rotate)


def _add_create(actions: Commands) -> None:
    means = "; ".join(f"{scope}: {says}" for scope, says in MEANS.items())
    creating = actions.add_parser("create", help="make a key, and show it once")
    creating.add_argument("--scope", action="append", required=True, choices=[*map(str, KeyScope)], help=means)
    creating.add_argument("--name", type=_name, help="what the key is for; default: its id")
    creating.add_argument("--expires", type=_moment_or_span, metavar="WHEN", help="a date (UTC), or a span such as 90d")
    creating.add_argument("--requests-per-minute", type=_count, metavar="N", help="default: the setting's")
    creating.add_argument("--network", action="append", default=[], type=_network, metavar="CIDR",
                          help="good from this network only, such as 10.0.0.0/8; may be given again")  # fmt: skip
    creating.set_defaults(run=_create)


def _create(given: argparse.Namespace, settings: Settings) -> int:
    now, token = utc_now(), new_token(new_id())
    expires = now + given.expires if isinstance(given.expires, timedelta) else given.expires
    if expires is not None and expires <= now:
        return _failed("create", f"{utc_text(expires)} is past; a key must be good for a while")
    key = StoredKey(
        id=token.id,
        name=given.name or token.id,
        scopes=frozenset(given.scope),
        digest=token.digest,
        networks=tuple(given.network),
        requests_per_minute=given.requests_per_minute,
        created_at=now,
        expires_at=expires,
    )
    with opened(settings.store_url) as engine:
        KeyStore(engine).create(key)
    _show(token, f"key {key.id} ({key.name}) may {' and '.join(sorted(key.scopes))}")
    return 0


def _list(given: argparse.Namespace, settings: Settings) -> None:
    with opened(settings.store_url) as engine:
        keys = KeyStore(engine).all()
    now = utc_now()
    header = ("id", "name", "scopes", "state", "created", "expires", "last used", "requests per minute", "networks")
    rows = [header, *(_row(key, now) for key in keys)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(header))]
    for row in rows:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")


def _row(key: StoredKey, now: datetime) -> tuple[str, ...]:
    state = "revoked" if key.revoked_at else "good" if key.is_good(now) else "expired"
    if key.malformed:
        state = f"malformed {key.malformed}"
    most = str(key.requests_per_minute or "")
    times = [moment.strftime("%Y-%m-%d %H:%M") if moment else "" for moment in
             (key.created_at, key.expires_at, key.last_used_at)]  # fmt: skip
    return (key.id, key.name, " ".join(sorted(key.scopes)), state, *times, most, " ".join(key.networks))


def _revoke(given: argparse.Namespace, settings: Settings) -> int:
    with opened(settings.store_url) as engine:
        if not KeyStore(engine).revoke(given.id, utc_now()):
            return _failed("revoke", f"there is no key {given.id} that is not revoked; keys list shows all")
    sys.stdout.write(f"key {given.id} is revoked; services that run stop taking it within seconds\n")
    return 0


def _rotate(given: argparse.Namespace, settings: Settings) -> int:
    now, token = utc_now(), new_token(given.id)
    until = now + given.grace
    with opened(settings.store_url) as engine:
        if not KeyStore(engine).rotate(given.id, token.digest, until, now):
            return _failed("rotate", f"there is no key {given.id} that is good; keys list shows all")
    _show(token, f"the earlier secret of key {token.id} is good until {utc_text(until)}")
    return 0


def _show(token: Token, says: str) -> None:
    # Only the token goes to standard output, so that it can be led into a file.
    sys.stderr.write(f"{says}; this is shown once:\n")
    sys.stdout.write(f"{token.text}\n")


def _failed(action: str, says: str) -> int:
    sys.stderr.write(f"keys {action}: {says}\n")
    return 1


def _name(text: str) -> str:
    if not text.isprintable() or not 1 <= len(text.strip()) <= LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"{text!r} is no name; give 1 to {LONGEST_NAME} printable characters")
    return text.strip()


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if not found and text != "0":
        raise argparse.ArgumentTypeError(f"{text!r} is no span such as 30m, 24h or 7d, or 0")
    return int(found[1]) * UNITS[found[2]] if found else timedelta(0)


def _moment_or_span(text: str) -> datetime | timedelta:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return _span(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of requests from 1 to 1000000")
    return int(text)


def _network(text: str) -> str:
    try:
        (found,) = networks_of([text])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return str(found)
