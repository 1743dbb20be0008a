"""`invite`: wait until the service answers, then print its address and a request to try. `make run` runs it."""

import argparse
import json
import os
import shlex
import sys
import time
from http import HTTPStatus
from typing import Any

from service.commands.parsers import Commands
from service.commands.running_service import RunningService
from service.settings import Settings

INTERVAL = 0.3  # seconds between attempts
TIMEOUT = 10.0  # seconds


def add(commands: Commands) -> None:
    """Tell the parser."""
    says = "wait until the service answers, then print its address and a request to try"
    commands.add_parser("invite", help=says).set_defaults(run=_invite)


def _invite(given: argparse.Namespace, settings: Settings) -> int:
    service = RunningService(settings, TIMEOUT)
    response = _first_response(service)
    if response is None:
        return 0
    status, body = response
    _print(f"\nServing on {service.url}   (what it can do: {service.url}/docs; Ctrl-C stops it)")
    if status != HTTPStatus.OK:
        sys.stderr.write(f"It cannot answer yet: {json.loads(body)['detail']}\n")
        return 1
    example = shlex.quote(json.dumps(_example(service), ensure_ascii=False))
    _print(
        f"Try:\n  curl -s {service.url}/segment{_authorization(settings)} "
        f"-H 'Content-Type: application/json' -d {example}\n"
    )
    return 0


def _first_response(service: RunningService) -> tuple[int, bytes] | None:
    """Whether the service is ready, once it answers; None if the process that started this one ends before."""
    parent = os.getppid()  # `make run` replaces it by the service
    while True:
        time.sleep(INTERVAL)  # another process starts, and tells this one nothing: a connection shows that it has
        if os.getppid() != parent:
            return None
        try:
            return service.get("/health/ready")
        except OSError:
            continue


def _example(service: RunningService) -> Any:
    """A request body by features, from the service's own OpenAPI document."""
    _, document = service.get("/openapi.json")
    operation = json.loads(document)["paths"]["/segment"]["post"]
    return operation["requestBody"]["content"]["application/json"]["examples"]["features"]["value"]


def _authorization(settings: Settings) -> str:
    """The curl option that sends the API key, by reference: the key itself is never printed."""
    if settings.api_key_file is not None:
        return ' -H "Authorization: Bearer $(cat "$SEGMENTATION_API_KEY_FILE")"'
    if settings.api_key is not None:
        return ' -H "Authorization: Bearer $SEGMENTATION_API_KEY"'
    return ""


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
