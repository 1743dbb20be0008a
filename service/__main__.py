"""The service's command line: `python -m service`."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from pydantic import ValidationError

from models.errors import ModelError
from service.inspection import forbid_inspection
from service.settings import Settings, unknown_variables
from service.store.errors import StoreError

# Modules of service.commands.
COMMANDS = ("serve", "check", "healthcheck", "invite", "db", "keys", "audit", "score", "customers", "purge", "settings")
EXPECTED = (ModelError, StoreError, OSError)


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0 where it did what was asked, 1 with a sentence on standard error where it could not."""
    # Only the command that runs is imported: a health check runs every few seconds, and needs no web framework.
    named = [name for name in COMMANDS if name in arguments[:1]]
    given = _parser(named or COMMANDS).parse_args(arguments)
    try:
        configured = Settings()
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            name = "_".join(("SEGMENTATION", *(str(part).upper() for part in one["loc"])))
            said = one["msg"].removeprefix("Value error, ")
            sys.stderr.write(f"{said}\n" if not one["loc"] else f"{name}: {said}\n")
        return 1
    for name in unknown_variables(os.environ):
        sys.stderr.write(f"{name} is set and no setting; python -m service settings lists those there are\n")
    try:
        return int(given.run(given, configured) or 0)
    except EXPECTED as error:
        said = str(error) if isinstance(error, OSError) else error.report
        sys.stderr.write(f"{given.command}: {said}\n")
        return 1


def _parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in names:
        import_module(f"service.commands.{name}").add(commands)
    return parser


if __name__ == "__main__":
    forbid_inspection()
    raise SystemExit(main(sys.argv[1:]))
