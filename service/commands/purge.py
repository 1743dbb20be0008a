"""`purge`: remove answers that are too old."""

import argparse
import sys
from datetime import timedelta

from service.app import utc_now
from service.commands.parsers import Commands
from service.settings import Settings
from service.store.audit import COMMAND_LINE
from service.store.database import open_engine
from service.store.erasing import scrub, vacuum
from service.store.purging import purge, purgeable


def add(commands: Commands) -> None:
    """Tell the parser."""
    purging = commands.add_parser("purge", help="remove answers that are too old")
    purging.add_argument("--older-than", type=_days, metavar="DAYS", help="default: SEGMENTATION_RETENTION_DAYS")
    purging.add_argument("--dry-run", action="store_true", help="only say what would be removed")
    purging.add_argument("--vacuum", action="store_true", help="give space back afterwards; with SQLite writers wait")
    purging.set_defaults(run=_purge)


def _purge(given: argparse.Namespace, settings: Settings) -> int:
    days = settings.retention_days if given.older_than is None else given.older_than
    if not days and not given.vacuum:
        sys.stderr.write("purge: say of what age: --older-than DAYS, or set SEGMENTATION_RETENTION_DAYS\n")
        return 2
    engine, now = open_engine(settings.store_url), utc_now()
    try:
        if days:
            before = now - timedelta(days=days)
            done = purgeable(engine, before) if given.dry_run else purge(engine, before, COMMAND_LINE, now)
            would = "would be removed" if given.dry_run else "removed"
            sys.stdout.write(f"{done.answers:,} answers {would}, and {done.customers:,} customers with all of theirs\n")
        if not given.dry_run:
            (vacuum if given.vacuum else scrub)(engine)
    finally:
        engine.dispose()
    return 0


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 36_500:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to 36500")
    return int(text)
