"""`db`: bring the database's tables to this version, copy it, put a copy back."""

import argparse
import sys
from pathlib import Path

from service.app import utc_now
from service.commands.parsers import Commands
from service.settings import Settings
from service.store.backup import back_up, restore
from service.store.database import downgrade, is_to_be_made, open_engine, opened, pending, upgrade
from service.store.erasures import Carried, carry_over, erasures_in
from service.store.errors import BackupRefused

ACTIONS = ("upgrade", "downgrade", "pending", "backup", "restore", "carry-suppressions")
# What must be named, and is asked for where it is not.
NEED = {
    "downgrade": "name the revision to go down to, or base to remove every table",
    "backup": "name the file to write",
    "restore": "name the file that db backup wrote",
    "carry-suppressions": "name the database whose suppressions and erasures are to be done in this one too",
}


def add(commands: Commands) -> None:
    """Tell the parser."""
    database = commands.add_parser("db", help="bring the database's tables to this version, back it up, restore it")
    database.add_argument("action", choices=ACTIONS)
    database.add_argument(
        "revision",
        nargs="?",
        metavar="REVISION|FILE|URL",
        help="default: the newest; of downgrade it must be given; of backup and restore it is the file, of "
        "carry-suppressions the URL of the database that this one is a restored backup of",
    )
    database.add_argument(
        "--lose-suppressions",
        action="store_true",
        help="downgrade, restore: go on where customers who are suppressed now would be suppressed no longer",
    )
    database.set_defaults(run=_database)


def _database(given: argparse.Namespace, settings: Settings) -> int:
    if given.action in NEED and given.revision is None:
        sys.stderr.write(f"db {given.action}: {NEED[given.action]}\n")
        return 2
    engine = open_engine(settings.store_url)
    try:
        if given.action == "upgrade":
            upgrade(engine, given.revision or "head")
        elif given.action == "downgrade":
            downgrade(engine, given.revision, given.lose_suppressions)
        elif given.action == "backup":
            back_up(engine, Path(given.revision))
            sys.stdout.write(f"the database is in {given.revision}\n")
            return 0
        elif given.action == "restore":
            done = restore(engine, Path(given.revision), utc_now(), given.lose_suppressions)
            before = f"; the one before is {done.aside}" * bool(done.aside)
            sys.stdout.write(f"the database is that of {given.revision}{before}\n")
            sys.stdout.write(_said_of(done.carried) if done.carried else "")
        elif given.action == "carry-suppressions":
            sys.stdout.write(_said_of(_carry(given.revision, settings)))
            return 0
        missing = pending(engine)
    finally:
        engine.dispose()
    sys.stdout.write("the database is up to date\n" if not missing else f"not applied: {', '.join(missing)}\n")
    return 0


def _carry(url: str, settings: Settings) -> Carried:
    before = open_engine(url)
    if is_to_be_made(before):
        raise BackupRefused(f"{before.url.database} is not there; name the database that was in use before.")
    try:
        erasures = erasures_in(before)
    finally:
        before.dispose()
    with opened(settings.store_url) as engine:
        return Carried() if erasures is None else carry_over(erasures, engine, utc_now())


def _said_of(carried: Carried) -> str:
    if not any(carried):
        return "no customer was suppressed or erased since the backup\n"
    return (
        f"carried over from the database before: {carried.suppressed:,} customers suppressed, {carried.lifted:,} "
        f"suppressed no longer, {carried.answers:,} answers erased\n"
    )
