"""`settings`: list what can be configured."""

import argparse
import os
import sys

from service.commands.parsers import Commands
from service.settings import Settings, described


def add(commands: Commands) -> None:
    """Tell the parser."""
    commands.add_parser("settings", help="list the settings").set_defaults(run=_settings)


def _settings(given: argparse.Namespace, settings: Settings) -> None:
    for name, default, says in described():
        sys.stdout.write(f"{name}={default}\n    {says}{' (set)' if name in os.environ else ''}\n")
