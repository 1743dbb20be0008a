"""`check`: look at everything that the service needs, before it starts."""

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING

from service.app import utc_now
from service.commands.parsers import Commands
from service.settings import Settings

if TYPE_CHECKING:
    from service.preflight import Finding


def add(commands: Commands) -> None:
    """Tell the parser."""
    checking = commands.add_parser("check", help="look at everything that the service needs, before it starts")
    checking.add_argument("--json", action="store_true", help="print JSON")
    checking.set_defaults(run=_check)


def _check(given: argparse.Namespace, settings: Settings) -> int:
    from service.preflight import look  # half a megabyte that no other command has a use for

    findings = list(look(settings, utc_now(), list(os.environ)))
    ok = all(one.ok for one in findings)
    if given.json:
        sys.stdout.write(json.dumps({"ok": ok, "checks": [one._asdict() for one in findings]}) + "\n")
    else:
        sys.stdout.writelines(map(_line, findings))
    return 0 if ok else 1


def _line(one: "Finding") -> str:
    hint = f"{'':18}{one.hint}\n" if one.hint else ""
    return f"{'ok' if one.ok else 'FAILED':8}{one.name:10}{one.detail}\n{hint}"
