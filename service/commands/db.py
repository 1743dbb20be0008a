"""`db`: bring the database's tables to this version."""

import argparse
import sys

from service.commands.parsers import Commands
from service.settings import Settings
from service.store.database import downgrade, open_engine, pending, upgrade


def add(commands: Commands) -> None:
    """Tell the parser."""
    database = commands.add_parser("db", help="bring the database's tables to this version")
    database.add_argument("action", choices=("upgrade", "downgrade", "pending"))
    database.add_argument("revision", nargs="?", help="default: the newest; of downgrade it must be given")
    database.set_defaults(run=_database)


def _database(given: argparse.Namespace, settings: Settings) -> int:
    engine = open_engine(settings.store_url)
    try:
        if given.action == "upgrade":
            upgrade(engine, given.revision or "head")
        elif given.action == "downgrade":
            if given.revision is None:
                sys.stderr.write("db downgrade: name the revision to go down to, or base to remove every table\n")
                return 2
            downgrade(engine, given.revision)
        missing = pending(engine)
    finally:
        engine.dispose()
    sys.stdout.write("the database is up to date\n" if not missing else f"not applied: {', '.join(missing)}\n")
    return 0
