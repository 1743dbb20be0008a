"""The parameter `dry_run`: answer as always, and store nothing."""

from typing import Any

from fastapi import Request

from service.errors import Fault, InvalidRequest

DRY_RUN: dict[str, Any] = {
    "name": "dry_run",
    "in": "query",
    "required": False,
    "schema": {"type": "boolean", "default": False},
    "description": "Answer without storing anything; `assignment_id` is then null.",
}
_FLAGS = {"true": True, "false": False}


def is_dry_run(request: Request) -> bool:
    """Raises InvalidRequest for what is neither true nor false."""
    said = request.query_params.get("dry_run", "false")
    if said not in _FLAGS:
        raise InvalidRequest([Fault("dry_run", f"is {said[:60]!r}, and must be true or false")])
    return _FLAGS[said]
