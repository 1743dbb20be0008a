"""`customers`: the suppression list."""

import argparse
import sys

from models.customer.customer_id import customer_id
from service.app import utc_now
from service.commands.parsers import Commands
from service.settings import Settings
from service.store.audit import COMMAND_LINE
from service.store.database import open_engine
from service.store.erasing import scrub
from service.store.personal_data import PersonalData
from service.store.utc_time import utc_text


def add(commands: Commands) -> None:
    """Tell the parser."""
    of_customers = commands.add_parser("customers", help="erase customers and keep them from being stored again")
    actions = of_customers.add_subparsers(dest="action", required=True)
    for name, does, run in (
        ("suppress", "erase a customer, and store nothing of them ever after", _suppress),
        ("unsuppress", "let a customer be stored again", _unsuppress),
    ):
        action = actions.add_parser(name, help=does)
        action.add_argument("id", type=_id, help="the customer's id")
        action.set_defaults(run=run)
    actions.add_parser("list", help="the suppressed, by digest, the latest first").set_defaults(run=_list)


def _suppress(given: argparse.Namespace, settings: Settings) -> None:
    engine = open_engine(settings.store_url)
    try:
        erased = PersonalData(engine).erase(given.id, COMMAND_LINE, utc_now(), suppress=True)
        scrub(engine)
    finally:
        engine.dispose()
    sys.stdout.write(f"suppressed; {erased.answers:,} answers erased\n")


def _unsuppress(given: argparse.Namespace, settings: Settings) -> int:
    engine = open_engine(settings.store_url)
    try:
        lifted = PersonalData(engine).lift(given.id, COMMAND_LINE, utc_now())
    finally:
        engine.dispose()
    if not lifted:
        sys.stderr.write("customers unsuppress: this customer is not suppressed\n")
        return 1
    sys.stdout.write("suppressed no longer\n")
    return 0


def _list(given: argparse.Namespace, settings: Settings) -> None:
    engine = open_engine(settings.store_url)
    try:
        for one in PersonalData(engine).suppressed():
            sys.stdout.write(f"{one.digest}  {utc_text(one.suppressed_at)}\n")
    finally:
        engine.dispose()


def _id(text: str) -> str:
    try:
        return customer_id(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
