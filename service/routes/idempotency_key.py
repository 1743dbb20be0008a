"""The header `Idempotency-Key`: what is sent again under the same key is done once."""

import asyncio
import re
from typing import Any

from fastapi import Request
from starlette.responses import Response

from service.caller import caller_of
from service.errors import Fault, InvalidRequest
from service.idempotency import REPLAYED, KeyedRequest
from service.json_structure import LARGE

NAME = "Idempotency-Key"
IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": NAME,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "description": "Sent again with the same key and body within 24 hours, the request is answered as it was the first "
    "time, and done once. Another body under the key is refused.",
}
_SAYS_SO = {"schema": {"type": "string", "enum": ["true"]}, "description": "There where it was given before."}
ANSWERED: dict[str, Any] = {"headers": dict.fromkeys(REPLAYED, _SAYS_SO)}  # with 200
_VISIBLE = re.compile(r"[!-~]{1,255}")


def keyed_request(request: Request) -> KeyedRequest | None:
    """What the request's key stands for; None where it has none. Raises InvalidRequest for what is no key."""
    sent = request.headers.getlist(NAME)
    if not sent:
        return None
    if len(sent) > 1 or not _VISIBLE.fullmatch(sent[0]):
        raise InvalidRequest([Fault(NAME, "must be 1 to 255 visible ASCII characters, without spaces")])
    scope = request.scope
    caller = caller_of(scope).id
    return KeyedRequest.of(caller, scope["method"], scope["path"], scope["query_string"], sent[0])


async def with_body(keyed: KeyedRequest, body: bytes) -> KeyedRequest:
    """The digest of a large body is not computed on the event loop."""
    return await asyncio.to_thread(keyed.with_body, body) if len(body) > LARGE else keyed.with_body(body)


def json_response(body: bytes, replayed: bool = False) -> Response:
    """An answer as JSON, which says whether it was given before."""
    return Response(body, media_type="application/json", headers=REPLAYED if replayed else None)
