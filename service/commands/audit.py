"""`audit`: read the audit log, and find out whether somebody changed it."""

import argparse
import sys

from service.commands.parsers import Commands
from service.settings import Settings
from service.store.audit import head, newest, verify
from service.store.database import opened
from service.store.engine_trouble import told
from service.store.utc_time import utc_text


def add(commands: Commands) -> None:
    """Tell the parser."""
    auditing = commands.add_parser("audit", help="read the audit log, and check that nobody changed it")
    actions = auditing.add_subparsers(dest="action", required=True)
    verifying = actions.add_parser("verify", help="check the chain of hashes; 1 where it is broken")
    verifying.add_argument("--head", metavar="HASH", help="a head that verify printed earlier, and was kept elsewhere")
    verifying.set_defaults(run=_verify)
    listing = actions.add_parser("list", help="the newest entries first")
    listing.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many entries; default: 100")
    listing.set_defaults(run=_list)


def _verify(given: argparse.Namespace, settings: Settings) -> int:
    with opened(settings.store_url) as engine, told(), engine.connect() as connection:
        broken, end = verify(connection, given.head), head(connection)
    if broken is not None or end is None:
        says = broken.says if broken else "its head was removed"
        sys.stderr.write(
            f"audit verify: {says}; compare the log with a backup, and find out who wrote to the database\n"
        )
        return 1
    sys.stdout.write(f"{end.sequence:,} entries, none changed; head {end.hash}\n")
    return 0


def _list(given: argparse.Namespace, settings: Settings) -> None:
    with opened(settings.store_url) as engine, told(), engine.connect() as connection:
        entries = newest(connection, max(given.limit, 1))
    for one in entries:
        sys.stdout.write(f"{one.sequence}  {utc_text(one.at)}  {one.what}  {one.subject}  by {one.who}\n")
