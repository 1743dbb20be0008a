"""`db`: bring the database's tables to this version, copy it, put a copy back."""

import argparse
import sys
from pathlib import Path

from service.app import utc_now
from service.commands.parsers import Commands
from service.settings import Settings
from service.store.backup import back_up, restore
from service.store.database import downgrade, open_engine, pending, upgrade

# What must be named, and is asked for where it is not.
NEED = {
    "downgrade": "name the revision to go down to, or base to remove every table",
    "backup": "name the file to write",
    "restore": "name the file that db backup wrote",
}


def add(commands: Commands) -> None:
    """Tell the parser."""
    database = commands.add_parser("db", help="bring the database's tables to this version, back it up, restore it")
    database.add_argument("action", choices=("upgrade", "downgrade", "pending", "backup", "restore"))
    database.add_argument(
        "revision",
        nargs="?",
        metavar="REVISION|FILE",
        help="default: the newest; of downgrade it must be given; of backup and restore it is the file",
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
            downgrade(engine, given.revision)
        elif given.action == "backup":
            back_up(engine, Path(given.revision))
            sys.stdout.write(f"the database is in {given.revision}\n")
            return 0
        elif given.action == "restore":
            aside = restore(engine, Path(given.revision), utc_now())
            sys.stdout.write(
                f"the database is that of {given.revision}{f'; the one before is {aside}' * bool(aside)}\n"
            )
        missing = pending(engine)
    finally:
        engine.dispose()
    sys.stdout.write("the database is up to date\n" if not missing else f"not applied: {', '.join(missing)}\n")
    return 0
