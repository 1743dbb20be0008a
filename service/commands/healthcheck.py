"""`healthcheck`: ask the running service whether it is ready, as the image's HEALTHCHECK does."""

import argparse
import sys
from http import HTTPStatus

from service.commands.parsers import Commands
from service.commands.running_service import RunningService
from service.settings import Settings

TIMEOUT = 4.0  # seconds; the image allows 5 for the whole command


def add(commands: Commands) -> None:
    """Tell the parser."""
    says = "ask the running service whether it is ready; exit code 1 if it is not"
    commands.add_parser("healthcheck", help=says).set_defaults(run=_check_health)


def _check_health(given: argparse.Namespace, settings: Settings) -> int:
    status, body = RunningService(settings, TIMEOUT).get("/health/ready")
    sys.stdout.write(f"{body.decode()}\n")
    return 0 if status == HTTPStatus.OK else 1
